"""Where a fact counts: its row as figures see it, and the cells of the counters that it falls into.

A *basis* says what is counted and on which day: complaints `received`, `closed`, `reopened`, ... Each day is that of
the bank's zone. A *series* is a basis by one dimension, of all complaints or of those with one code of a filter; a
cell is a code of a series in one day or one month. When a fact changes, the cells that it leaves go down and those
that it enters go up, so figures are read without looking at complaints.

Of all complaints there are counters by day and by month; of filtered ones by month alone, as there are too many pairs
to keep by day: the days of a period that begins or ends within a month are counted from the rows (see `figures`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.reporting.domain.fact import ASPECTS, Fact

# The codes of what is not known, or not yet.
UNCLASSIFIED, UNROUTED, OPEN, UNSTATED = "unclassified", "unrouted", "open", "unstated"

DIMENSIONS = (
    "channel",
    "category",
    "product",
    "department",
    "branch",
    "severity",
    "language",
    "jurisdiction",
    "outcome",
    "root_cause",
    "state",
    "vulnerable",
    "repeat",
)
FILTERS = ("channel", "category", "product", "department", "branch")
"""Dimensions by which counters are narrowed."""
_PAIRED = (*FILTERS, "severity", "outcome", "root_cause", "state")  # dimensions of which there are narrowed counters


class Place(NamedTuple):
    """A fact as figures see it: one row of `fact`. Days are None for what has not happened; `to_...` is the
    time from receipt, in minutes on the grid of `on_grid`; ratings are 1 to 5. Every dimension has a code."""

    day: date | None
    acknowledged_day: date | None
    responded_day: date | None
    resolved_day: date | None
    closed_day: date | None
    reopened_day: date | None
    disputed_day: date | None
    rated_day: date | None
    channel: str
    category: str
    product: str
    department: str
    branch: str
    severity: str
    language: str
    jurisdiction: str
    outcome: str
    root_cause: str
    state: str
    vulnerable: str
    repeat: str
    to_acknowledge: int | None
    to_respond: int | None
    to_close: int | None
    redress: int | None
    currency: str | None
    overall: int | None
    staff: int | None
    product_rating: int | None
    handling: int | None
    assignee: str | None
    status: str


def on_grid(minutes: int) -> int:
    """A duration as figures tell it apart: rounded down to whole minutes below an hour, to whole hours below three
    days, to whole days beyond. Before the receipt (a letter answered by telephone on its way): nought."""
    if minutes < 60:
        return max(minutes, 0)
    unit = 60 if minutes < 72 * 60 else 24 * 60
    return minutes // unit * unit


def place(fact: Fact, zone: ZoneInfo) -> Place:
    """`fact` as figures see it; days are those of `zone`."""

    def day(at: datetime | None) -> date | None:
        return None if at is None else at.astimezone(zone).date()

    def taken(at: datetime | None) -> int | None:
        if at is None or fact.received_at is None:
            return None
        return on_grid(int((at - fact.received_at).total_seconds() // 60))

    closed_at = fact.closed_at if fact.closed else None
    decided = fact.decided
    paid = decided and bool(fact.redress) and fact.currency is not None
    return Place(
        day=day(fact.received_at),
        acknowledged_day=day(fact.acknowledged_at),
        responded_day=day(fact.responded_at),
        resolved_day=day(fact.resolved_at) if decided else None,
        closed_day=day(closed_at),
        reopened_day=day(fact.reopened_at),
        disputed_day=day(fact.disputed_at),
        rated_day=day(fact.rated_at),
        channel=fact.channel or UNSTATED,
        category=fact.category or UNCLASSIFIED,
        product=fact.product or UNSTATED,
        department=fact.department or UNROUTED,
        branch=fact.branch or UNSTATED,
        severity=fact.severity or UNCLASSIFIED,
        language=fact.language or UNSTATED,
        jurisdiction=fact.jurisdiction or UNSTATED,
        outcome=(fact.outcome or OPEN) if decided else OPEN,
        root_cause=(fact.root_cause or OPEN) if decided else OPEN,
        state="closed" if fact.closed else "open",
        vulnerable="yes" if fact.vulnerable else "no",
        repeat="yes" if fact.repeat else "no",
        to_acknowledge=taken(fact.acknowledged_at),
        to_respond=taken(fact.responded_at),
        to_close=taken(closed_at),
        redress=fact.redress if paid else None,
        currency=fact.currency if paid else None,
        overall=fact.ratings.get("overall"),
        staff=fact.ratings.get("staff"),
        product_rating=fact.ratings.get("product"),
        handling=fact.ratings.get("handling"),
        assignee=fact.officer,
        status=fact.status,
    )


@dataclass(frozen=True, slots=True)
class Basis:
    """What is counted: the complaints that have a `day`, on it, by each of `dimensions`. `measures` are columns whose
    values are counted as dimensions are, so that medians and means can be read off."""

    name: str
    day: str
    dimensions: tuple[str, ...]
    measures: tuple[str, ...] = ()


RATING = {"overall": "overall", "staff": "staff", "product": "product_rating", "handling": "handling"}
"""The column of each aspect."""
assert tuple(RATING) == ASPECTS

BASES = {
    b.name: b
    for b in (
        Basis("received", "day", DIMENSIONS),
        Basis("acknowledged", "acknowledged_day", ("department",), ("to_acknowledge",)),
        Basis("responded", "responded_day", ("department",), ("to_respond",)),
        Basis("resolved", "resolved_day", (*FILTERS, "vulnerable", "outcome", "root_cause")),
        Basis("closed", "closed_day", (*FILTERS, "vulnerable", "outcome", "root_cause", "severity"), ("to_close",)),
        Basis("reopened", "reopened_day", (*FILTERS, "vulnerable")),
        Basis("disputed", "disputed_day", (*FILTERS, "vulnerable")),
        Basis("rated", "rated_day", ("department",), tuple(RATING.values())),
    )
}
DEADLINES = ("step", "rule", "department")
"""By what deadlines are counted, on the day of the complaint's receipt; a code is `<code>/<result>`, of `rule`
`<rule>/<step>/<result>`. By step and department those of the primary clock alone, by rule those of all clocks."""
_COMPARED = {("resolved", "outcome"), ("closed", "to_close"), ("deadline", "step")}  # for vulnerable customers


def narrows(filter: str, basis: str, dimension: str) -> bool:
    """Whether there are counters, by month, of `dimension` narrowed to one code of `filter`."""
    if filter == "vulnerable":
        return (basis, dimension) in _COMPARED
    if filter not in FILTERS or filter == dimension:
        return False
    if basis == "deadline":
        return dimension == "step" or (dimension == "rule" and filter == "department")
    if basis == "redress":
        return dimension == ""
    return dimension in _PAIRED or dimension in BASES[basis].measures


class Cell(NamedTuple):
    """`series` is `d:` or `m:` for the grain, basis, filter and dimension; `day` of a month is its first."""

    series: str
    day: date
    code: str


def series(grain: str, basis: str, dimension: str, filter: tuple[str, str] | None = None) -> str:
    """The name of a series. `filter` is a dimension and its code."""
    narrowed = f"{filter[0]}={filter[1]}" if filter else ""
    return f"{grain}:{basis}:{narrowed}:{dimension}"


class _Counter(NamedTuple):
    """One thing that is counted: a basis by a dimension, narrowed or not."""

    basis: str
    day: str
    dimension: str
    filter: str | None


def _counters() -> Iterator[_Counter]:
    for basis in BASES.values():
        for dimension in (*basis.dimensions, *basis.measures):
            yield _Counter(basis.name, basis.day, dimension, None)
            for name in (*FILTERS, "vulnerable"):
                if narrows(name, basis.name, dimension):
                    yield _Counter(basis.name, basis.day, dimension, name)


_COUNTERS = tuple(_counters())
# Which counters move when one value of a place changes: when an event changes little, little is counted anew.
_MOVED_BY = {
    name: frozenset(i for i, one in enumerate(_COUNTERS) if name in (one.day, one.dimension, one.filter))
    for name in Place._fields
}
_ALL = frozenset(range(len(_COUNTERS)))
_DEADLINES_MOVED_BY = {"day", "department", "vulnerable", *FILTERS}
_REDRESS_MOVED_BY = {"resolved_day", "redress", "currency", "root_cause", *FILTERS}


def cells(fact: Fact, at: Place) -> Iterator[tuple[Cell, int]]:
    """Where `fact`, which is placed `at`, counts, and how much: nowhere until its receipt is known."""
    if at.day is not None:
        yield from _complaint(at, _ALL)
        yield from _redress(at)
        yield from _deadlines(fact, at, at.day)


def _complaint(at: Place, which: Iterable[int]) -> Iterator[tuple[Cell, int]]:
    for i in which:
        basis, day_of, dimension, filter = _COUNTERS[i]
        day: date | None = getattr(at, day_of)
        if day is None or (code := getattr(at, dimension)) is None:
            continue
        if filter is None:
            yield Cell(f"d:{basis}::{dimension}", day, str(code)), 1
            yield Cell(f"m:{basis}::{dimension}", day.replace(day=1), str(code)), 1
        else:
            yield Cell(f"m:{basis}:{filter}={getattr(at, filter)}:{dimension}", day.replace(day=1), str(code)), 1


def _redress(at: Place) -> Iterator[tuple[Cell, int]]:
    if at.resolved_day is None or not at.redress or not at.currency:
        return
    day, month, by = at.resolved_day, at.resolved_day.replace(day=1), at.redress
    for name in ("", *FILTERS, "root_cause"):
        code = f"{getattr(at, name)}/{at.currency}" if name else at.currency
        yield Cell(f"d:redress::{name}", day, code), by
        yield Cell(f"m:redress::{name}", month, code), by
    for name in FILTERS:
        yield Cell(f"m:redress:{name}={getattr(at, name)}:", month, at.currency), by


def _deadlines(fact: Fact, at: Place, day: date) -> Iterator[tuple[Cell, int]]:
    month = day.replace(day=1)
    for deadline in fact.deadlines.values():
        result = deadline.result
        counted = {"rule": f"{deadline.rule or UNSTATED}/{deadline.step}/{result}"}
        if deadline.primary:
            counted |= {"step": f"{deadline.step}/{result}", "department": f"{at.department}/{result}"}
        for dimension, code in counted.items():
            yield Cell(f"d:deadline::{dimension}", day, code), 1
            yield Cell(f"m:deadline::{dimension}", month, code), 1
            for name in (*FILTERS, "vulnerable"):
                if narrows(name, "deadline", dimension):
                    yield Cell(f"m:deadline:{name}={getattr(at, name)}:{dimension}", month, code), 1


def tally(facts: Iterable[Fact], zone: ZoneInfo) -> Counter[Cell]:
    """What the counters must say of `facts`."""
    found: Counter[Cell] = Counter()
    for fact in facts:
        for cell, by in cells(fact, place(fact, zone)):
            found[cell] += by
    return found


def change(pairs: Iterable[tuple[Fact, Fact]], zone: ZoneInfo) -> dict[Cell, int]:
    """By how much each cell moves when facts go from before to after; cells that stay are left out."""
    moved: Counter[Cell] = Counter()
    for before, after in pairs:
        was, now = place(before, zone), place(after, zone)
        if now.day is None:
            continue
        changed = {name for name, a, b in zip(Place._fields, was, now, strict=True) if a != b}
        which = _ALL if was.day is None else frozenset().union(*(_MOVED_BY[name] for name in changed))
        redress = was.day is None or not changed.isdisjoint(_REDRESS_MOVED_BY)
        deadlines = not changed.isdisjoint(_DEADLINES_MOVED_BY) or before.deadlines != after.deadlines
        for fact, at, sign in ((before, was, -1), (after, now, 1)):
            if at.day is None:
                continue
            for cell, by in _complaint(at, which):
                moved[cell] += sign * by
            if redress:
                for cell, by in _redress(at):
                    moved[cell] += sign * by
            if deadlines:
                for cell, by in _deadlines(fact, at, at.day):
                    moved[cell] += sign * by
    return {cell: by for cell, by in moved.items() if by}
