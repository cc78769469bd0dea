"""The read model as files: complaints, deadlines, counters.

A complaint leaves without the hash that stands for its person, without its officer, and without the fact as events have
made it: what figures are counted from, and no more.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import IO, Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting import store
from services.reporting.domain.place import DIMENSIONS, FILTERS
from services.reporting.domain.selection import Selection, cut
from services.reporting.figures import reading
from services.reporting.store import exporting
from services.reporting.usecases.files import Column, Csv, Parquet, Row, Writer
from services.reporting.usecases.spool import Spool
from shared import audit
from shared.db import Database
from shared.errors import FieldError, Invalid, Unavailable

Table = Literal["complaints", "deadlines", "figures"]
Format = Literal["csv", "parquet"]
AT_ONCE = 2
"""Exports that one process reads from the database at the same time; others are told to come back."""

_DAYS = ("acknowledged", "responded", "resolved", "closed", "reopened", "disputed", "rated")
COMPLAINTS = (
    Column("complaint_id"),
    Column("reference"),
    Column("received_at", "time"),
    Column("day", "day"),
    *(Column(f"{name}_day", "day") for name in _DAYS),
    *(Column(name) for name in DIMENSIONS),
    *(Column(f"to_{name}", "number") for name in ("acknowledge", "respond", "close")),
    Column("redress", "amount"),
    Column("currency"),
    *(Column(name, "number") for name in ("overall", "staff", "product_rating", "handling")),
    Column("status"),
)
_PLACE = ("complaint_id", "reference", "day", *FILTERS, "severity", "jurisdiction", "vulnerable")
DEADLINES = (
    *(Column(name, "day" if name == "day" else "text") for name in _PLACE),
    Column("key"),
    Column("step"),
    Column("rule"),
    Column("kind"),
    Column("is_primary", "yes_no"),
    Column("result"),
)
FIGURES = (
    Column("grain"),
    Column("basis"),
    Column("filter"),
    Column("filter_code"),
    Column("dimension"),
    Column("day", "day"),
    Column("code"),
    Column("count", "number"),
)
_NARROWED = (*FILTERS, "vulnerable")
_GRAINS = {"d": "day", "m": "month"}


class TooMany(Unavailable):
    """As many exports are being made as may be at once; ask again in a little while."""

    code = "too_many_exports"
    retry_after = 30


class NotCounted(Invalid):
    """There are no counters of complaints chosen so; export complaints instead."""

    code = "not_counted"


@dataclass(slots=True)
class Running:
    """How many exports one process is reading."""

    count: int = 0

    def ended(self) -> None:
        self.count -= 1


async def export(
    db: Database,
    table: Table,
    format: Format,
    chosen: Selection,
    *,
    running: Running,
    actor: str,
    now: datetime,
) -> Spool:
    """The file, of which the first rows are there. That it was asked for, by whom and for which complaints, is in the
    audit trail before a row is read. Raises TooMany, NotCounted, Unavailable."""
    if table == "figures":
        _narrowing(chosen)
    if running.count >= AT_ONCE:
        raise TooMany
    running.count += 1
    asked = {"from": chosen.since, "to": chosen.until, **chosen.where}
    detail = {"format": format, "where": {name: str(value) for name, value in asked.items() if value is not None}}
    try:
        async with db.transaction() as tx:
            audit.add(tx, actor, "figures.exported", table, now=now, detail=detail)
    except BaseException:
        running.ended()
        raise
    columns, batches = _TABLES[table]
    make = _WRITERS[format]
    spool = Spool(_of_one_moment(db, batches, chosen), lambda file: make(file, columns), running.ended)
    await spool.ready()
    return spool


_WRITERS: dict[Format, Callable[[IO[bytes], Sequence[Column]], Writer]] = {"csv": Csv, "parquet": Parquet}
Batches = Callable[[AsyncSession, Selection], AsyncIterator[Sequence[Row]]]


async def _of_one_moment(db: Database, batches: Batches, chosen: Selection) -> AsyncGenerator[Sequence[Row]]:
    async with db.reading() as session:
        await reading.agree(session)
        async for rows in batches(session, chosen):
            yield rows


async def _complaints(session: AsyncSession, chosen: Selection) -> AsyncIterator[Sequence[Row]]:
    names = [column.name for column in COMPLAINTS]
    money = names.index("redress")
    query = reading.narrowed(select(*(store.facts.c[name] for name in names)), "day", chosen)
    async for rows in exporting.batches(session, query, store.facts, ("day", "complaint_id")):
        yield await asyncio.to_thread(_with_amounts, rows, money)


def _with_amounts(rows: Sequence[Row], place: int) -> list[Row]:
    return [_with_amount(row, place) for row in rows]


def _with_amount(row: Row, place: int) -> Row:
    units = row[place]
    return row if units is None else (*row[:place], Decimal(units).scaleb(-4), *row[place + 1 :])


async def _deadlines(session: AsyncSession, chosen: Selection) -> AsyncIterator[Sequence[Row]]:
    slot = await exporting.live(session)
    query = reading.narrowed(select(*(store.facts.c[name] for name in _PLACE)), "day", chosen)
    async for rows in exporting.batches(session, query, store.facts, ("day", "complaint_id")):
        theirs = await exporting.deadlines_of(session, slot, [row[0] for row in rows])
        yield [(*row, *one[1:]) for row in rows for one in theirs.get(row[0], ())]


async def _figures(session: AsyncSession, chosen: Selection) -> AsyncIterator[Sequence[Row]]:
    slot = await exporting.live(session)
    parts = cut(chosen.since, chosen.until)
    days = {"d": (chosen.since, chosen.until), "m": parts.months}
    narrowing = _narrowing(chosen)
    for grain, between in days.items():
        if between is None or (narrowing and grain == "d"):  # narrowed ones are kept by month alone
            continue
        query = exporting.cells(slot, grain, between, narrowing)
        async for rows in exporting.batches(session, query, store.counters, ("series", "day", "code")):
            yield [cell for row in rows if (cell := _counter(row, narrowing))]


def _narrowing(chosen: Selection) -> str:
    """How series are narrowed that `chosen` means, as it stands in their names; nothing for all. Raises NotCounted."""
    where = chosen.where
    if not where:
        return ""
    name = next(iter(where))
    if len(where) > 1 or name not in _NARROWED:
        reason = f"counters are narrowed by one of {', '.join(_NARROWED)}, and by one alone"
        raise NotCounted(errors=tuple(FieldError(one, reason) for one in where))
    return f"{name}={where[name]}"


def _counter(row: Any, narrowing: str) -> Row | None:
    """A counter's name taken apart: codes may hold a colon, dimensions do not."""
    grain, basis, rest = row.series.split(":", 2)
    narrowed, _, dimension = rest.rpartition(":")
    if narrowing and narrowed != narrowing:
        return None
    filter, _, code = narrowed.partition("=")
    return (_GRAINS[grain], basis, filter or None, code if filter else None, dimension, row.day, row.code, row.count)


_TABLES: dict[Table, tuple[tuple[Column, ...], Batches]] = {
    "complaints": (COMPLAINTS, _complaints),
    "deadlines": (DEADLINES, _deadlines),
    "figures": (FIGURES, _figures),
}
