"""Notices: what is told to whom, what has become of it, and each attempt. Never commits.

Any number of senders work on these tables. Each takes rows that nobody holds (on PostgreSQL; on SQLite the one write
transaction does the same) and moves their `next_at` beyond its lease in the same transaction, so that what a sender
dies with is taken up by another one after that, under the same id.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, bindparam, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.sla.domain.notice import DIGEST, LEASE, Waiting
from services.sla.store.base import Base, metadata
from shared.db import UtcDateTime
from shared.db.bulk import bulk_insert

_MANY = 5000  # parameters in one statement; both databases take some 32,000
MOST_JOINED = 10_000
"""Notices in one message; what is beyond goes into the next one."""


class NoticeRow(Base, table=True):
    """One thing told to one recipient, or a digest of several (`kind` digest, whose members point to it by `digest_id`
    and have its fate). `id` is what the receiving side sees, the same at every attempt.

    `recipient` is the id of a post or subscription, `person` who was reached in the post ('' for subscriptions).
    Addresses are looked up when it is sent, so that a mended one counts. `host`: where it is expected to go.
    `solo`: never joined with others (any more): it has been tried, is a digest itself, or is for a machine.
    `state`: waiting, joined (in a digest that waits), sent, failed. `since`: when it was first due, from which the time
    for trying counts.
    """

    __tablename__ = "notice"

    id: str = Field(primary_key=True, max_length=36)
    kind: str = Field(max_length=20)
    complaint_id: str | None = Field(default=None, max_length=64, index=True)
    reference: str | None = Field(default=None, max_length=40)
    step: str | None = Field(default=None, max_length=30)
    level: int | None = None
    due_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    was_due_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    granted: bool | None = None
    department: str | None = Field(default=None, max_length=100)
    branch: str | None = Field(default=None, max_length=64)
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    recipient_kind: str = Field(max_length=10)
    recipient: str = Field(max_length=64)
    person: str = Field(default="", max_length=200)
    via: str | None = Field(default=None, max_length=10)
    role: str | None = Field(default=None, max_length=30)
    host: str = Field(max_length=255)
    language: str = Field(max_length=10)
    urgent: bool
    solo: bool
    state: str = Field(max_length=10)
    attempts: int = 0
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    not_before: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    since: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    next_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    settled_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    reason: str | None = Field(default=None, max_length=200)
    digest_id: str | None = Field(default=None, max_length=36)


class NoticeAttempt(Base, table=True):
    """One attempt to send a notice. `outcome`: sent, later or never. `reason` holds no address."""

    __tablename__ = "notice_attempt"

    id: str = Field(primary_key=True, max_length=36)
    notice_id: str = Field(sa_column=Column(String(36), ForeignKey("notice.id"), nullable=False, index=True))
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    outcome: str = Field(max_length=10)
    reason: str | None = Field(default=None, max_length=200)


NOTICE: Table = metadata.tables["notice"]
ATTEMPT: Table = metadata.tables["notice_attempt"]
COLUMNS = tuple(NOTICE.columns.keys())
_waiting = NOTICE.c.state == "waiting"
_of = (NOTICE.c.recipient_kind, NOTICE.c.recipient, NOTICE.c.person)
Index("notice_due", NOTICE.c.next_at, postgresql_where=_waiting, sqlite_where=_waiting)
Index("notice_recipient", *_of, NOTICE.c.next_at, postgresql_where=_waiting, sqlite_where=_waiting)
_in_digest = NOTICE.c.digest_id.is_not(None)
Index("notice_digest", NOTICE.c.digest_id, postgresql_where=_in_digest, sqlite_where=_in_digest)
Index("notice_state", NOTICE.c.state, NOTICE.c.id)
_settled = NOTICE.c.settled_at.is_not(None)
Index("notice_settled", NOTICE.c.settled_at, postgresql_where=_settled, sqlite_where=_settled)

_SETTLE = (
    update(NOTICE)
    .where(NOTICE.c.id == bindparam("its_id"), _waiting, NOTICE.c.attempts == bindparam("its_attempts"))
    .values({n: bindparam(f"new_{n}") for n in ("state", "attempts", "next_at", "settled_at", "reason")})
)
_SETTLE_MEMBERS = (
    update(NOTICE)
    .where(NOTICE.c.digest_id == bindparam("its_id"))
    .values({n: bindparam(f"new_{n}") for n in ("state", "settled_at", "reason")})
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """To whom notices go; `person` is '' for subscriptions."""

    kind: str
    id: str
    person: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}:{self.person}"


@dataclass(frozen=True, slots=True)
class DueRecipient:
    """Somebody for whom something is due, and by which host it is expected to go."""

    recipient: Recipient
    host: str
    urgent: bool
    oldest: datetime


async def insert_all(tx: AsyncSession, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows with the values of COLUMNS in order, in one statement."""
    await bulk_insert(await tx.connection(), NOTICE, COLUMNS, rows)


async def due_recipients(session: AsyncSession, now: datetime) -> list[DueRecipient]:
    """For whom something is due, urgent things first, then the longest due."""
    urgent = func.max(NOTICE.c.urgent.cast(Integer))
    query = (
        select(*_of, func.max(NOTICE.c.host), urgent, func.min(NOTICE.c.next_at))
        .where(_waiting, NOTICE.c.next_at <= now)
        .group_by(*_of)
    )
    found = [DueRecipient(Recipient(k, r, p), h, bool(u), at) for k, r, p, h, u, at in await session.execute(query)]
    return sorted(found, key=lambda d: (not d.urgent, d.oldest))


async def longest_due(session: AsyncSession, now: datetime) -> datetime | None:
    """When the longest due notice that waits fell due; None when none is due."""
    query = select(func.min(NOTICE.c.next_at)).where(_waiting, NOTICE.c.next_at <= now)
    found: datetime | None = (await session.execute(query)).scalar_one_or_none()
    return found


async def untried(tx: AsyncSession, to: Recipient, before: datetime) -> list[Waiting]:
    """What may be joined for a recipient and is due by `before`, locked; rows that another sender holds left out."""
    query = (
        select(NOTICE.c.id, NOTICE.c.urgent, NOTICE.c.next_at)
        .where(*_is(to), _waiting, NOTICE.c.solo.is_(False), NOTICE.c.next_at <= before)
        .order_by(NOTICE.c.next_at, NOTICE.c.id)
        .limit(MOST_JOINED)
        .with_for_update(skip_locked=True)
    )
    return [Waiting(*row) for row in await tx.execute(query)]


async def join(tx: AsyncSession, digest: dict[str, Any], ids: Sequence[str]) -> None:
    """Make a digest of these notices, which are locked."""
    await tx.execute(insert(NOTICE), digest)
    for start in range(0, len(ids), _MANY):
        mine = update(NOTICE).where(NOTICE.c.id.in_(ids[start : start + _MANY]))
        await tx.execute(mine.values(state="joined", digest_id=digest["id"], next_at=None))


async def claim(tx: AsyncSession, to: Recipient, now: datetime, limit: int) -> list[NoticeRow]:
    """What is due to a recipient, the longest due first, this sender's for the time of a lease and one attempt on."""
    query = (
        select(NoticeRow)
        .where(*_is(to), _waiting, NOTICE.c.next_at <= now)
        .order_by(NOTICE.c.urgent.desc(), NOTICE.c.next_at, NOTICE.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = (await tx.scalars(query)).all()
    for row in found:
        row.next_at, row.attempts, row.solo = now + LEASE, row.attempts + 1, True
    return list(found)


async def hold(tx: AsyncSession, to: Recipient, now: datetime, until: datetime) -> None:
    """Nothing can be sent to a recipient yet: what is due waits until then, as if it had not been due before."""
    mine = update(NOTICE).where(*_is(to), _waiting, NOTICE.c.next_at <= now)
    await tx.execute(mine.values(next_at=until, since=until))


async def quieten(tx: AsyncSession, to: Recipient, now: datetime, until: datetime) -> None:
    """What is due to a recipient and not urgent waits until then; the time for trying begins there for what has not
    been tried."""
    mine = update(NOTICE).where(*_is(to), _waiting, NOTICE.c.next_at <= now, NOTICE.c.urgent.is_(False))
    since = case((NOTICE.c.attempts == 0, bindparam("until", until, UtcDateTime)), else_=NOTICE.c.since)
    await tx.execute(mine.values(next_at=until, since=since))


async def members(session: AsyncSession, digest_id: str, limit: int) -> tuple[Sequence[NoticeRow], int]:
    """Those of a digest that are listed, the earliest deadline first, and how many it has in all."""
    mine = NOTICE.c.digest_id == digest_id
    query = select(NoticeRow).where(mine).order_by(NOTICE.c.due_at, NOTICE.c.id).limit(limit)
    count = (await session.execute(select(func.count()).select_from(NOTICE).where(mine))).scalar_one()
    return (await session.scalars(query)).all(), count


async def settle(tx: AsyncSession, changes: Sequence[dict[str, Any]], attempts: Sequence[tuple[Any, ...]]) -> None:
    """Write how attempts fared. A row that was taken up by another sender meanwhile, since the lease had run out, is
    that one's to settle."""
    if changes:
        await tx.execute(_SETTLE, sorted(changes, key=lambda c: str(c["its_id"])))
        over = [
            {n: c[n] for n in ("its_id", "new_state", "new_settled_at", "new_reason")}
            for c in changes
            if c["kind"] == DIGEST and c["new_state"] != "waiting"
        ]
        if over:
            await tx.execute(_SETTLE_MEMBERS, over)
    await bulk_insert(await tx.connection(), ATTEMPT, tuple(ATTEMPT.columns.keys()), attempts)


async def find(tx: AsyncSession, id: str, *, lock: bool = False) -> NoticeRow | None:
    query = select(NoticeRow).where(NOTICE.c.id == id)
    return (await tx.scalars(query.with_for_update() if lock else query)).first()


async def reopen_members(tx: AsyncSession, digest_id: str) -> None:
    """The members of a digest that is sent again wait for it."""
    mine = update(NOTICE).where(NOTICE.c.digest_id == digest_id)
    await tx.execute(mine.values(state="joined", settled_at=None, reason=None))


async def attempts_of(session: AsyncSession, notice_id: str, limit: int) -> Sequence[NoticeAttempt]:
    """The latest first."""
    query = select(NoticeAttempt).where(ATTEMPT.c.notice_id == notice_id).order_by(ATTEMPT.c.id.desc()).limit(limit)
    return (await session.scalars(query)).all()


async def page(session: AsyncSession, wanted: dict[str, str], *, before: str | None, limit: int) -> Sequence[NoticeRow]:
    """The newest first, from behind `before` on, those whose columns have the values of `wanted`."""
    query = select(NoticeRow).order_by(NOTICE.c.id.desc()).limit(limit)
    for name, value in wanted.items():
        query = query.where(NOTICE.c[name] == value)
    if before is not None:
        query = query.where(NOTICE.c.id < before)
    return (await session.scalars(query)).all()


async def oldest_due(session: AsyncSession, now: datetime) -> datetime | None:
    """Since when the longest due notice is due; None when none is."""
    query = select(func.min(NOTICE.c.next_at)).where(_waiting, NOTICE.c.next_at <= now)
    found: datetime | None = (await session.execute(query)).scalar_one()
    return found


async def cancel(tx: AsyncSession, subscription_id: str, *, reason: str, now: datetime) -> None:
    """What waits for a subscription that is no more has failed."""
    mine = (NOTICE.c.recipient == subscription_id, NOTICE.c.state.in_(("waiting", "joined")))
    await tx.execute(select(NOTICE.c.id).where(*mine).order_by(NOTICE.c.id).with_for_update())  # as senders lock them
    await tx.execute(update(NOTICE).where(*mine).values(state="failed", next_at=None, settled_at=now, reason=reason))


async def prune(tx: AsyncSession, before: datetime, limit: int) -> int:
    """Remove up to `limit` notices settled before then, with their attempts; how many."""
    old = select(NOTICE.c.id).where(NOTICE.c.settled_at < before).limit(limit)
    ids: Collection[str] = (await tx.scalars(old)).all()
    if ids:
        await tx.execute(ATTEMPT.delete().where(ATTEMPT.c.notice_id.in_(ids)))
        await tx.execute(NOTICE.delete().where(NOTICE.c.id.in_(ids)))
    return len(ids)


def _is(to: Recipient) -> tuple[Any, ...]:
    return (NOTICE.c.recipient_kind == to.kind, NOTICE.c.recipient == to.id, NOTICE.c.person == to.person)
