"""Notices: put down, claimed, settled."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.store.base import ATTEMPT, NOTICE, AttemptRow, NoticeRow
from shared.db.bulk import bulk_insert

COLUMNS = tuple(NOTICE.columns.keys())


async def put(tx: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    blank = dict.fromkeys(COLUMNS)
    values = [tuple((blank | row)[c] for c in COLUMNS) for row in rows]
    await bulk_insert(await tx.connection(), NOTICE, COLUMNS, values)


async def claim(
    tx: AsyncSession, now: datetime, until: datetime, *, without: Collection[str], limit: int
) -> list[NoticeRow]:
    """The `limit` longest due notices of recipients not in `without`, ours until `until`, in order."""
    query = (
        select(NoticeRow)
        .where(NOTICE.c.next_at <= now, NOTICE.c.recipient.not_in(without))
        .order_by(NOTICE.c.next_at, NOTICE.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = list((await tx.scalars(query)).all())
    for row in found:
        row.next_at = until
        row.attempts += 1
        row.first_at = row.first_at or now
    return sorted(found, key=lambda row: row.id)


async def settle(tx: AsyncSession, ids: Sequence[str], *, state: str, now: datetime, reason: str | None) -> None:
    values = {"state": state, "settled_at": now, "next_at": None, "reason": reason, "message_id": ids[0]}
    await tx.execute(update(NOTICE).where(NOTICE.c.id.in_(ids), NOTICE.c.state == "waiting").values(values))


async def postpone(tx: AsyncSession, recipient: str, ids: Sequence[str], *, until: datetime, reason: str) -> None:
    """Try these again then, and let everything else that is due to the same recipient wait as long."""
    await tx.execute(update(NOTICE).where(NOTICE.c.id.in_(ids)).values(next_at=until, reason=reason))
    others = (NOTICE.c.recipient == recipient, NOTICE.c.next_at.is_not(None), NOTICE.c.next_at < until)
    await tx.execute(update(NOTICE).where(*others).values(next_at=until))


async def log_attempt(tx: AsyncSession, row: AttemptRow) -> None:
    tx.add(row)


async def page(
    session: AsyncSession,
    *,
    state: str | None,
    complaint_id: str | None,
    department: str | None,
    before: str | None,
    limit: int,
) -> Sequence[NoticeRow]:
    """Notices, the newest first, those older than the id `before`."""
    query = select(NoticeRow).order_by(NOTICE.c.id.desc()).limit(limit)
    wanted = {"state": state, "complaint_id": complaint_id, "department": department}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(NOTICE.c[name] == value)
    if before is not None:
        query = query.where(NOTICE.c.id < before)
    return (await session.scalars(query)).all()


async def attempts(session: AsyncSession, message_id: str) -> Sequence[AttemptRow]:
    query = select(AttemptRow).where(ATTEMPT.c.message_id == message_id).order_by(ATTEMPT.c.attempt)
    return (await session.scalars(query)).all()
