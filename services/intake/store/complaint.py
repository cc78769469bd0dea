"""Complaints as received, and how far the others have come with them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, LargeBinary, Numeric, String, Text, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import Field

from services.intake.store.base import Base
from shared.db import UtcDateTime, bulk


class Complaint(Base, table=True):
    """A complaint as received; never changed afterwards. What people wrote and who they are is sealed.

    `submission_key` and `channel_ref_key` are keyed hashes: the two ways by which a repeat is known.
    `sealed_person` and `sealed_content` open with the data key in `wrapped_key`, which master key `key_id` opens.
    """

    __tablename__ = "complaint"

    id: str = Field(primary_key=True, max_length=36)
    reference: str = Field(max_length=20, unique=True)
    channel: str = Field(max_length=20)
    received_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    submission_key: str | None = Field(max_length=32, unique=True)
    fingerprint: str = Field(max_length=32)
    channel_ref_key: str | None = Field(max_length=32, unique=True)
    customer_ref: str | None = Field(max_length=32, index=True)
    branch: str | None = Field(max_length=64)
    product: str | None = Field(max_length=64)
    amount: Decimal | None = Field(sa_column=Column(Numeric(18, 4)))
    currency: str | None = Field(max_length=3)
    language: str | None = Field(max_length=10)
    jurisdiction: str | None = Field(max_length=40)
    occurred_at: datetime | None = Field(sa_column=Column(UtcDateTime))
    imported: bool
    key_id: str = Field(sa_column=Column(String(40), nullable=False))
    wrapped_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sealed_person: bytes | None = Field(sa_column=Column(LargeBinary))
    sealed_content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Progress(Base, table=True):
    """How far the others have come with a complaint, as far as intake has heard. `deadlines` is a JSON list;
    `answered_at` and `resolved_at` are of the last final response and decision."""

    __tablename__ = "progress"

    complaint_id: str = Field(primary_key=True, max_length=36)
    status: str = Field(max_length=20)
    category: str | None = Field(default=None, max_length=40)
    severity: str | None = Field(default=None, max_length=20)
    department: str | None = Field(default=None, max_length=40)
    outcome: str | None = Field(default=None, max_length=20)
    escalation_level: int = 0
    deadlines: str = Field(sa_column=Column(Text, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    answered_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    resolved_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


_table: Any = Complaint.__table__  # type: ignore[attr-defined]
COLUMNS = tuple(_table.columns.keys())
_PRIOR = (
    _table.c.id,
    _table.c.reference,
    _table.c.received_at,
    _table.c.submission_key,
    _table.c.channel_ref_key,
    _table.c.fingerprint,
    _table.c.key_id,
    _table.c.wrapped_key,
)


async def insert_new(connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> bool:
    """Insert complaints, each a tuple in the order of `COLUMNS`, but for those of which a unique index says that they
    are there. Whether none was left out."""
    return await bulk.insert_new(connection, _table, COLUMNS, rows) == len(rows)


async def insert(connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert complaints, all or none."""
    await bulk.bulk_insert(connection, _table, COLUMNS, rows)


async def kept(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Those of `ids` under which there is a complaint."""
    return set((await connection.execute(select(_table.c.id).where(_table.c.id.in_(ids)))).scalars())


async def priors(
    connection: AsyncConnection, submission_keys: Collection[str], ref_keys: Collection[str]
) -> Sequence[Any]:
    """Complaints already taken under one of these keys."""
    alike = or_(_table.c.submission_key.in_(submission_keys), _table.c.channel_ref_key.in_(ref_keys))
    return (await connection.execute(select(*_PRIOR).where(alike))).all()


async def complaint(tx: AsyncSession, id: str) -> Complaint | None:
    return await tx.get(Complaint, id)


async def lock(tx: AsyncSession, complaint: Complaint) -> None:
    """Keep `complaint`, read before in this unit of work, from others until it ends, and read it anew."""
    await tx.refresh(complaint, with_for_update=True)


async def many(tx: AsyncSession, ids: Collection[str]) -> dict[str, Complaint]:
    return {c.id: c for c in await tx.scalars(select(Complaint).where(_table.c.id.in_(ids)))}


async def by_reference(tx: AsyncSession, reference: str) -> Complaint | None:
    return (await tx.scalars(select(Complaint).where(_table.c.reference == reference))).first()


@dataclass(frozen=True, slots=True)
class Heading:
    """What a complaint is called, and how it came."""

    id: str
    reference: str
    channel: str


async def headings(tx: AsyncSession, ids: Collection[str]) -> dict[str, Heading]:
    """Of those of `ids` that are there."""
    query = select(_table.c.id, _table.c.reference, _table.c.channel).where(_table.c.id.in_(ids))
    return {row.id: Heading(*row) for row in (await tx.execute(query)).all()}


async def progress(tx: AsyncSession, ids: Collection[str]) -> dict[str, Progress]:
    found = await tx.scalars(select(Progress).where(Progress.__table__.c.complaint_id.in_(ids)))  # type: ignore[attr-defined]
    return {p.complaint_id: p for p in found}


async def sealed_with_other_keys(tx: AsyncSession, current: str, after: str, limit: int) -> Sequence[Complaint]:
    """Complaints whose data key is wrapped by a master key other than `current`, by id, from `after` on. An erased
    complaint has no key."""
    query = (
        select(Complaint)
        .where(_table.c.id > after, _table.c.key_id.not_in((current, "")))
        .order_by(_table.c.id)
        .limit(limit)
    )
    return (await tx.scalars(query)).all()
