"""The figures, read from the counters: the work does not grow with the number of complaints but of cells that they
fall into."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from sqlalchemy import Select, Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain.counting import MISSED, OPEN, Selection
from services.reporting.store import deadlines, margins, volume

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
    by_outcome = await _counts(session, "outcome", selection)
    this_day = replace(selection, since=today, until=today)
    on_day = await _counts(session, "outcome", this_day)
    results = await deadline_results(session, selection)
    return Totals(
        total=sum(by_outcome.values()),
        today=sum(on_day.values()),
        open=by_outcome.get(OPEN, 0),
        missed=sum(counts.get(MISSED, 0) for counts in results.values()),
        on=today,
    )


async def volumes(session: AsyncSession, by: Kind, selection: Selection) -> list[Count]:
    """Complaints by one dimension; by time in order, else the largest first. What is nought is left out."""
    if by in ("day", "month"):
        counts = await _counts(session, "day", selection)
        days = [Count(day.isoformat(), n) for day, n in sorted(counts.items())]
        return by_month(days) if by == "month" else days
    counts = await _counts(session, by, selection)
    return sorted((Count(key, n) for key, n in counts.items()), key=lambda c: (-c.count, c.key))


def by_month(days: Sequence[Count]) -> list[Count]:
    """Counts of days, in order, as counts of months."""
    found: dict[str, int] = {}
    for day in days:
        month = day.key[:7]
        found[month] = found.get(month, 0) + day.count
    return [Count(month, count) for month, count in found.items()]


async def deadline_results(session: AsyncSession, selection: Selection) -> dict[str, dict[str, int]]:
    """What became of deadlines: `{step: {result: count}}`. What is nought is left out."""
    if selection.narrowed:
        columns = deadlines.c.step, deadlines.c.result
        query = _where(deadlines, select(*columns, _sum(deadlines)), selection).group_by(*columns)
        rows = [(step, result, n) for step, result, n in (await session.execute(query)).all()]
    else:
        query = _where(margins, select(margins.c.code, _sum(margins)), selection).group_by(margins.c.code)
        found = (await session.execute(query.where(margins.c.dimension == "deadline"))).all()
        rows = [(*code.split("/"), n) for code, n in found]
    results: dict[str, dict[str, int]] = {}
    for step, result, n in rows:
        if n:
            results.setdefault(step, {})[result] = int(n)
    return results


async def _counts(session: AsyncSession, by: str, selection: Selection) -> dict[Any, int]:
    """Complaints by a column of `volume`; without a narrower choice than a period, from the margins, which are few."""
    if selection.narrowed:
        column: Any = volume.c[by]
        query = _where(volume, select(column, _sum(volume)), selection)
    else:
        # every complaint is once in each dimension's margin, so by day any of them will do
        column = margins.c.day if by == "day" else margins.c.code
        query = _where(margins, select(column, _sum(margins)), selection)
        query = query.where(margins.c.dimension == ("outcome" if by == "day" else by))
    rows = (await session.execute(query.group_by(column))).all()
    return {key: int(n) for key, n in rows if n}


def _sum(table: Table) -> Any:
    return func.sum(table.c["count"])


def _where(table: Table, query: Select[Any], selection: Selection) -> Select[Any]:
    if selection.since:
        query = query.where(table.c.day >= selection.since)
    if selection.until:
        query = query.where(table.c.day <= selection.until)
    for name in ("channel", "category", "department"):
        if (wanted := getattr(selection, name)) is not None:
            query = query.where(table.c[name] == wanted)
    return query
