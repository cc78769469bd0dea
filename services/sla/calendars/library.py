"""Holidays and make-up workdays of the `holidays` library, and the days that regularly are none, as plain dates."""

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

YEARS = range(2010, 2041)
"""The years that every calendar has written out. Before and after, only weekends are known."""
_SUBSTITUTED = re.compile(r"substituted from (\d\d)/(\d\d)/(\d{4})")


def holidays_of(
    *, country: str | None, market: str | None, subdiv: str | None, categories: Iterable[str], language: str | None,
    years: Iterable[int],
) -> tuple[dict[date, str], dict[date, str]]:  # fmt: skip
    """The holidays with their names, and the make-up workdays on weekends with what they make up for.

    Raises NotImplementedError or ValueError for what the library does not know.
    """
    import holidays  # it takes a while, and who only reads kept calendars does not need it

    # the names go into the calendar's version: they must not hang on the language of the machine
    options: dict[str, Any] = {"years": years, "language": language, "subdiv": subdiv}
    if chosen := tuple(categories):
        options["categories"] = chosen
    if market is not None:
        found = holidays.financial_holidays(market, **options)
    else:
        found = holidays.country_holidays(country or "", **options)
    names: dict[date, str] = {}
    made_up = {day: "make-up workday" for day in found.weekend_workdays if day.year in years}
    for day, name in found.items():
        names[day] = name
        if substituted := _SUBSTITUTED.search(name):
            month, of_month, year = map(int, substituted.groups())
            worked = date(year, month, of_month)
            names[day] = f"day off, made up for on {worked}"
            if worked in made_up:
                made_up[worked] = f"make-up workday for the day off on {day}"
    return names, made_up


def regularly(weekday: int, which: Iterable[int], since: date, years: Iterable[int]) -> Iterator[date]:
    """The days of `years` from `since` on that are the `which`-th (from 1) such `weekday` of their month."""
    for year in years:
        for month in range(1, 13):
            first = date(year, month, 1)
            for n in which:
                day = first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))
                if day.month == month and day >= since:
                    yield day
