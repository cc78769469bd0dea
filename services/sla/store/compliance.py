"""Clocks that may have broken a rule, newest first: each query gives rows from behind a place on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Interval, RowMapping, String, and_, cast, func, literal, or_, select, text
from sqlalchemy import exists as there_is
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.store.base import CLOCK, COMPLAINT, ENTRY, EXTENDED, LATE, PAUSED, STEP, UNTOLD

After = tuple[datetime, str] | None
_ABOUT = (COMPLAINT.c.reference, COMPLAINT.c.department, CLOCK.c.pack)


async def late(tx: AsyncSession, since: datetime, until: datetime, after: After, limit: int) -> Sequence[RowMapping]:
    """Final responses of regulatory clocks that were due in that time, are or came late, and were not extended."""
    at, key = STEP.c.due_at, STEP.c.clock_id
    query = (
        select(STEP.c.complaint_id, key, at, STEP.c.met_at, *_ABOUT)
        .join(CLOCK, CLOCK.c.clock_id == key)
        .join(COMPLAINT, COMPLAINT.c.complaint_id == STEP.c.complaint_id)
        .where(text(f"step.{LATE.replace(' AND ', ' AND step.')}"), at >= since, at < until)
        .where(CLOCK.c.kind == "regulatory")
    )
    return await _rows(tx, query, at, key, after, limit)


async def untold(tx: AsyncSession, since: datetime, until: datetime, after: After, limit: int) -> Sequence[RowMapping]:
    """Steps missed in that time of which nobody above the officer was told; all of their columns. Their key is clock
    and step."""
    at, key = STEP.c.missed_at, STEP.c.clock_id + ":" + STEP.c.name
    query = (
        select(STEP, key.label("key"), CLOCK.c.pauses, CLOCK.c.ended_at, *_ABOUT)
        .join(CLOCK, CLOCK.c.clock_id == STEP.c.clock_id)
        .join(COMPLAINT, COMPLAINT.c.complaint_id == STEP.c.complaint_id)
        .where(text(f"step.{UNTOLD.replace(' AND ', ' AND step.')}"), at >= since, at < until)
    )
    return await _rows(tx, query, at, key, after, limit)


async def extensions(
    tx: AsyncSession, since: datetime, until: datetime, after: After, limit: int, *, again: bool
) -> Sequence[RowMapping]:
    """Extensions decided in that time; `again`: of clocks that had been extended before, with the details of those
    extensions, a line each (`before`); else those without a reason."""
    at, key = ENTRY.c.recorded_at, _entry_key()
    query = (
        select(CLOCK.c.complaint_id, key.label("key"), at, ENTRY.c.actor, ENTRY.c.detail, ENTRY.c.reason, *_ABOUT)
        .join(CLOCK, CLOCK.c.clock_id == ENTRY.c.clock_id)
        .join(COMPLAINT, COMPLAINT.c.complaint_id == CLOCK.c.complaint_id)
        .where(text(f"entry.{EXTENDED}"), at >= since, at < until)
    )
    if again:
        other = ENTRY.alias("other")
        earlier = (other.c.clock_id == ENTRY.c.clock_id, other.c.seq < ENTRY.c.seq, other.c.kind == "extended")
        details = select(func.aggregate_strings(other.c.detail, "\n")).where(*earlier).correlate(ENTRY)
        query = query.add_columns(details.scalar_subquery().label("before"))
        query = query.where(there_is().where(*earlier).correlate(ENTRY))
    else:
        query = query.where(func.trim(ENTRY.c.reason) == "")
    return await _rows(tx, query, at, key, after, limit)


async def pauses(
    tx: AsyncSession, since: datetime, until: datetime, longest: timedelta, after: After, limit: int
) -> Sequence[RowMapping]:
    """Pauses that began in that time and lasted longer than `longest`, with when the clock went on."""
    at, key = ENTRY.c.at, _entry_key()
    other = ENTRY.alias("other")
    follows = (
        other.c.clock_id == ENTRY.c.clock_id,
        other.c.seq > ENTRY.c.seq,
        other.c.kind.in_(("resumed", "ended")),
    )
    soon = there_is().where(*follows, other.c.at <= _later(tx, ENTRY.c.at, longest)).correlate(ENTRY)
    # what went on before the first of them can have lasted so long needs no reckoning, and that is most of them
    at_once = there_is().where(*follows, other.c.at <= since + longest).correlate(ENTRY)
    resumed = select(func.min(other.c.at)).where(*follows).correlate(ENTRY).scalar_subquery().label("resumed")
    query = (
        select(CLOCK.c.complaint_id, key.label("key"), at, ENTRY.c.actor, ENTRY.c.reason, resumed, *_ABOUT)
        .join(CLOCK, CLOCK.c.clock_id == ENTRY.c.clock_id)
        .join(COMPLAINT, COMPLAINT.c.complaint_id == CLOCK.c.complaint_id)
        .where(text(f"entry.{PAUSED}"), at >= since, at < until, ~at_once, ~soon)
    )
    return await _rows(tx, query, at, key, after, limit)


def _entry_key() -> ColumnElement[str]:
    """Clock and row, so that rows of the same moment have an order."""
    return ENTRY.c.clock_id + ":" + cast(ENTRY.c.seq + 100_000, String)


def _later(tx: AsyncSession, column: ColumnElement[datetime], by: timedelta) -> ColumnElement[Any]:
    if tx.get_bind().dialect.name == "sqlite":  # times are texts there
        return func.strftime("%Y-%m-%d %H:%M:%f000", column, f"+{int(by.total_seconds())} seconds")
    return column + literal(by, Interval)


async def _rows(
    tx: AsyncSession, query: Any, at: ColumnElement[Any], key: ColumnElement[Any], after: After, limit: int
) -> Sequence[RowMapping]:
    if after is not None:
        moment, name = after
        query = query.where(or_(at < moment, and_(at == moment, key < name)))
    return (await tx.execute(query.order_by(at.desc(), key.desc()).limit(limit))).mappings().all()
