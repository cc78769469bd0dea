"""Where intake's tables are gathered."""

from sqlalchemy import MetaData
from sqlmodel import SQLModel

from shared.db import SystemTables

metadata = MetaData()
tables = SystemTables(metadata)


class Base(SQLModel):
    metadata = metadata
