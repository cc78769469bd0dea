"""Files that came with a complaint. Their content lies in an object store, sealed; here is what is known of them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, LargeBinary, String, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import Field

from services.intake.store.base import Base
from shared.db import UtcDateTime


class Attachment(Base, table=True):
    """One file. `state`: quarantined (kept, not yet looked at), clean, infected, erased (its content
    is about to go), gone.

    Uploaded before its complaint is sent, it has no `complaint_id` yet and is claimed, once, by the secret whose keyed
    hash is `ticket_key`: it stays, so that a repeat of the complaint is known again. Its own data key, wrapped by
    master key `key_id`, seals name and content: a file may be there before its complaint, and can be erased by itself.
    `sha256` is that of the content in the clear.
    """

    __tablename__ = "attachment"

    id: str = Field(primary_key=True, max_length=36)
    complaint_id: str | None = Field(default=None, max_length=36, index=True)
    message_id: str | None = Field(default=None, max_length=36)
    ticket_key: str | None = Field(default=None, max_length=32, index=True)
    uploaded_by: str = Field(max_length=100)
    media_type: str = Field(max_length=100)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    sha256: str = Field(max_length=64)
    state: str = Field(sa_column=Column(String(12), nullable=False, index=True))
    verdict: str | None = Field(default=None, max_length=200)
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    checked_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    key_id: str = Field(max_length=40)
    wrapped_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sealed_name: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


_table: Any = Attachment.__table__  # type: ignore[attr-defined]


async def of_complaint(tx: AsyncSession, complaint_id: str) -> Sequence[Attachment]:
    """All of a complaint, oldest first."""
    query = select(Attachment).where(_table.c.complaint_id == complaint_id).order_by(_table.c.id)
    return (await tx.scalars(query)).all()


async def digests(tx: AsyncSession, ticket_keys: Collection[str]) -> dict[str, str]:
    """By ticket key: the SHA-256, in hex, of each file uploaded under one of these, claimed or not."""
    query = select(_table.c.ticket_key, _table.c.sha256).where(_table.c.ticket_key.in_(ticket_keys))
    return {row.ticket_key: row.sha256 for row in await tx.execute(query)}


async def belong(tx: AsyncSession, ids: Collection[str], message_id: str) -> None:
    """These files came with that message."""
    await tx.execute(update(_table).where(_table.c.id.in_(ids)).values(message_id=message_id))


async def in_state(tx: AsyncSession, state: str, limit: int) -> Sequence[Attachment]:
    """The oldest in `state`."""
    query = select(Attachment).where(_table.c.state == state).order_by(_table.c.id).limit(limit)
    return (await tx.scalars(query)).all()


async def claim(connection: AsyncConnection, ticket_keys: Collection[str], complaint_id: str) -> set[str]:
    """Give the files of tickets to a complaint; the keys of those that were free to give."""
    free = update(_table).where(_table.c.ticket_key.in_(ticket_keys), _table.c.complaint_id.is_(None))
    given = await connection.execute(free.values(complaint_id=complaint_id).returning(_table.c.ticket_key))
    return set(given.scalars())


async def unclaimed(tx: AsyncSession, before: datetime, limit: int) -> Sequence[Attachment]:
    """Those that belong to no complaint and came before a moment."""
    query = select(Attachment).where(_table.c.complaint_id.is_(None), _table.c.created_at < before)
    return (await tx.scalars(query.order_by(_table.c.created_at).limit(limit))).all()


async def drop(tx: AsyncSession, id: str, *, erased: bool) -> None:
    """A file's content is gone: the row of an erased one stays, marked so; one that nobody claimed goes."""
    mine = _table.c.id == id
    if erased:
        await tx.execute(update(_table).where(mine).values(state="gone"))
    else:
        await tx.execute(delete(_table).where(mine, _table.c.complaint_id.is_(None)))


async def with_other_keys(tx: AsyncSession, current: str, limit: int) -> Sequence[Attachment]:
    """Files whose key is wrapped by a master key other than `current`; an erased one has none."""
    query = select(Attachment).where(_table.c.key_id.not_in((current, "")))
    return (await tx.scalars(query.limit(limit))).all()
