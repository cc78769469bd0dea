"""Figures made of counts. What each means, `catalogue` says in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate
from math import ceil

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain import selection as periods
from services.reporting.domain.base import Bases, base_at, per_thousand
from services.reporting.domain.fact import ASPECTS, IN_TIME, LATE, MISSED, REDRESS_UNIT
from services.reporting.domain.place import RATING, UNROUTED
from services.reporting.domain.selection import Selection
from services.reporting.figures import reading
from services.reporting.store import facts, surveys

DURATIONS = {
    "acknowledge": ("acknowledged", "to_acknowledge"),
    "respond": ("responded", "to_respond"),
    "close": ("closed", "to_close"),
}
"""For each duration, the basis that has it and its column."""

AGES = (7, 15, 30, 60)
"""Upper ends of the bands of age, in days; the last band has none."""


@dataclass(frozen=True, slots=True)
class Count:
    """`count` complaints under `key`: a code, or a period as `domain.selection.name` writes it."""

    key: str
    count: int


@dataclass(frozen=True, slots=True)
class Totals:
    """`today` is the count of day `on`, whatever the period of the selection; `missed` counts deadlines."""

    total: int
    today: int
    open: int
    missed: int
    on: date


async def totals(session: AsyncSession, chosen: Selection, *, today: date) -> Totals:
    """The headline figures; `today` is the present day in the bank's zone."""
    by_state = await reading.counts(session, "received", "state", chosen)
    on_day = await reading.over_time(session, "received", "day", chosen.over(today, today))
    results = await deadlines(session, "step", chosen)
    return Totals(
        total=by_state.total(),
        today=sum(on_day.values()),
        open=by_state["open"],
        missed=sum(counts.get(MISSED, 0) for counts in results.values()),
        on=today,
    )


async def volumes(session: AsyncSession, basis: str, by: str, chosen: Selection) -> list[Count]:
    """Complaints by a dimension, the largest first, or by day, month, quarter or year, in order."""
    if by in periods.GRAINS:
        return [Count(key, n) for key, n in (await reading.over_time(session, basis, by, chosen)).items()]
    return ranked(await reading.counts(session, basis, by, chosen))


def ranked(counts: Mapping[str, int]) -> list[Count]:
    """The largest first; of equals, by code."""
    return sorted((Count(key, n) for key, n in counts.items()), key=lambda c: (-c.count, c.key))


async def deadlines(session: AsyncSession, by: str, chosen: Selection) -> dict[str, dict[str, int]]:
    """What became of deadlines: `{code: {result: count}}`; of `rule` a code is `<rule>/<step>`."""
    found: dict[str, dict[str, int]] = {}
    for code, n in (await reading.counts(session, "deadline", by, chosen)).items():
        key, _, result = code.rpartition("/")
        found.setdefault(key, {})[result] = n
    return found


def kept(results: Mapping[str, int]) -> float | None:
    """The share in time among deadlines that are past: taken in time, taken late, or missed. None without any."""
    past = sum(results.get(one, 0) for one in (IN_TIME, LATE, MISSED))
    return results.get(IN_TIME, 0) / past if past else None


@dataclass(frozen=True, slots=True)
class Change:
    """A period beside an earlier one. `share` is the growth, -0.2 for a fifth less; None where there was nothing."""

    key: str
    since: date
    until: date
    count: int

    def from_(self, earlier: "Change") -> float | None:
        return self.count / earlier.count - 1 if earlier.count else None


async def comparison(
    session: AsyncSession, basis: str, grain: str, chosen: Selection, *, today: date
) -> tuple[Change, Change, Change]:
    """The month, quarter or year in which `today` lies, the one before, and the same of the year before. A period that
    is not over is compared with as many days of the others, so like goes with like."""
    start = periods.beginning(today, grain)
    days = (today - start).days
    starts = (start, periods.following(start, grain, -1), _year_before(start))
    ends = [min(at + timedelta(days=days), periods.following(at, grain) - timedelta(days=1)) for at in starts]
    spans = list(zip(starts, ends, strict=True))
    counts = await reading.totals(session, basis, [chosen.over(*span) for span in spans])
    now, before, year = (
        Change(periods.name(at, grain), at, end, n) for (at, end), n in zip(spans, counts, strict=True)
    )
    return now, before, year


def _year_before(day: date) -> date:
    return day.replace(year=day.year - 1)  # of a period's first day, which is never 29 February


@dataclass(frozen=True, slots=True)
class Backlog:
    """Complaints open `on` a day, by how many days they have been waiting: a count for each band of AGES and one for
    the rest; `oldest` in days, None when nothing is open."""

    on: date
    bands: tuple[int, ...]
    oldest: int | None

    @property
    def total(self) -> int:
        return sum(self.bands)


async def backlog(session: AsyncSession, chosen: Selection, *, today: date) -> Backlog:
    """What is open now."""
    waiting = await reading.over_time(session, "received", "day", chosen.narrowed_to("state", "open"))
    bands = [0] * (len(AGES) + 1)
    oldest = None
    for key, n in waiting.items():
        age = (today - date.fromisoformat(key)).days
        oldest = age if oldest is None else max(oldest, age)
        bands[next((i for i, most in enumerate(AGES) if age <= most), len(AGES))] += n
    return Backlog(today, tuple(bands), oldest)


async def backlog_by_month(session: AsyncSession, chosen: Selection, *, today: date) -> list[Count]:
    """What was open at the end of each month, the present one as of now."""
    everything = chosen.over(None, chosen.until)
    came = await reading.over_time(session, "received", "month", everything)
    went = await reading.over_time(session, "closed", "month", everything)
    if not came:
        return []
    last = periods.name(min(chosen.until or today, today), "month")
    keys, at = [], date.fromisoformat(min(came) + "-01")
    while (key := periods.name(at, "month")) <= last:
        keys.append(key)
        at = periods.following(at, "month")
    open_at = accumulate(came.get(key, 0) - went.get(key, 0) for key in keys)
    since = periods.name(chosen.since, "month") if chosen.since else ""
    return [Count(key, n) for key, n in zip(keys, open_at, strict=True) if key >= since]


@dataclass(frozen=True, slots=True)
class Durations:
    """How long it took, in minutes on the grid of `domain.place.on_grid`; None without any."""

    count: int
    median: int | None
    p90: int | None
    p95: int | None
    histogram: Mapping[int, int]

    def within(self, minutes: int) -> float | None:
        """The share that took no longer."""
        return sum(n for at, n in self.histogram.items() if at <= minutes) / self.count if self.count else None


async def durations(session: AsyncSession, of: str, chosen: Selection) -> Durations:
    """`of` is a key of DURATIONS."""
    basis, column = DURATIONS[of]
    histogram = {int(code): n for code, n in (await reading.counts(session, basis, column, chosen)).items()}
    return spread(histogram)


def spread(histogram: Mapping[int, int]) -> Durations:
    """The percentiles of durations, by how many there are of each."""
    ordered = dict(sorted(histogram.items()))
    count = sum(ordered.values())
    median, p90, p95 = (percentile(ordered, p) for p in (50, 90, 95))
    return Durations(count, median, p90, p95, ordered)


def percentile(histogram: Mapping[int, int], p: int) -> int | None:
    """The least value that at least `p` in a hundred do not exceed; `histogram` is in order."""
    rank = ceil(sum(histogram.values()) * p / 100)
    below = 0
    for value, n in histogram.items():
        below += n
        if below >= rank:
            return value
    return None


@dataclass(frozen=True, slots=True)
class Cause:
    """One bar of a Pareto chart: `share` of all and `together` with all greater ones, nought to one."""

    key: str
    count: int
    share: float
    together: float


async def pareto(session: AsyncSession, chosen: Selection, by: str = "root_cause") -> list[Cause]:
    """What lay behind the complaints that were decided, the most frequent first."""
    counts = ranked(await reading.counts(session, "resolved", by, chosen))
    total = sum(c.count for c in counts)
    sums = accumulate(c.count for c in counts)
    return [Cause(c.key, c.count, c.count / total, upto / total) for c, upto in zip(counts, sums, strict=True)]


@dataclass(frozen=True, slots=True)
class Paid:
    """What was paid as redress under a code, in one currency."""

    key: str
    currency: str
    amount: Decimal


async def redress(session: AsyncSession, by: str, chosen: Selection) -> list[Paid]:
    """What was paid, by a dimension or (`by` empty) in all."""
    found = []
    for code, n in (await reading.counts(session, "redress", by, chosen)).items():
        key, _, currency = code.rpartition("/")
        found.append(Paid(key, currency, n * REDRESS_UNIT))
    return sorted(found, key=lambda paid: (paid.currency, -paid.amount, paid.key))


async def ratings(session: AsyncSession, chosen: Selection) -> dict[str, dict[int, int]]:
    """How complainants rated each aspect: `{aspect: {1..5: count}}`."""
    found = {}
    for aspect in ASPECTS:
        counts = await reading.counts(session, "rated", RATING[aspect], chosen)
        found[aspect] = {n: counts[str(n)] for n in range(1, 6)}
    return found


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `of`; None as a share of nothing."""

    count: int
    of: int

    @property
    def share(self) -> float | None:
        return self.count / self.of if self.of else None


async def shares(session: AsyncSession, chosen: Selection) -> dict[str, Share]:
    """How many of the complaints closed in the period; `reopened` and `disputed` of those that were so in it, against
    the closings; `repeat` and `vulnerable` among those received; `upheld` among those decided."""
    closed = (await reading.counts(session, "closed", "outcome", chosen)).total()
    received = await reading.counts(session, "received", "repeat", chosen)
    people = await reading.counts(session, "received", "vulnerable", chosen)
    decided = await reading.counts(session, "resolved", "outcome", chosen)
    reopened = (await reading.counts(session, "reopened", "channel", chosen)).total()
    disputed = (await reading.counts(session, "disputed", "channel", chosen)).total()
    upheld = decided["upheld"] + decided["partly_upheld"]
    return {
        "reopened": Share(reopened, closed),
        "disputed": Share(disputed, closed),
        "repeat": Share(received["yes"], received.total()),
        "vulnerable": Share(people["yes"], people.total()),
        "upheld": Share(upheld, decided.total()),
    }


@dataclass(frozen=True, slots=True)
class Group:
    """How the complaints of one group of people ended."""

    outcomes: Counter[str]
    close: Durations
    deadlines: Mapping[str, int]


async def fairness(session: AsyncSession, chosen: Selection) -> dict[str, Group]:
    """Vulnerable customers (`yes`) beside all others (`no`)."""
    found = {}
    for code in ("yes", "no"):
        theirs = chosen.narrowed_to("vulnerable", code)
        results: Counter[str] = Counter()
        for counts in (await deadlines(session, "step", theirs)).values():
            results.update(counts)
        found[code] = Group(
            await reading.counts(session, "resolved", "outcome", theirs),
            await durations(session, "close", theirs),
            results,
        )
    return found


@dataclass(frozen=True, slots=True)
class Rate:
    """Complaints beside what they are measured by: `base` customers, accounts or branches at the end of the period,
    None where nobody has said how many; `rate` is per thousand of them."""

    key: str
    count: int
    base: int | None

    @property
    def rate(self) -> float | None:
        return per_thousand(self.count, self.base)


async def rates(
    session: AsyncSession, basis: str, per: str, by: str | None, chosen: Selection, *, today: date
) -> list[Rate]:
    """Complaints per thousand: of all that are chosen, or of each code of `by`. Only complaints that are narrowed by no
    more than that have a base of their own; the base is that of the last day of the period."""
    at = min(chosen.until or today, today)
    if by is None:
        total = sum((await reading.over_time(session, basis, "year", chosen)).values())
        known = await surveys.base_counts(session, per, next(iter(chosen.where), None))
        return [Rate("", total, base_at(known, per, chosen.where, at))]
    bases = Bases(await surveys.base_counts(session, per, by))
    found = []
    for one in await volumes(session, basis, by, chosen):
        where = {**chosen.where, by: one.key}
        found.append(Rate(one.key, one.count, bases.at(per, where, at)))
    return found


@dataclass(frozen=True, slots=True)
class Load:
    """The open work of a department: how many complaints, how many of them nobody has taken, how many officers have
    some, and how many the middle officer and the one with the most have. It names nobody."""

    department: str
    open: int
    unassigned: int
    officers: int
    median: float | None
    most: int | None


async def load(session: AsyncSession) -> list[Load]:
    """Who has how much to do now, by department."""
    query = select(facts.c.department, facts.c.assignee, func.count())
    query = reading.narrowed(query, "day", Selection(where={"state": "open"}))
    rows = (await session.execute(query.group_by(facts.c.department, facts.c.assignee))).all()
    by_department: dict[str, dict[str | None, int]] = {}
    for department, assignee, n in rows:
        by_department.setdefault(department, {})[assignee] = n
    found = []
    for department, counts in by_department.items():
        unassigned = counts.pop(None, 0)
        each = sorted(counts.values())
        median = _median(each)
        total = sum(each) + unassigned
        found.append(Load(department, total, unassigned, len(each), median, each[-1] if each else None))
    return sorted(found, key=lambda one: (one.department == UNROUTED, -one.open, one.department))


def _median(ordered: Sequence[int]) -> float | None:
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
