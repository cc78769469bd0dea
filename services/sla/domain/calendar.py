"""Working days and working hours of one place, every exception written out, so that a calendar is data: it can be
kept, compared, and counted with again years later. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Span:
    """Working time within one day, by the clocks on the wall. `until` is not in it; `time.max` means midnight."""

    since: time
    until: time


@dataclass(frozen=True, slots=True)
class Calendar:
    """`version` names the whole content. `weekend`: days of the week, Monday is 0. `closed`: days that would be working
    days, and why they are none; `opened`: make-up workdays on weekends, and why. `hours`: the spans of each day of the
    week, Monday first; a make-up workday has Monday's where its own day has none. Beyond `confirmed_to` the holidays
    are not yet published, and what is counted there is provisional."""

    id: str
    version: str
    zone: ZoneInfo
    weekend: frozenset[int]
    closed: Mapping[date, str]
    opened: Mapping[date, str]
    hours: tuple[tuple[Span, ...], ...]
    confirmed_to: date

    def is_business_day(self, day: date) -> bool: ...

    def why(self, day: date) -> str:
        """Why `day` is no business day (the holiday's name, or `weekend`), or why it is one although it looks like
        none; empty for an ordinary business day."""
        ...

    def working(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        """The working time of `day` as moments in UTC, in order; right on days on which the clocks change."""
        ...
