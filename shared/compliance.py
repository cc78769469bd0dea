"""Compliance checks: what of a period broke a rule, according to a service's own tables.

A service lists its checks in `usecases/compliance.py` and hands them to `shared.web.upkeep`, which shows them. A check
finds violations and nothing else, newest first, and reads no more than it shows: its queries rest on indexes that hold
the violations alone, or little else.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

Fact = str | int | datetime | date
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `since` to `until`, both included, of the bank's `zone`, as looked at `now`."""

    since: date
    until: date
    zone: ZoneInfo
    now: datetime

    @property
    def start(self) -> datetime:
        return self._midnight(self.since)

    @property
    def end(self) -> datetime:
        """The first moment after the period."""
        return self._midnight(self.until + timedelta(days=1))

    def spans(self, begin: time, end: time) -> list[tuple[datetime, datetime]]:
        """The time from `begin` to `end` of each day, oldest first; where `end` is no later, it is the next day's."""
        over = timedelta(days=0 if begin < end else 1)
        found = []
        for n in range(-over.days, (self.until - self.since).days + 1):
            day = self.since + timedelta(days=n)
            since, until = (
                max(self.start, datetime.combine(day, begin, self.zone).astimezone(UTC)),
                min(self.end, datetime.combine(day + over, end, self.zone).astimezone(UTC)),
            )
            if since < until:
                found.append((since, until))
        return found

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Behind which finding a list goes on: its time and key."""

    at: datetime
    key: str

    @classmethod
    def read(cls, text: str) -> "Place":
        """Of what `str` gave. Raises ValueError."""
        at, separator, key = text.partition("~")
        moment = datetime.fromisoformat(at)
        if not separator or moment.tzinfo is None:
            raise ValueError("no place in a list")
        return cls(moment, key)

    def __str__(self) -> str:
        return f"{self.at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}~{self.key}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation. `key` is unique among those of the check; `complaint` its complaint, if it is about one; `facts`
    what shows it, by names that `label("fact", ...)` knows. Nothing personal is among them."""

    at: datetime
    key: str
    complaint: str | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return Place(self.at, self.key)


Find = Callable[[AsyncSession, Period, Place | None, int], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule. `title` and `rule` are texts for people (`mark`), `rule` with `values` for its placeholders.

    `find(session, period, after, limit)` gives at most `limit` violations, newest first, those behind `after`.
    """

    code: str
    title: str
    rule: str
    find: Find
    values: Mapping[str, Any] = field(default_factory=dict)


async def sift(
    fetch: Callable[[Place | None, int], Awaitable[Sequence[Row]]],
    judge: Callable[[Row], Finding | None],
    place_of: Callable[[Row], Place],
    after: Place | None,
    limit: int,
    *,
    slice: int = 500,
) -> list[Finding]:
    """Findings among rows that a query can only narrow down: read on, a slice at a time, until there are enough."""
    found: list[Finding] = []
    most = min(limit, slice)  # mostly all of them are findings; further slices are larger
    while True:
        rows = await fetch(after, most)
        for row in rows:
            if (one := judge(row)) is not None:
                found.append(one)
                if len(found) == limit:
                    return found
        if len(rows) < most:
            return found
        after, most = place_of(rows[-1]), slice


def cut(findings: Sequence[Finding], after: Place | None, limit: int) -> list[Finding]:
    """A page of findings that were all made at once, because they can only be few."""
    ordered = sorted(findings, key=lambda f: (f.at, f.key), reverse=True)
    if after is not None:
        ordered = [f for f in ordered if (f.at, f.key) < (after.at, after.key)]
    return ordered[:limit]
