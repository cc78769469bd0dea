"""Complaints that may be one matter, and what was decided of them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Column, LargeBinary, Numeric, Text, UniqueConstraint, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.intake.store.base import Base
from shared.db import UtcDateTime


class Trait(Base, table=True):
    """What a complaint is compared by. `sketch` is the MinHash of its redacted text, from which no word can be read."""

    __tablename__ = "trait"

    complaint_id: str = Field(primary_key=True, max_length=36)
    customer_ref: str = Field(max_length=32, index=True)
    received_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    channel: str = Field(max_length=20)
    branch: str | None = Field(default=None, max_length=64)
    product: str | None = Field(default=None, max_length=64)
    amount: Decimal | None = Field(default=None, sa_column=Column(Numeric(18, 4)))
    currency: str | None = Field(default=None, max_length=3)
    occurred_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    transaction_key: str | None = Field(default=None, max_length=32)
    sketch: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Link(Base, table=True):
    """Two complaints of one person. `state`: suggested, confirmed, rejected. `reasons` is a JSON list of codes."""

    __tablename__ = "link"
    __table_args__ = (UniqueConstraint("earlier_id", "later_id"),)

    id: str = Field(primary_key=True, max_length=36)
    earlier_id: str = Field(max_length=36, index=True)
    later_id: str = Field(max_length=36, index=True)
    score: float
    reasons: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(max_length=10)
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    decided_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    decided_by: str | None = Field(default=None, max_length=100)


_link = Link.__table__  # type: ignore[attr-defined]
_trait = Trait.__table__  # type: ignore[attr-defined]


async def links(tx: AsyncSession, complaint_id: str) -> Sequence[Link]:
    """Those in which a complaint stands, oldest first."""
    either = or_(_link.c.earlier_id == complaint_id, _link.c.later_id == complaint_id)
    return (await tx.scalars(select(Link).where(either).order_by(_link.c.id))).all()


async def of_person(tx: AsyncSession, customer_ref: str, since: datetime, until: datetime) -> Sequence[Trait]:
    """The traits of one person's complaints received within a window."""
    query = select(Trait).where(
        _trait.c.customer_ref == customer_ref, _trait.c.received_at >= since, _trait.c.received_at <= until
    )
    return (await tx.scalars(query.order_by(_trait.c.received_at, _trait.c.complaint_id))).all()
