"""Business days where a regulator counts in them: Monday to Friday, without the public holidays of the library
`holidays`. The bank's own exceptions live in sla's calendars, which reporting does not know."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache

from holidays import country_holidays

NOTE = "Business days: Monday to Friday without the public holidays of {place} (library `holidays`)."


def third_after(country: str, part: str | None = None) -> Callable[[date], date]:
    """By a day, the third business day after it. `country` and `part` as the library has them: `GB`, `ENG`."""
    calendar = country_holidays(country, subdiv=part)

    @lru_cache(maxsize=4096)
    def third(day: date) -> date:
        left = 3
        while left:
            day += timedelta(days=1)
            left -= day.weekday() < 5 and day not in calendar
        return day

    return third
