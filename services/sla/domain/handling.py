"""How long complaints take, from those that came to their end: what tells which open ones must be begun first. Pure.

Times are kept as counts in buckets that grow by a fifth each, so that a median is right within a tenth, and
takes no more room however many complaints there were.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

_GROWTH = 1.2
_LEAST = 20
"""Complaints below which a median says nothing."""
_MEDIAN = 0.5


def bucket(taken: timedelta) -> int:
    """The bucket of a time; 0 holds all up to an hour."""
    hours = max(taken.total_seconds() / 3600, 1.0)
    return math.floor(math.log(hours, _GROWTH))


def middle(number: int) -> timedelta:
    """The time that a bucket stands for."""
    return timedelta(hours=_GROWTH ** (number + 0.5))


@dataclass(slots=True)
class Estimates:
    """Medians by department and type; where there are too few, by department; else of all; else none."""

    medians: dict[tuple[str | None, str | None], timedelta] = field(default_factory=dict)

    @classmethod
    def of(cls, counts: Iterable[tuple[str, str, int, int]]) -> "Estimates":
        """From (department, category, bucket, count)."""
        groups: dict[tuple[str | None, str | None], dict[int, int]] = {}
        for department, category, number, count in counts:
            for key in ((department, category), (department, None), (None, None)):
                group = groups.setdefault(key, {})
                group[number] = group.get(number, 0) + count
        return cls({key: _median(group) for key, group in groups.items() if sum(group.values()) >= _LEAST})

    def expected(self, department: str | None, category: str | None) -> timedelta | None:
        """How long such a complaint usually takes from receipt to its final response."""
        for key in ((department, category), (department, None), (None, None)):
            if key in self.medians:
                return self.medians[key]
        return None


def _median(group: dict[int, int]) -> timedelta:
    half = sum(group.values()) * _MEDIAN
    passed = 0
    for number in sorted(group):
        passed += group[number]
        if passed >= half:
            return middle(number)
    raise ValueError("an empty group")
