"""Officers, what they can do, and when they are away."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Column, Index, Text, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.routing.store.base import Base


class Officer(Base, table=True):
    """`id` is the subject in the bank's directory. `languages`, `categories`, `products` are JSON lists; an empty one
    means all."""

    __tablename__ = "officer"

    id: str = Field(primary_key=True, max_length=100)
    department: str = Field(max_length=40, index=True)
    branch: str | None = Field(default=None, max_length=64)
    languages: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    categories: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    products: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    most_open: int = 30
    active: bool = True


class Absence(Base, table=True):
    """Days, both included, on which an officer is given nothing."""

    __tablename__ = "absence"

    id: str = Field(primary_key=True, max_length=36)
    officer_id: str = Field(max_length=100)
    first: date
    last: date


officer: Any = Officer.__table__  # type: ignore[attr-defined]
absence: Any = Absence.__table__  # type: ignore[attr-defined]
Index("absence_officer", absence.c.officer_id, absence.c.last)


async def officers(tx: AsyncSession, department: str | None = None) -> Sequence[Officer]:
    query = select(Officer).order_by(officer.c.id)
    if department is not None:
        query = query.where(officer.c.department == department)
    return (await tx.scalars(query)).all()


async def absences(tx: AsyncSession, since: date) -> Sequence[Absence]:
    """Those that last until `since` or longer."""
    return (await tx.scalars(select(Absence).where(absence.c.last >= since).order_by(absence.c.first))).all()
