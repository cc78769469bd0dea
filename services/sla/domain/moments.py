"""Moments and days on the clocks of a time zone, exact to the millisecond. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.errors import Invalid

TICK = timedelta(milliseconds=1)
"""The resolution of deadlines: a deadline is the last millisecond that is in time, all of it."""
LAST_YEAR = 2200
_YEARS = range(1970, LAST_YEAR + 1)


class UncountableTime(Invalid):
    """Deadlines are counted from times between 1970 and 2200."""

    code = "uncountable_time"


def local(moment: datetime, zone: ZoneInfo) -> datetime:
    """`moment` on the clocks of `zone`. Raises UncountableTime, ValueError for a naive time."""
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    if moment.year not in _YEARS:
        raise UncountableTime
    return moment.astimezone(zone)


def whole_millisecond(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def in_time(moment: datetime, due_at: datetime) -> bool:
    """Whether `moment` meets a deadline: any part of the deadline's own millisecond still does."""
    return moment < due_at + TICK


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The last millisecond (UTC) of `day` on the clocks of `zone`, also where they are put forward or back at midnight.

    It lies just before the next day's midnight. Where that is skipped, its reading with the offset before the change
    is the moment of the change. Where it comes twice, the clocks may have gone back into `day` in between (the second
    one ends it) or not (the first one does): the last reading that has `day` just before it is right in each case.
    """
    midnight = datetime.combine(day + timedelta(days=1), time.min, zone)
    ends = (midnight.replace(fold=fold).astimezone(UTC) - TICK for fold in (0, 1))
    return max(end for end in ends if end.astimezone(zone).date() <= day)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first moment (UTC) of `day`: what the day before leaves off."""
    return end_of_day(day - timedelta(days=1), zone) + TICK


def first_shown(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The first moment (UTC) at which the clocks of `zone` show `at` on `day`, or, where the clocks are put forward
    over it, the moment of the change. `time.max` means the midnight that ends the day."""
    if at == time.max:
        return end_of_day(day, zone) + TICK
    wall = datetime.combine(day, at, zone)
    late = wall.astimezone(UTC)
    if late.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return late
    # skipped: the change lies between the readings with the offset after it and with the one before it
    early, before = wall.replace(fold=1).astimezone(UTC), wall.utcoffset()
    while late - early > TICK:
        middle = whole_millisecond(early + (late - early) / 2)
        early, late = (middle, late) if middle.astimezone(zone).utcoffset() == before else (early, middle)
    return late
