"""Working days and working hours of one place, every exception written out, so that a calendar is data: it can be
kept, compared, and counted with again years later. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKEND = "weekend"


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

    def is_business_day(self, day: date) -> bool:
        if day in self.opened:
            return True
        return day.weekday() not in self.weekend and day not in self.closed

    def why(self, day: date) -> str:
        """Why `day` is no business day (the holiday's name, or `weekend`), or why it is one although it looks like
        none; empty for an ordinary business day."""
        if day in self.opened:
            return self.opened[day]
        if day in self.closed:
            return self.closed[day]
        return WEEKEND if day.weekday() in self.weekend else ""

    def working(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        """The working time of `day` as moments in UTC, in order; right on days on which the clocks change."""
        if not self.is_business_day(day):
            return ()
        spans = self.hours[day.weekday()] or self.hours[0]
        found = ((self._moment(day, s.since), self._moment(day, s.until)) for s in spans)
        return tuple((since, until) for since, until in found if since < until)

    def _moment(self, day: date, at: time) -> datetime:
        if at == time.max:
            day, at = day + timedelta(days=1), time.min
        return datetime.combine(day, at, self.zone).astimezone(UTC)
