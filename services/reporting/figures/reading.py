"""Counts: from the counters where they are kept, else from the rows.

Counted from the counters, whatever the number of complaints: all complaints of any period, and those narrowed to one
code (`domain.place.narrows`) over whole months. From the rows, by index on the day: the days at the edges of a
period that begins or ends within a month, complaints narrowed by several codes or by another dimension, and what has
no counters, such as decisions by language.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import CompoundSelect, Select, bindparam, func, literal, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from services.reporting.domain import selection as periods
from services.reporting.domain.place import BASES, counted, daily, narrows, series
from services.reporting.domain.selection import Selection, cut
from services.reporting.store import counters, deadlines, facts, read_model

LIVE = select(read_model.c.live).scalar_subquery()
# Every complaint is once in each dimension of its basis, so for a total any will do: the fewer its codes, the better.
_FEW = ("state", "vulnerable", "channel", "department")


async def agree(session: AsyncSession) -> None:
    """Let all that `session` reads from here on be of one moment, so that the figures of a page fit together and none
    is of a read model that is being taken down. To be called before it reads. On SQLite a transaction does so by
    itself."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


async def counts(session: AsyncSession, basis: str, dimension: str, chosen: Selection) -> Counter[str]:
    """How many there are under each code of `dimension`: complaints of `basis` on its day, with a measure's values as
    codes; deadlines (`deadline`) by step, rule or department on the day of receipt; or amounts (`redress`), in
    `domain.fact.REDRESS_UNIT`, by `` (of all) or a dimension. What is nought is left out."""
    where = dict(chosen.where)
    code = where.pop(dimension, None)
    found: Counter[str] = Counter()
    for query in _queries(basis, dimension, where, chosen):
        for key, n in (await session.execute(query)).all():
            found[str(key)] += int(n)
    return Counter({key: n for key, n in found.items() if n and code in (None, _own(basis, key))})


def _own(basis: str, key: str) -> str:
    """The code of the dimension, without the result of a deadline or the currency of an amount."""
    return key if basis in BASES else key.rpartition("/")[0]


def _queries(basis: str, dimension: str, where: dict[str, str], chosen: Selection) -> list[Select[Any]]:
    """Queries of codes with their counts; `where` are the narrowings beside that to a code of `dimension` itself."""
    kept = all(narrows(name, basis, dimension) for name in where) if where else counted(basis, dimension)
    if len(where) > 1 or not kept:
        return [_rows(basis, dimension, chosen)]
    only = next(iter(where.items()), None)
    if only is not None and daily(basis, dimension):
        return [_cells(series("d", basis, dimension, only), chosen.since, chosen.until)]
    parts = cut(chosen.since, chosen.until)
    if only is None:
        found = [_cells(series("d", basis, dimension), *days) for days in parts.days]
    else:
        found = [_rows(basis, dimension, chosen.over(*days)) for days in parts.days]
    if parts.months is not None:
        found.append(_cells(series("m", basis, dimension, only), *parts.months))
    return found


async def over_time(session: AsyncSession, basis: str, grain: str, chosen: Selection) -> dict[str, int]:
    """How many complaints of `basis` there are in each day, month, quarter or year, in order. Periods without any are
    left out; the first and the last may be cut off by the selection."""
    (by_day,) = await _by_day(session, basis, grain, [chosen])
    found: Counter[str] = Counter()
    for day, n in sorted(by_day.items()):
        found[periods.name(day, grain)] += n
    return {key: n for key, n in found.items() if n}


async def totals(session: AsyncSession, basis: str, every: Sequence[Selection]) -> list[int]:
    """How many complaints of `basis` there are in each of these selections. What the counters know is one statement,
    whatever the number of selections."""
    return [by_day.total() for by_day in await _by_day(session, basis, "year", every)]


async def _by_day(session: AsyncSession, basis: str, grain: str, every: Sequence[Selection]) -> list[Counter[date]]:
    """For each selection its counts by day, or by the first day of a month."""
    found = [Counter[date]() for _ in every]
    places = [_daily(basis, grain, chosen) for chosen in every]
    for n, place in enumerate(places):
        if isinstance(place, Select):
            for day, count in await session.execute(place):
                found[n][day] += int(count)
    cells = [(n, one) for n, place in enumerate(places) if not isinstance(place, Select) for one in place]
    if cells:
        query = _sums(tuple(one.code is not None for _, one in cells))
        values: dict[str, str | date] = {}
        for at, (_, one) in enumerate(cells):
            values |= {
                f"series{at}": one.series,
                f"since{at}": one.since or date.min,
                f"until{at}": one.until or date.max,
            }
            if one.code is not None:
                values[f"code{at}"] = one.code
        for part, day, count in (await session.execute(query, values)).all():
            found[cells[part][0]][day] += int(count)
    return found


class _Stretch(NamedTuple):
    """Counters of one series, of one code or of all, over some days."""

    series: str
    code: str | None
    since: date | None
    until: date | None


@lru_cache(maxsize=64)
def _sums(coded: tuple[bool, ...]) -> CompoundSelect[int, date, int]:
    """A statement for as many `_Stretch` as there are of `coded`, true for those of one code. Kept, because making it
    takes longer than what it asks for."""
    return union_all(*(_part(at, with_code) for at, with_code in enumerate(coded)))


def _part(at: int, with_code: bool) -> Select[int, date, int]:
    cell = counters.c
    query = select(literal(at), cell.day, func.sum(cell["count"])).where(
        cell.slot == LIVE,
        cell.series == bindparam(f"series{at}"),
        cell.day.between(bindparam(f"since{at}"), bindparam(f"until{at}")),
    )
    if with_code:
        query = query.where(cell.code == bindparam(f"code{at}"))
    return query.group_by(cell.day)


def _daily(basis: str, grain: str, chosen: Selection) -> Select[Any] | list[_Stretch]:
    """Where days, or first days of months, with their counts are."""
    which = BASES[basis]
    where = dict(chosen.where)
    if not where:
        dimension, code = next(d for d in _FEW if d in which.dimensions), None
    elif len(where) == 1 and (only := next(iter(where))) in which.dimensions:
        dimension, code = only, where[only]
    elif len(where) == 2 and (pair := _in_days(basis, where)):
        dimension, other = pair
        name = series("d", basis, dimension, (other, where[other]))
        return [_Stretch(name, where[dimension], chosen.since, chosen.until)]
    else:
        return _rows_by_day(basis, chosen)
    if grain == "day":
        return [_Stretch(series("d", basis, dimension), code, chosen.since, chosen.until)]
    parts = cut(chosen.since, chosen.until)
    found = [_Stretch(series("d", basis, dimension), code, *days) for days in parts.days]
    if parts.months is not None:
        found.append(_Stretch(series("m", basis, dimension), code, *parts.months))
    return found


def _in_days(basis: str, where: dict[str, str]) -> tuple[str, str] | None:
    """A dimension and the one that it is narrowed by, if there are counters of that by day."""
    pairs = ((dimension, other) for dimension in where for other in where if daily(basis, dimension))
    return next(((dimension, other) for dimension, other in pairs if narrows(other, basis, dimension)), None)


def _cells(name: str, since: date | None, until: date | None) -> Select[Any]:
    query = select(counters.c.code, func.sum(counters.c["count"]))
    return _between(query.where(*_of(name)), counters.c.day, since, until).group_by(counters.c.code)


def _of(name: str) -> tuple[ColumnElement[bool], ...]:
    return counters.c.slot == LIVE, counters.c.series == name


def _rows(basis: str, dimension: str, chosen: Selection) -> Select[Any]:
    if basis == "deadline":
        return _deadline_rows(dimension, chosen)
    if basis == "redress":
        code = facts.c.currency if not dimension else facts.c[dimension] + literal("/") + facts.c.currency
        query = select(code, func.sum(facts.c.redress)).where(facts.c.redress.is_not(None))
        return narrowed(query, "resolved_day", chosen).group_by(code)
    column = facts.c[dimension]
    query = select(column, func.count()).where(column.is_not(None))
    return narrowed(query, BASES[basis].day, chosen).group_by(column)


def _rows_by_day(basis: str, chosen: Selection) -> Select[Any]:
    column = facts.c[BASES[basis].day]
    return narrowed(select(column, func.count()), column.name, chosen).group_by(column)


def _deadline_rows(dimension: str, chosen: Selection) -> Select[Any]:
    slash = literal("/")
    code = {
        "step": deadlines.c.step + slash + deadlines.c.result,
        "department": facts.c.department + slash + deadlines.c.result,
        "rule": deadlines.c.rule + slash + deadlines.c.step + slash + deadlines.c.result,
    }[dimension]
    same = (deadlines.c.slot == facts.c.slot) & (deadlines.c.complaint_id == facts.c.complaint_id)
    query = select(code, func.count()).select_from(facts).join(deadlines, same)
    if dimension != "rule":
        query = query.where(deadlines.c.is_primary)
    return narrowed(query, "day", chosen).group_by(code)


def narrowed(query: Select[Any], day: str, chosen: Selection) -> Select[Any]:
    """`query` of facts, of those that `chosen` means by their column `day`; those whose receipt is not known are not
    counted."""
    query = query.where(facts.c.slot == LIVE, facts.c.day.is_not(None), facts.c[day].is_not(None))
    query = query.where(*(facts.c[name] == code for name, code in chosen.where.items()))
    return _between(query, facts.c[day], chosen.since, chosen.until)


def _between(query: Select[Any], column: ColumnElement[date], since: date | None, until: date | None) -> Select[Any]:
    if since is not None:
        query = query.where(column >= since)
    if until is not None:
        query = query.where(column <= until)
    return query
