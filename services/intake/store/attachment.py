"""Files that came with a complaint. Their content lies in an object store, sealed; here is what is known of them."""

from collections.abc import Sequence
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

    Uploaded before its complaint is sent, it has no `complaint_id` yet and is claimed by the secret whose keyed hash is
    `ticket_key`. Its own data key, wrapped by master key `key_id`, seals name and content: a file may be there before
    its complaint, and can be erased by itself. `sha256` is that of the content in the clear.
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


async def by_ticket(tx: AsyncSession, ticket_key: str) -> Sequence[Attachment]:
    """Those uploaded with one ticket and not yet claimed."""
    query = select(Attachment).where(_table.c.ticket_key == ticket_key, _table.c.complaint_id.is_(None))
    return (await tx.scalars(query.order_by(_table.c.id))).all()


async def in_state(tx: AsyncSession, state: str, limit: int) -> Sequence[Attachment]:
    """The oldest in `state`."""
    query = select(Attachment).where(_table.c.state == state).order_by(_table.c.id).limit(limit)
    return (await tx.scalars(query)).all()


async def claim(connection: AsyncConnection, ticket_key: str, complaint_id: str) -> bool:
    """Give the file of a ticket to a complaint; whether there was one to give."""
    free = update(_table).where(_table.c.ticket_key == ticket_key, _table.c.complaint_id.is_(None))
    done = await connection.execute(free.values(complaint_id=complaint_id, ticket_key=None))
    return bool(done.rowcount)


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
