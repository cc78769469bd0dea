"""Words exchanged about a complaint, both ways, and how those going out fare."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, Text, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.intake.store.base import Base
from shared.db import UtcDateTime


class Message(Base, table=True):
    """One message. `direction` is in or out; `author` complainant, representative, staff or system; `via` a channel's
    code or tracking. `sealed_body` opens with the complaint's data key, purpose `message:<id>`: JSON `{subject, text}`.

    `dedupe_key` is a keyed hash of what makes a repeat: the sender's idempotency key, an e-mail's Message-ID.
    """

    __tablename__ = "message"

    id: str = Field(primary_key=True, max_length=36)
    complaint_id: str = Field(max_length=36, index=True)
    direction: str = Field(max_length=3)
    author: str = Field(max_length=20)
    via: str = Field(max_length=20)
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    sealed_body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    dedupe_key: str | None = Field(default=None, max_length=32, unique=True)


class MailThread(Base, table=True):
    """Which complaint an e-mail belongs to, by a keyed hash of its Message-ID."""

    __tablename__ = "mail_thread"

    message_key: str = Field(primary_key=True, max_length=32)
    complaint_id: str = Field(max_length=36, index=True)


class Dispatch(Base, table=True):
    """Something to be sent to a complainant. `state`: waiting, sent, failed (a person must see to it), settled (one
    has), cancelled. `origin` is the id of what it carries.

    `sealed_to` and `sealed_content` open with the complaint's data key, purposes `dispatch-to:<id>` and
    `dispatch:<id>`. `dedupe_key` says what it is, so that nobody gets the same thing twice.
    """

    __tablename__ = "dispatch"

    id: str = Field(primary_key=True, max_length=36)
    complaint_id: str = Field(max_length=36, index=True)
    kind: str = Field(max_length=40)
    via: str = Field(max_length=20)
    language: str = Field(max_length=10)
    dedupe_key: str = Field(max_length=100, unique=True)
    origin: str | None = Field(default=None, max_length=36)
    sealed_to: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sealed_content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = Field(max_length=12)
    attempts: int = 0
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    next_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    settled_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    error: str | None = Field(default=None, sa_column=Column(Text))


_dispatch: Any = Dispatch.__table__  # type: ignore[attr-defined]
_waiting = _dispatch.c.state == "waiting"
Index("dispatch_due", _dispatch.c.next_at, postgresql_where=_waiting, sqlite_where=_waiting)


async def messages(tx: AsyncSession, complaint_id: str) -> Sequence[Message]:
    """All of a complaint, oldest first."""
    table = Message.__table__  # type: ignore[attr-defined]
    query = select(Message).where(table.c.complaint_id == complaint_id).order_by(table.c.id)
    return (await tx.scalars(query)).all()


async def latest_messages(tx: AsyncSession, complaint_id: str, limit: int) -> Sequence[Message]:
    """The last `limit` of a complaint, oldest first."""
    table = Message.__table__  # type: ignore[attr-defined]
    query = select(Message).where(table.c.complaint_id == complaint_id).order_by(table.c.id.desc()).limit(limit)
    return (await tx.scalars(query)).all()[::-1]


async def messages_after(tx: AsyncSession, complaint_id: str, after: str, limit: int) -> Sequence[Message]:
    """Up to `limit` of a complaint, oldest first, after the one with the id `after`."""
    table = Message.__table__  # type: ignore[attr-defined]
    query = select(Message).where(table.c.complaint_id == complaint_id, table.c.id > after).order_by(table.c.id)
    return (await tx.scalars(query.limit(limit))).all()


async def message_count(tx: AsyncSession, complaint_id: str) -> int:
    table = Message.__table__  # type: ignore[attr-defined]
    query = select(func.count()).select_from(table).where(table.c.complaint_id == complaint_id)
    return (await tx.execute(query)).scalar_one()


async def message_by_dedupe_key(tx: AsyncSession, key: str) -> Message | None:
    table = Message.__table__  # type: ignore[attr-defined]
    return (await tx.scalars(select(Message).where(table.c.dedupe_key == key))).first()


async def thread_of(tx: AsyncSession, message_keys: Collection[str]) -> str | None:
    """The complaint to which one of these messages belongs."""
    table = MailThread.__table__  # type: ignore[attr-defined]
    found = await tx.scalars(select(table.c.complaint_id).where(table.c.message_key.in_(message_keys)).limit(1))
    return found.first()


async def due(tx: AsyncSession, now: datetime, limit: int, ways: Collection[str]) -> Sequence[Dispatch]:
    """What is to be sent now by one of `ways`, each to one sender only."""
    query = select(Dispatch).where(_waiting, _dispatch.c.next_at <= now, _dispatch.c.via.in_(ways))
    return (await tx.scalars(query.order_by(_dispatch.c.next_at).limit(limit).with_for_update(skip_locked=True))).all()


async def dispatch(tx: AsyncSession, id: str) -> Dispatch | None:
    """One, kept from others until the unit of work ends."""
    return (await tx.scalars(select(Dispatch).where(_dispatch.c.id == id).with_for_update())).first()


async def letters(tx: AsyncSession, complaint_id: str) -> Sequence[Dispatch]:
    """What carries or carried the letters of a complaint, oldest first."""
    query = select(Dispatch).where(_dispatch.c.complaint_id == complaint_id, _dispatch.c.kind == "letter")
    return (await tx.scalars(query.order_by(_dispatch.c.id))).all()


async def dedupe_keys(tx: AsyncSession, keys: Collection[str]) -> set[str]:
    """Those of `keys` under which something was written down already."""
    return set((await tx.scalars(select(_dispatch.c.dedupe_key).where(_dispatch.c.dedupe_key.in_(list(keys))))).all())


async def dispatches(
    tx: AsyncSession, *, state: str | None, complaint_id: str | None, before: str | None, limit: int
) -> Sequence[Dispatch]:
    """The newest first, from behind `before` on."""
    query = select(Dispatch)
    if state:
        query = query.where(_dispatch.c.state == state)
    if complaint_id:
        query = query.where(_dispatch.c.complaint_id == complaint_id)
    if before:
        query = query.where(_dispatch.c.id < before)
    return (await tx.scalars(query.order_by(_dispatch.c.id.desc()).limit(limit))).all()
