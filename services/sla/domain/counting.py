"""How a limit is counted from a moment to its deadline, to the millisecond. Pure.

A deadline that is counted in days ends with the end of its last day on the clocks of the calendar's zone. While a clock
stands still, a day counts unless it lies wholly inside the pause: where a rule leaves that open, the shorter reading is
the safe one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from services.sla.domain.calendar import Calendar
from shared.errors import Invalid

if TYPE_CHECKING:
    from services.sla.domain.policy import WarnRule

Unit = Literal["hour", "working_hour", "calendar_day", "business_day", "week"]
CountFrom = Literal["moment", "same_day", "next_day"]

TICK = timedelta(milliseconds=1)
"""The resolution of deadlines: a deadline is the last millisecond that is in time, all of it."""
_DAY = timedelta(days=1)
_YEARS = range(1970, 2201)
_LONGEST = 3660 * 3
"""Days after which a count is given up: a calendar without working days would never end."""
PAUSED, START_DAY = "paused", "day of receipt"


class UncountableTime(Invalid):
    """Deadlines are counted from times between 1970 and 2200."""

    code = "uncountable_time"


@dataclass(frozen=True, slots=True)
class Limit:
    """How long a step may take: `length` units, counted from the start event.

    `hour`: elapsed time from the very moment. `working_hour`: working time of the calendar from the very moment.
    `calendar_day`, `business_day` and `week` (seven calendar days): `count_from` says which day is day 1, the day of
    the start event itself (`same_day`) or the one after it (`next_day`); of business days, the first one from there on.
    """

    length: int
    unit: Unit
    count_from: CountFrom


@dataclass(frozen=True, slots=True)
class Pause:
    """Time in which a clock stands still; `until` is None while it lasts."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a count. `number` is None for a day that is not counted; `why` says the reason: `weekend`, a holiday's
    name, `paused`, `day of receipt`; a make-up workday says why it counts."""

    day: date
    number: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Count:
    """How a limit leads from start to deadline.

    `start` is in the calendar's zone. For days and weeks, `first_day` is day 1 and `last_day` the day whose end is the
    deadline; None for hours. `due_at` (UTC) is the last millisecond that is in time. `provisional`: holidays on the way
    are not yet published.
    """

    limit: Limit
    start: datetime
    first_day: date | None
    last_day: date | None
    due_at: datetime
    provisional: bool = False

    @property
    def due_local(self) -> datetime:
        return self.due_at.astimezone(self.start.tzinfo)

    @property
    def explanation(self) -> str:
        """The count in plain English."""
        zone, limit = self.start.tzinfo, self.limit
        begun = f"Received {self.start:%Y-%m-%d %H:%M:%S} ({zone})."
        guess = " Holidays on the way are not yet published, so this is provisional." if self.provisional else ""
        if self.first_day is None:
            unit = "working hour" if limit.unit == "working_hour" else "hour"
            hours = f"{limit.length} {unit}{'s' if limit.length > 1 else ''} run from that moment"
            return f"{begun} {hours}: in time until {_shown(self.due_local)}.{guess}"
        days, weeks = limit.length, ""
        if limit.unit == "week":
            days = limit.length * 7
            weeks = f" {limit.length} week{'s are' if limit.length > 1 else ' is'} {days} days."
        kind = "business" if limit.unit == "business_day" else "calendar"
        if limit.count_from == "next_day":
            counted = f"The day of receipt is not counted, so day 1 is {self.first_day}"
        elif self.first_day == self.start.date():
            counted = f"The day of receipt, {self.first_day}, is day 1"
        else:
            counted = f"The day of receipt is no business day, so day 1 is {self.first_day}"
        end = f"{kind} day {days} is {self.last_day}: in time until the end of that day, {_shown(self.due_local)}."
        return f"{begun}{weeks} {counted}; {end}{guess}"


def count(limit: Limit, start: datetime, calendar: Calendar, pauses: Sequence[Pause] = ()) -> Count:
    """Count `limit` from `start`. A pause that lasts counts as if it ended where it began, which gives the earliest
    deadline that is possible. Raises UncountableTime, ValueError for a naive time."""
    begun = local(start, calendar.zone)
    over = [(p.since, p.until) for p in pauses if p.until is not None and p.until > p.since]
    if limit.unit == "hour":
        due = whole_millisecond(_elapsed(start.astimezone(UTC), timedelta(hours=limit.length), over))
        return Count(limit, begun, None, None, due)
    if limit.unit == "working_hour":
        due, last = _worked(begun, timedelta(hours=limit.length), calendar, over)
        return Count(limit, begun, None, None, whole_millisecond(due), last > calendar.confirmed_to)
    days = limit.length * 7 if limit.unit == "week" else limit.length
    from_day = begun.date() + (_DAY if limit.count_from == "next_day" else timedelta(0))
    if limit.unit != "business_day" and not over:
        last = from_day + (days - 1) * _DAY
        return Count(limit, begun, from_day, last, end_of_day(last, calendar.zone))
    numbered = [d for d in _walk(limit, begun, calendar, over) if d.number is not None]
    last = numbered[-1].day
    provisional = limit.unit == "business_day" and last > calendar.confirmed_to
    return Count(limit, begun, numbered[0].day, last, end_of_day(last, calendar.zone), provisional)


def walk(found: Count, calendar: Calendar, pauses: Sequence[Pause] = ()) -> tuple[Day, ...]:
    """The count day by day, from the day of the start to the last day; empty where hours are counted."""
    if found.last_day is None:
        return ()
    over = [(p.since, p.until) for p in pauses if p.until is not None and p.until > p.since]
    return tuple(_walk(found.limit, found.start, calendar, over))


def _walk(
    limit: Limit, begun: datetime, calendar: Calendar, over: Sequence[tuple[datetime, datetime]]
) -> Iterator[Day]:
    wanted = limit.length * 7 if limit.unit == "week" else limit.length
    business = limit.unit == "business_day"
    day, number = begun.date(), 0
    if limit.count_from == "next_day":
        yield Day(day, None, START_DAY)
        day += _DAY
    for _ in range(_LONGEST):
        why = calendar.why(day) if business else ""
        if business and not calendar.is_business_day(day):
            yield Day(day, None, why)
        elif over and _wholly_in(day, calendar.zone, over):
            yield Day(day, None, PAUSED)
        else:
            number += 1
            yield Day(day, number, why)
            if number == wanted:
                return
        day += _DAY
    raise UncountableTime(f"calendar {calendar.id} has too few business days")


def _wholly_in(day: date, zone: ZoneInfo, over: Sequence[tuple[datetime, datetime]]) -> bool:
    begins, ends = start_of_day(day, zone), end_of_day(day, zone) + TICK
    return any(since <= begins and ends <= until for since, until in over)


def _elapsed(start: datetime, length: timedelta, over: Sequence[tuple[datetime, datetime]]) -> datetime:
    """`start` + `length` of time in which no pause lies."""
    at, left = start, length
    for since, until in _joined(over):
        if until <= at:
            continue
        free = max(since - at, timedelta(0))
        if left <= free:
            break
        at, left = until, left - free
    return at + left


def _worked(
    begun: datetime, length: timedelta, calendar: Calendar, over: Sequence[tuple[datetime, datetime]]
) -> tuple[datetime, date]:
    """When so much working time outside pauses has passed since `begun`, and on which day."""
    start, left, day = begun.astimezone(UTC), length, begun.date()
    joined = _joined(over)
    for _ in range(_LONGEST):
        for since, until in calendar.working(day):
            for free_since, free_until in _without(max(since, start), until, joined):
                if left <= free_until - free_since:
                    return free_since + left, day
                left -= free_until - free_since
        day += _DAY
    raise UncountableTime(f"calendar {calendar.id} has too little working time")


def _without(
    since: datetime, until: datetime, over: Sequence[tuple[datetime, datetime]]
) -> Iterator[tuple[datetime, datetime]]:
    """The parts of a span that lie in no pause."""
    at = since
    for p_since, p_until in over:
        if p_until <= at or p_since >= until:
            continue
        if p_since > at:
            yield at, p_since
        at = max(at, p_until)
    if at < until:
        yield at, until


def _joined(over: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Pauses in order, those that overlap made one."""
    found: list[tuple[datetime, datetime]] = []
    for since, until in sorted(over):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The last millisecond (UTC) of `day` on the clocks of `zone`, also where they are put forward or back at midnight.

    It lies just before the next day's midnight. Where that is skipped, its reading with the offset before the change
    is the moment of the change. Where it comes twice, the clocks may have gone back into `day` in between (the second
    one ends it) or not (the first one does): the last reading that has `day` just before it is right in each case.
    """
    midnight = datetime.combine(day + _DAY, time.min, zone)
    ends = [midnight.replace(fold=fold).astimezone(UTC) - TICK for fold in (0, 1)]
    if ends[0] == ends[1]:
        return ends[0]
    return max(end for end in ends if end.astimezone(zone).date() <= day)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first moment (UTC) of `day` on the clocks of `zone`."""
    return end_of_day(day - _DAY, zone) + TICK


def warn_at(rule: "WarnRule | None", start: datetime, due_at: datetime) -> datetime | None:
    """When to warn of the deadline `due_at`: never before `start`, whole milliseconds; None where there is no rule."""
    if rule is None:
        return None
    moments = []
    if rule.share is not None:
        moments.append(start + (due_at - start) * rule.share)
    if rule.lead is not None:
        moments.append(due_at - rule.lead)
    return whole_millisecond(max(start, min(moments)).astimezone(UTC))


def in_time(moment: datetime, due_at: datetime) -> bool:
    """Whether `moment` meets a deadline: any part of the deadline's own millisecond still does."""
    return moment < due_at + TICK


def local(moment: datetime, zone: ZoneInfo) -> datetime:
    """`moment` on the clocks of `zone`. Raises UncountableTime, ValueError for a naive time."""
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    if moment.year not in _YEARS:
        raise UncountableTime
    return moment.astimezone(zone)


def whole_millisecond(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
