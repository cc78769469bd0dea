"""When demonstration complaints arrive: by weekday, hour and season, with one mild surge.

All shapes are in the bank's own time zone, where its opening hours are.
"""

from bisect import bisect
from calendar import monthrange
from datetime import date, datetime, time, timedelta
from functools import cached_property
from itertools import accumulate
from random import Random
from zoneinfo import ZoneInfo

BANK_ZONE = ZoneInfo("Asia/Hong_Kong")

_SEASON = (1.15, 1.20, 1.05, 0.95, 0.90, 0.95, 1.00, 1.00, 0.95, 1.00, 1.10, 1.20)
"""By month: more around the turn of the year, when statements, bonuses and holidays come together."""

_WEEK = {
    "office": (1.20, 1.00, 1.00, 1.00, 1.05, 0.35, 0.00),
    "hotline": (1.30, 1.10, 1.00, 1.00, 1.05, 0.60, 0.40),
    "online": (1.10, 1.00, 1.00, 1.00, 1.00, 0.85, 0.80),
}
_HOURS = {
    "office": (0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 10, 10, 9, 8, 9, 9, 7, 2, 0, 0, 0, 0, 0, 0),
    "hotline": (1, 1, 0, 0, 0, 0, 1, 2, 5, 9, 11, 10, 8, 8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1),
    "online": (2, 1, 1, 0, 0, 0, 1, 3, 5, 6, 7, 7, 9, 8, 6, 6, 6, 6, 7, 8, 10, 10, 8, 4),
}
_PROFILE = {"branch": "office", "letter": "office", "regulator": "office", "phone": "hotline"}
_FEWER_FEES_FOR = timedelta(days=180)


class Calendar:
    """Draws times from the `months` before `until` (aware). Raises ValueError for a naive `until` or no months."""

    def __init__(self, rng: Random, until: datetime, months: int) -> None:
        if until.tzinfo is None:
            raise ValueError("until needs a time zone")
        if months < 1:
            raise ValueError("months must be at least 1")
        self._rng = rng
        self.until = until.astimezone(BANK_ZONE)
        self.start = _months_before(self.until, months)
        self._weights: dict[tuple[str, bool], list[float]] = {}

    def arrival(self, channel: str, kind: str) -> datetime:
        """A time in [start, until) that suits the channel, to the second."""
        profile = _PROFILE.get(channel, "online")
        weights = self._cumulative(profile, kind == "fees")
        while True:
            day = self._days[bisect(weights, self._rng.random() * weights[-1])]
            hour = self._rng.choices(range(24), _HOURS[profile])[0]
            at = self._on(day, hour)
            if self.start <= at < self.until:
                return at

    def surge_arrival(self, day: date) -> datetime:
        """A time on the day of the surge, from the failure in the morning on."""
        while True:
            at = self._on(day, min(23, 8 + int(self._rng.expovariate(1 / 4))))
            if at < self.until:
                return at

    @cached_property
    def _days(self) -> list[date]:
        first, last = self.start.date(), self.until.date()
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    def _cumulative(self, profile: str, fees: bool) -> list[float]:
        if (profile, fees) not in self._weights:
            # Fewer complaints about fees in the last half-year, so that comparing before and after finds something.
            change = self.until.date() - _FEWER_FEES_FOR
            week = _WEEK[profile]
            self._weights[profile, fees] = list(
                accumulate(
                    week[day.weekday()] * _SEASON[day.month - 1] * (0.6 if fees and day >= change else 1.0)
                    for day in self._days
                )
            )
        return self._weights[profile, fees]

    def _on(self, day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour, self._rng.randrange(60), self._rng.randrange(60)), BANK_ZONE)


def surge_day(until: datetime, *, seed: int) -> date:
    """The day on which the systems failed: a working day some three weeks before `until`, fixed by the seed."""
    day = until.astimezone(BANK_ZONE).date() - timedelta(days=18 + seed % 7)
    return day - timedelta(days=max(0, day.weekday() - 4))


def _months_before(at: datetime, months: int) -> datetime:
    year, month = divmod(at.year * 12 + at.month - 1 - months, 12)
    return at.replace(year=year, month=month + 1, day=min(at.day, monthrange(year, month + 1)[1]))
