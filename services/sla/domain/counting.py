"""How a limit is counted to the millisecond: hours, working hours, days, business days and weeks, less the pauses that
the rule permits. Pure.

Where a rule can be read in two ways the shorter one is taken, for it is the safe one: only days that are paused from
their first moment to their last are left out of a count of days, and a pause that has not ended takes out nothing yet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from services.sla.domain.calendar import Calendar
from services.sla.domain.moments import (
    LAST_YEAR,
    TICK,
    UncountableTime,
    end_of_day,
    in_time,
    local,
    start_of_day,
    whole_millisecond,
)

__all__ = [
    "TICK", "Count", "CountFrom", "Day", "Limit", "Pause", "UncountableTime", "Unit", "WarnRule", "count", "end_of_day",
    "in_time", "local", "start_of_day", "walk", "warn_at", "whole_millisecond",
]  # fmt: skip

Unit = Literal["hour", "working_hour", "calendar_day", "business_day", "week"]
CountFrom = Literal["moment", "same_day", "next_day"]
Stretch = tuple[datetime, datetime]
"""From a moment up to another that is not in it."""
Days = tuple[date, date]
"""From a day to another, both included."""

PAUSED = "paused"
DAY_OF_RECEIPT = "day of receipt"
_DAY = timedelta(days=1)
_HORIZON = date(LAST_YEAR + 100, 1, 1)
_NOUNS: dict[Unit, str] = {
    "hour": "hour",
    "working_hour": "working hour",
    "calendar_day": "calendar day",
    "business_day": "business day",
    "week": "week",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """How long a step may take: `length` units, counted from the start event.

    `hour`: elapsed time from the very moment. `working_hour`: working time of the calendar from that moment, or from
    where working time next begins. `calendar_day`, `business_day` and `week` (seven calendar days): `count_from` says
    which day is day 1, the day of the start event itself (`same_day`) or the one after it (`next_day`); of business
    days, the first from there on. The limit ends with the end of the last day, on the calendar's clocks.
    """

    length: int
    unit: Unit
    count_from: CountFrom


@dataclass(frozen=True, slots=True)
class WarnRule:
    """When to warn: at a `share` (0 to 1) of the time allowed, or `lead` before the deadline; the earlier if both."""

    share: float | None = None
    lead: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Time that the rule permits to leave out. `until` is not in it; None while it lasts."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a count. `number`: the how-manieth it is, None where it is not counted, and then `why` says why not
    (`weekend`, a holiday's name, `paused`, `day of receipt`, `outside working hours`). `why` is given too for a day
    that counts although it looks like none, and for the working time that counts of a day."""

    day: date
    number: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Count:
    """How a limit leads from its start to the deadline.

    `start` is in the calendar's zone. Of days and weeks `first_day` is day 1 and `last_day` the day whose end is the
    deadline; None for hours. `due_at` (UTC) is the last millisecond that is in time. `provisional`: the count reaches
    days whose holidays are not yet published. `paused_days`: how many that would count are left out as paused.
    """

    limit: Limit
    start: datetime
    first_day: date | None
    last_day: date | None
    due_at: datetime
    provisional: bool = False
    paused_days: int = 0

    @property
    def due_local(self) -> datetime:
        return self.due_at.astimezone(self.start.tzinfo)

    @property
    def explanation(self) -> str:
        """The count in plain English."""
        return self.explained()

    def explained(self, event: str = "Received", its_day: str = "The day of receipt") -> str:
        """The count in plain English, for another start event than receipt: `Sent to the portal`, `The day of that`."""
        limit = self.limit
        start = f"{event} {self.start:%Y-%m-%d %H:%M:%S} ({self.start.tzinfo})."
        many = f"{limit.length} {_NOUNS[limit.unit]}{'s' if limit.length > 1 else ''}"
        unsure = " Provisional: the holidays of some of these days are not yet published." if self.provisional else ""
        if self.first_day is None:
            runs = "run" if limit.length > 1 else "runs"
            how = "from that moment" if limit.unit == "hour" else "from then on while the bank is at work"
            return f"{start} {many} {runs} {how}: in time until {_shown(self.due_local)}.{unsure}"
        days, noun, weeks = limit.length, _NOUNS[limit.unit], ""
        if limit.unit == "week":
            days, noun = limit.length * 7, _NOUNS["calendar_day"]
            weeks = f" {many} {'are' if limit.length > 1 else 'is'} {days} days."
        if limit.count_from == "next_day":
            counted = f"{its_day} is not counted, so day 1 is {self.first_day}"
        elif self.first_day == self.start.date():
            counted = f"{its_day}, {self.first_day}, is day 1"
        else:
            counted = f"{its_day} is no {noun} that counts, so day 1 is {self.first_day}"
        left_out = f", {self.paused_days} paused left out" if self.paused_days else ""
        end = f"{noun} {days} is {self.last_day}{left_out}: in time until the end of that day, "
        return f"{start}{weeks} {counted}; {end}{_shown(self.due_local)}.{unsure}"


def count(limit: Limit, start: datetime, calendar: Calendar, pauses: Sequence[Pause] = ()) -> Count:
    """Count `limit` from `start`. Raises UncountableTime, ValueError for a naive time."""
    here = local(start, calendar.zone)
    out = _merged(pauses, start) if pauses else []
    if limit.unit == "hour":
        return Count(limit, here, None, None, whole_millisecond(_elapsed(limit, start.astimezone(UTC), out)))
    if limit.unit == "working_hour":
        due = whole_millisecond(_worked(limit, here, calendar, out))
        return Count(limit, here, None, None, due, due.astimezone(calendar.zone).date() > calendar.confirmed_to)
    paused = [days for pause in out if (days := _whole_days(pause, calendar))]
    first = here.date() + _DAY if limit.count_from == "next_day" else here.date()
    if limit.unit == "business_day":
        begin, last, left_out = _business_days(first, limit.length, calendar, paused)
        provisional = last > calendar.confirmed_to
    else:
        length = limit.length * 7 if limit.unit == "week" else limit.length
        begin, last, left_out = _calendar_days(first, length, paused)
        provisional = False
    return Count(limit, here, begin, last, end_of_day(last, calendar.zone), provisional, left_out)


def walk(found: Count, calendar: Calendar, pauses: Sequence[Pause] = ()) -> tuple[Day, ...]:
    """Every day from the start to the deadline and what it counts for; none where hours run through. `found` is what
    `count` gave for the same `calendar` and `pauses`."""
    limit, out = found.limit, _merged(pauses, found.start)
    if limit.unit == "hour":
        return ()
    if limit.unit == "working_hour":
        return tuple(_working_days(found, calendar, out))
    assert found.last_day is not None
    paused = [days for pause in out if (days := _whole_days(pause, calendar))]
    walked: list[Day] = []
    number, business = 0, limit.unit == "business_day"
    for day in _from(found.start.date(), found.last_day):
        why = calendar.why(day) if business else ""
        if limit.count_from == "next_day" and day == found.start.date():
            walked.append(Day(day, None, DAY_OF_RECEIPT))
        elif business and not calendar.is_business_day(day):
            walked.append(Day(day, None, why))
        elif any(since <= day <= until for since, until in paused):
            walked.append(Day(day, None, PAUSED))
        else:
            number += 1
            walked.append(Day(day, number, why))
    return tuple(walked)


def warn_at(rule: WarnRule | None, start: datetime, due_at: datetime) -> datetime | None:
    """When to warn of the deadline `due_at`: never before `start`, whole milliseconds; None where there is no rule."""
    if rule is None:
        return None
    moments = []
    if rule.share is not None:
        moments.append(start + (due_at - start) * rule.share)
    if rule.lead is not None:
        moments.append(due_at - rule.lead)
    return whole_millisecond(max(start, min(moments)).astimezone(UTC))


def _merged(pauses: Sequence[Pause], start: datetime) -> list[Stretch]:
    """The ended pauses after `start` (UTC) in order, those that overlap or touch as one."""
    out: list[Stretch] = []
    ended = [(p.since.astimezone(UTC), p.until.astimezone(UTC)) for p in pauses if p.until is not None]
    for since, until in sorted(ended):
        since = max(since, start.astimezone(UTC))
        if until <= since:
            continue
        if out and since <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], until))
        else:
            out.append((since, until))
    return out


def _whole_days(pause: Stretch, calendar: Calendar) -> Days | None:
    """The first and the last day that lie wholly in a pause; None if there is none."""
    since, until = pause
    first, last = since.astimezone(calendar.zone).date(), until.astimezone(calendar.zone).date()
    if start_of_day(first, calendar.zone) < since:
        first += _DAY
    while first <= last and end_of_day(last, calendar.zone) + TICK > until:
        last -= _DAY
    return (first, last) if first <= last else None


def _elapsed(limit: Limit, start: datetime, out: list[Stretch]) -> datetime:
    due = start + timedelta(hours=limit.length)
    for since, until in out:
        if since >= due:
            break
        due += until - since
    return due


def _worked(limit: Limit, here: datetime, calendar: Calendar, out: list[Stretch]) -> datetime:
    left = timedelta(hours=limit.length)
    for day in _from(here.date() - _DAY, _HORIZON):
        for since, until in _free(calendar, day, here, out):
            if until - since >= left:
                return since + left
            left -= until - since
    raise UncountableTime


def _free(calendar: Calendar, day: date, start: datetime, out: list[Stretch]) -> Iterator[Stretch]:
    """The working time of `day` from `start` on, without what is paused."""
    begin = start.astimezone(UTC)
    for since, until in calendar.working(day):
        since = max(since, begin)
        for stop, resume in out:
            if stop >= until:
                break
            if since < stop:
                yield since, stop
            since = max(since, resume)
        if since < until:
            yield since, until


def _calendar_days(first: date, length: int, paused: list[Days]) -> tuple[date, date, int]:
    """Day 1, the last day, and how many between them are paused."""
    begin, day, left = None, first, length
    for since, until in paused:
        if until < day:
            continue
        free = max(0, (since - day).days)
        if free >= left:
            break
        begin = begin or (day if free else None)
        left -= free
        day = until + _DAY
    last = day + timedelta(days=left - 1)
    return begin or day, last, (last - first).days + 1 - length


def _business_days(first: date, length: int, calendar: Calendar, paused: list[Days]) -> tuple[date, date, int]:
    """Day 1, the last day, and how many business days before the last are paused."""
    begin, number, left_out, at = None, 0, 0, 0
    for day in _from(first, _HORIZON):
        if not calendar.is_business_day(day):
            continue
        while at < len(paused) and paused[at][1] < day:
            at += 1
        if at < len(paused) and paused[at][0] <= day:
            left_out += 1
            continue
        begin, number = begin or day, number + 1
        if number == length:
            return begin, day, left_out
    raise UncountableTime


def _working_days(found: Count, calendar: Calendar, out: list[Stretch]) -> Iterator[Day]:
    number = 0
    for day in _from(found.start.date(), found.due_local.date()):
        spans = [(s, min(u, found.due_at)) for s, u in _free(calendar, day, found.start, out) if s < found.due_at]
        if spans:
            number += 1
            minutes = int(sum((u - s for s, u in spans), timedelta()).total_seconds() // 60)
            shown = ", ".join(f"{_clock(s, calendar)}-{_clock(u, calendar)}" for s, u in spans)
            yield Day(day, number, f"{minutes // 60} h {minutes % 60:02} min: {shown}")
        elif not calendar.is_business_day(day):
            yield Day(day, None, calendar.why(day))
        else:
            taken_out = any(s < until and since < u for s, u in calendar.working(day) for since, until in out)
            yield Day(day, None, PAUSED if taken_out else "outside working hours")


def _from(first: date, last: date) -> Iterator[date]:
    """The days from `first` to `last`, both included."""
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        yield date.fromordinal(ordinal)


def _clock(moment: datetime, calendar: Calendar) -> str:
    return f"{moment.astimezone(calendar.zone):%H:%M}"


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
