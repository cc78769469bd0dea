"""What routing's tables stand on."""

from typing import Any

from sqlalchemy import Column, MetaData
from sqlmodel import Field, SQLModel

from shared.db import SystemTables, UtcDateTime

metadata = MetaData()
tables = SystemTables(metadata)


class Base(SQLModel):
    metadata = metadata


def time(*, nullable: bool = True) -> Any:
    """A column of aware times."""
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=nullable))
