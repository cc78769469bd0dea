"""The figures, read from the counters: the work does not grow with the number of complaints but of cells that they
fall into."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sqlalchemy import Select, Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain import MISSED, OPEN, Selection
from services.reporting.store import deadlines, volume

Kind = Literal["day", "month", "channel", "category", "department", "outcome"]

COUNTED = (
    "Complaints received, each counted once, on the day of its receipt in the bank's time zone. Imported complaints "
    "count on the day on which they were first received."
)
DEFINITIONS: dict[Kind, str] = {
    "day": COUNTED + " Days without complaints are left out.",
    "month": COUNTED + " Months without complaints are left out.",
    "channel": COUNTED + " By the channel through which they came.",
    "category": COUNTED + " By type; `unclassified` until a type is found.",
    "department": COUNTED + " By the department now in charge; `unrouted` until one is.",
    "outcome": COUNTED + " By the bank's decision; `open` until it has decided.",
}
TOTALS = (
    COUNTED + " `today` disregards the period; `open` are those without a decision; `missed` are the deadlines (not "
    "the complaints) that have passed without their step taken, without those that had passed before an import."
)
DEADLINES = (
    "Deadlines of the complaints selected by their day of receipt. `in_time` and `late`: the step was taken, before or "
    "after the deadline; `missed`: the deadline has passed and the step is not taken; `lapsed`: as missed, and it "
    "had passed before the complaint was imported; `running` and `due_soon`: still to come, `due_soon` once warned of."
)


@dataclass(frozen=True, slots=True)
class Totals:
    """`today` is the count of day `on`, whatever the period of the selection; `missed` counts deadlines."""

    total: int
    today: int
    open: int
    missed: int
    on: date


@dataclass(frozen=True, slots=True)
class Count:
    """`count` complaints under `key`: a code, a day (YYYY-MM-DD) or a month (YYYY-MM)."""

    key: str
    count: int


async def agree(session: AsyncSession) -> None:
    """Let all that `session` reads from here on be of one moment, so that the figures of a page fit together. To be
    called before it reads. On SQLite a transaction does so by itself."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


async def totals(session: AsyncSession, selection: Selection, *, today: date) -> Totals:
    """The headline figures of `selection`; `today` is the present day in the bank's zone."""
    count = volume.c["count"]
    is_open = volume.c.outcome == OPEN
    period = await session.execute(
        _where(volume, select(_sum(count), _sum(count).filter(is_open)), selection),
    )
    total, open_ = period.one()
    one_day = Selection(today, today, selection.channel, selection.category, selection.department)
    on_day = (await session.execute(_where(volume, select(_sum(count)), one_day))).scalar_one()
    late = _where(deadlines, select(_sum(deadlines.c["count"])), selection).where(deadlines.c.result == MISSED)
    missed = (await session.execute(late)).scalar_one()
    return Totals(int(total or 0), int(on_day or 0), int(open_ or 0), int(missed or 0), today)


async def volumes(session: AsyncSession, by: Kind, selection: Selection) -> list[Count]:
    """Complaints by one dimension; by time in order, else the largest first. What is nought is left out."""
    column = volume.c["day" if by == "month" else by]
    query = _where(volume, select(column, _sum(volume.c["count"])), selection).group_by(column)
    rows = (await session.execute(query)).all()
    if by == "day":
        found = [Count(day.isoformat(), int(n)) for day, n in sorted(rows) if n]
    elif by == "month":
        found = by_month([Count(day.isoformat(), int(n)) for day, n in sorted(rows) if n])
    else:
        found = sorted((Count(key, int(n)) for key, n in rows if n), key=lambda c: (-c.count, c.key))
    return found


def by_month(days: Sequence[Count]) -> list[Count]:
    """Counts of days, in order, as counts of months."""
    found: dict[str, int] = {}
    for day in days:
        month = day.key[:7]
        found[month] = found.get(month, 0) + day.count
    return [Count(month, count) for month, count in found.items()]


async def deadline_results(session: AsyncSession, selection: Selection) -> dict[str, dict[str, int]]:
    """What became of deadlines: `{step: {result: count}}`. What is nought is left out."""
    columns = deadlines.c.step, deadlines.c.result
    query = _where(deadlines, select(*columns, _sum(deadlines.c["count"])), selection).group_by(*columns)
    found: dict[str, dict[str, int]] = {}
    for step, result, n in (await session.execute(query)).all():
        if n:
            found.setdefault(step, {})[result] = int(n)
    return found


def _sum(column: Any) -> Any:
    return func.sum(column)


def _where(table: Table, query: Select[Any], selection: Selection) -> Select[Any]:
    if selection.since:
        query = query.where(table.c.day >= selection.since)
    if selection.until:
        query = query.where(table.c.day <= selection.until)
    for name in ("channel", "category", "department"):
        if (wanted := getattr(selection, name)) is not None:
            query = query.where(table.c[name] == wanted)
    return query
