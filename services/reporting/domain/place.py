"""Where a fact counts: its row as figures see it, and the cells of the counters that it falls into.

A *basis* says what is counted and on which day: complaints `received`, `closed`, `reopened`, ... Each day is that of
the bank's zone. A *series* is a basis by one dimension, of all complaints or of those with one code of a filter; a
cell is a code of a series in one day or one month. When a fact changes, the cells that it leaves go down and those
that it enters go up, so figures are read without looking at complaints.

Of all complaints there are counters by day and by month; of filtered ones by month alone, as there are too many pairs
to keep by day: the days of a period that begins or ends within a month are counted from the rows (see `figures`). But
filtered complaints received are counted by state day by day, so that the age of what is open can be told of each.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from services.reporting.domain.fact import ASPECTS, Deadline, Fact

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
_PAIRED = (*FILTERS, "severity", "outcome", "root_cause")  # with narrowed counters whatever the basis


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
REDRESS = ("", *FILTERS, "root_cause")
"""By what redress is summed, on the day of the decision; a code is `<code>/<currency>`, of `` the currency alone."""
_COMPARED = {("resolved", "outcome"), ("closed", "to_close"), ("deadline", "step")}  # for vulnerable customers


def counted(basis: str, dimension: str) -> bool:
    """Whether there are counters of all complaints by `dimension`."""
    if basis == "deadline":
        return dimension in DEADLINES
    if basis == "redress":
        return dimension in REDRESS
    return dimension in BASES[basis].dimensions or dimension in BASES[basis].measures


@lru_cache(maxsize=1024)
def narrows(filter: str, basis: str, dimension: str) -> bool:
    """Whether there are counters of `dimension` narrowed to one code of `filter`: by day where `daily`, else by
    month."""
    if filter == "vulnerable":
        return (basis, dimension) in _COMPARED
    if filter not in FILTERS or filter == dimension or not counted(basis, dimension):
        return False
    if basis == "deadline":
        return dimension == "step" or (dimension == "rule" and filter == "department")
    if basis == "redress":
        return dimension == ""
    return basis == "received" or dimension in _PAIRED or dimension in BASES[basis].measures


def daily(basis: str, dimension: str) -> bool:
    """Whether the narrowed counters of `dimension` are by day, and not by month."""
    return (basis, dimension) == ("received", "state")


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
    """One thing that is counted, by day (`d`) or month (`m`): a basis by a dimension, narrowed or not. `day`, `code`
    and `filter` are where a place has them."""

    grain: str
    basis: str
    dimension: str
    day: int
    code: int
    filter: int | None


def _counters() -> Iterator[_Counter]:
    at = Place._fields.index
    for basis in BASES.values():
        for dimension in (*basis.dimensions, *basis.measures):
            for grain in "dm":
                yield _Counter(grain, basis.name, dimension, at(basis.day), at(dimension), None)
            grain = "d" if daily(basis.name, dimension) else "m"
            for name in (*FILTERS, "vulnerable"):
                if narrows(name, basis.name, dimension):
                    yield _Counter(grain, basis.name, dimension, at(basis.day), at(dimension), at(name))


_COUNTERS = tuple(_counters())
# Which counters move when one value of a place changes: when an event changes little, little is counted anew.
_MOVED_BY = tuple(
    frozenset(n for n, one in enumerate(_COUNTERS) if i in (one.day, one.code, one.filter))
    for i in range(len(Place._fields))
)
_ALL = frozenset(range(len(_COUNTERS)))
_NARROWED_DEADLINES = {d: [n for n in (*FILTERS, "vulnerable") if narrows(n, "deadline", d)] for d in DEADLINES}
_DEADLINES_MOVED_BY = {Place._fields.index(name) for name in ("day", "department", "vulnerable", *FILTERS)}
_REDRESS_MOVED_BY = {
    Place._fields.index(name) for name in ("resolved_day", "redress", "currency", "root_cause", *FILTERS)
}


def cells(fact: Fact, at: Place) -> Iterator[tuple[Cell, int]]:
    """Where `fact`, which is placed `at`, counts, and how much: nowhere until its receipt is known."""
    if at.day is not None:
        yield from _complaint(at, _ALL)
        yield from _redress(at)
        yield from _deadlines(at, fact.deadlines.values())


def _complaint(at: Place, which: Iterable[int]) -> Iterator[tuple[Cell, int]]:
    for i in which:
        grain, basis, dimension, day_at, code_at, filter_at = _COUNTERS[i]
        day: Any = at[day_at]
        code = at[code_at]
        if day is not None and code is not None:
            only = None if filter_at is None else (Place._fields[filter_at], at[filter_at])
            yield Cell(_name(grain, basis, dimension, only), day if grain == "d" else _month(day), str(code)), 1


def _redress(at: Place) -> Iterator[tuple[Cell, int]]:
    if at.resolved_day is None or not at.redress or not at.currency:
        return
    day, month, by = at.resolved_day, _month(at.resolved_day), at.redress
    for name in REDRESS:
        code = f"{getattr(at, name)}/{at.currency}" if name else at.currency
        yield Cell(_name("d", "redress", name), day, code), by
        yield Cell(_name("m", "redress", name), month, code), by
    for name in FILTERS:
        yield Cell(_name("m", "redress", "", (name, getattr(at, name))), month, at.currency), by


def _deadlines(at: Place, deadlines: Iterable[Deadline]) -> Iterator[tuple[Cell, int]]:
    assert at.day is not None
    month = _month(at.day)
    for deadline in deadlines:
        result = deadline.result
        codes = {"rule": f"{deadline.rule or UNSTATED}/{deadline.step}/{result}"}
        if deadline.primary:
            codes |= {"step": f"{deadline.step}/{result}", "department": f"{at.department}/{result}"}
        for dimension, code in codes.items():
            yield Cell(_name("d", "deadline", dimension), at.day, code), 1
            yield Cell(_name("m", "deadline", dimension), month, code), 1
            for name in _NARROWED_DEADLINES[dimension]:
                yield Cell(_name("m", "deadline", dimension, (name, getattr(at, name))), month, code), 1


_name = lru_cache(maxsize=1 << 16)(series)


@lru_cache(maxsize=1 << 12)
def _month(day: date) -> date:
    return day.replace(day=1)


def tally(facts: Iterable[Fact], zone: ZoneInfo) -> Counter[Cell]:
    """What the counters must say of `facts`."""
    found: Counter[Cell] = Counter()
    for fact in facts:
        for cell, by in cells(fact, place(fact, zone)):
            found[cell] += by
    return found


def change(pairs: Iterable[tuple[Fact, Fact]], zone: ZoneInfo) -> dict[Cell, int]:
    """By how much each cell moves when facts go from before to after; cells that stay are left out."""
    moved: dict[Cell, int] = {}
    for before, after in pairs:
        was, now = place(before, zone), place(after, zone)
        if now.day is None:
            continue
        changed = {i for i, (a, b) in enumerate(zip(was, now, strict=True)) if a != b}
        which = _ALL if was.day is None else frozenset().union(*(_MOVED_BY[i] for i in changed))
        redress = was.day is None or not changed.isdisjoint(_REDRESS_MOVED_BY)
        deadlines = not changed.isdisjoint(_DEADLINES_MOVED_BY)
        for at, its, others, sign in (
            (was, before.deadlines, after.deadlines, -1),
            (now, after.deadlines, before.deadlines, 1),
        ):
            if at.day is None:
                continue
            found = [_complaint(at, which)]
            if redress:
                found.append(_redress(at))
            found.append(_deadlines(at, (one for key, one in its.items() if deadlines or others.get(key) != one)))
            for cell, by in chain.from_iterable(found):
                moved[cell] = moved.get(cell, 0) + sign * by
    return {cell: by for cell, by in moved.items() if by}
