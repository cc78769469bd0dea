"""By what complaints of a person are found: keyed hashes alone."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.intake.store.base import Base
from services.intake.store.complaint import Complaint
from services.intake.store.link import Trait
from shared.db import bulk


class NamePart(Base, table=True):
    """One part of a complainant's name, as a keyed hash (`usecases.link.name_keys`)."""

    __tablename__ = "name_part"

    part_key: str = Field(primary_key=True, max_length=32)
    complaint_id: str = Field(primary_key=True, max_length=36, index=True)


_part: Any = NamePart.__table__  # type: ignore[attr-defined]
_complaint: Any = Complaint.__table__  # type: ignore[attr-defined]
_trait: Any = Trait.__table__  # type: ignore[attr-defined]
_COLUMNS = ("part_key", "complaint_id")


async def keep_names(tx: AsyncSession, names: Collection[tuple[str, str]]) -> None:
    """Keep (hash, complaint) pairs; those that are there stay."""
    await bulk.insert_new(await tx.connection(), _part, _COLUMNS, sorted(names))


async def forget_names(tx: AsyncSession, complaint_id: str) -> None:
    await tx.execute(delete(NamePart).where(_part.c.complaint_id == complaint_id))


async def by_refs(tx: AsyncSession, refs: Collection[str], before: str | None, limit: int) -> Sequence[str]:
    """Complaints of persons known by one of these references, the newest first, from behind `before` on."""
    query = select(_complaint.c.id).where(_complaint.c.customer_ref.in_(refs))
    return await _newest(tx, query, _complaint.c.id, before, limit)


async def by_phone(tx: AsyncSession, key: str, before: str | None, limit: int) -> Sequence[str]:
    """As `by_refs`, by the hash of a phone number, whatever else the person is known by."""
    query = select(_trait.c.complaint_id).where(_trait.c.phone_key == key)
    return await _newest(tx, query, _trait.c.complaint_id, before, limit)


async def by_email(tx: AsyncSession, key: str, before: str | None, limit: int) -> Sequence[str]:
    """As `by_phone`, by the hash of an e-mail address."""
    query = select(_trait.c.complaint_id).where(_trait.c.email_key == key)
    return await _newest(tx, query, _trait.c.complaint_id, before, limit)


async def by_names(tx: AsyncSession, keys: Collection[str], before: str | None, limit: int) -> Sequence[str]:
    """As `by_refs`, those in whose names all of these parts stand. The primary key of (part, complaint) answers it,
    newest first, without sorting."""
    first, *others = sorted(keys)
    query = select(_part.c.complaint_id).where(_part.c.part_key == first)
    for key in others:
        other = _part.alias()
        query = query.join(other, (other.c.complaint_id == _part.c.complaint_id) & (other.c.part_key == key))
    return await _newest(tx, query, _part.c.complaint_id, before, limit)


async def _newest(tx: AsyncSession, query: Any, id: Any, before: str | None, limit: int) -> Sequence[str]:
    if before:
        query = query.where(id < before)
    return (await tx.scalars(query.order_by(id.desc()).limit(limit))).all()
