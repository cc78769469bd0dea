"""Complaints that may be one matter, and what was decided of them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, LargeBinary, Numeric, Text, UniqueConstraint, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.intake.store.base import Base
from services.intake.store.complaint import Complaint
from shared.db import UtcDateTime


class Trait(Base, table=True):
    """What a complaint is compared by; who complained and what was written, in keyed hashes alone.

    `sketch` is `domain.sketch.Sketch` in bytes; `numbered`: the customer_ref is that of a customer number; `phone_key`
    and `email_key` find the same person in a channel that knew them by another of these; `name_keys` are separated by
    spaces.
    """

    __tablename__ = "trait"

    complaint_id: str = Field(primary_key=True, max_length=36)
    customer_ref: str = Field(max_length=32, index=True)
    numbered: bool
    phone_key: str | None = Field(default=None, max_length=32, index=True)
    email_key: str | None = Field(default=None, max_length=32, index=True)
    name_keys: str = Field(sa_column=Column(Text, nullable=False))
    received_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    channel: str = Field(max_length=20)
    branch: str | None = Field(default=None, max_length=64)
    product: str | None = Field(default=None, max_length=64)
    amount: Decimal | None = Field(default=None, sa_column=Column(Numeric(18, 4)))
    currency: str | None = Field(default=None, max_length=3)
    occurred_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
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


_link: Any = Link.__table__  # type: ignore[attr-defined]
_trait: Any = Trait.__table__  # type: ignore[attr-defined]
_complaint: Any = Complaint.__table__  # type: ignore[attr-defined]
_DECISIONS = 0x4C494E4B  # "LINK": the advisory lock under which links are decided


async def links(tx: AsyncSession, complaint_ids: Collection[str]) -> Sequence[Link]:
    """Those in which one of these complaints stands, oldest first."""
    either = or_(_link.c.earlier_id.in_(complaint_ids), _link.c.later_id.in_(complaint_ids))
    return (await tx.scalars(select(Link).where(either).order_by(_link.c.id))).all()


async def link(tx: AsyncSession, id: str) -> Link | None:
    return await tx.get(Link, id, populate_existing=True)


async def page(tx: AsyncSession, *, state: str | None, after: str | None, limit: int) -> Sequence[Link]:
    """Links, oldest first, from the one after `after` on."""
    query = select(Link).order_by(_link.c.id).limit(limit)
    if state:
        query = query.where(_link.c.state == state)
    if after:
        query = query.where(_link.c.id > after)
    return (await tx.scalars(query)).all()


async def of_persons(
    tx: AsyncSession, refs: Collection[str], ways: Collection[str], since: datetime, until: datetime
) -> Sequence[Trait]:
    """The traits of these persons' complaints received within a window, in order of receipt. `ways`: hashes of phones
    and e-mails."""
    person = or_(_trait.c.customer_ref.in_(refs), _trait.c.phone_key.in_(ways), _trait.c.email_key.in_(ways))
    query = select(Trait).where(person, _trait.c.received_at >= since, _trait.c.received_at <= until)
    return (await tx.scalars(query.order_by(_trait.c.received_at, _trait.c.complaint_id))).all()


async def traits(tx: AsyncSession, complaint_ids: Collection[str]) -> Sequence[Trait]:
    return (await tx.scalars(select(Trait).where(_trait.c.complaint_id.in_(complaint_ids)))).all()


async def complaints(tx: AsyncSession, ids: Collection[str]) -> dict[str, Complaint]:
    found = await tx.scalars(select(Complaint).where(_complaint.c.id.in_(ids)))
    return {complaint.id: complaint for complaint in found}


async def matter(tx: AsyncSession, complaint_ids: Collection[str]) -> dict[str, Link]:
    """All confirmed links, by id, of the matters to which these complaints belong, however long the chain."""
    seen: set[str] = set()
    found: dict[str, Link] = {}
    ahead = set(complaint_ids)
    while ahead:
        seen |= ahead
        confirmed = [one for one in await links(tx, ahead) if one.state == "confirmed"]
        found |= {one.id: one for one in confirmed}
        ahead = {id for one in confirmed for id in (one.earlier_id, one.later_id)} - seen
    return found


async def lock_persons(tx: AsyncSession, keys: Collection[str]) -> None:
    """Until the transaction ends, nobody else links complaints of these persons (hex digests). Complaints of one person
    may come to two workers at once, and neither would see the other's. SQLite has one writer anyway."""
    if tx.get_bind().dialect.name == "postgresql":
        numbers = sorted({int(key[:16], 16) - 2**63 for key in keys})  # in one order, so that no two wait in a ring
        for number in numbers:
            await tx.execute(select(func.pg_advisory_xact_lock(number)))


async def lock_decisions(tx: AsyncSession) -> None:
    """Until the transaction ends, nobody else decides on a link: what one decision moves, another might too."""
    if tx.get_bind().dialect.name == "postgresql":
        await tx.execute(select(func.pg_advisory_xact_lock(_DECISIONS)))
