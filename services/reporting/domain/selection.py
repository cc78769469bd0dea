"""Which complaints a figure is asked of, and over which time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from shared.errors import FieldError, Invalid

GRAINS = ("day", "month", "quarter", "year")


@dataclass(frozen=True, slots=True)
class Selection:
    """`since` and `until` are days, both included; None leaves open. `where` gives dimensions and the one code that is
    meant of each. What the days are days of, receipt or closing or another, the figure says."""

    since: date | None = None
    until: date | None = None
    where: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.since and self.until and self.since > self.until:
            raise Invalid("The period ends before it begins.", errors=(FieldError("from", "later than `to`"),))

    @property
    def narrowed(self) -> bool:
        """Whether more is asked than a period."""
        return bool(self.where)

    def over(self, since: date | None, until: date | None) -> "Selection":
        """The same complaints over another time."""
        return replace(self, since=since, until=until)

    def narrowed_to(self, dimension: str, code: str) -> "Selection":
        return replace(self, where={**self.where, dimension: code})


@dataclass(frozen=True, slots=True)
class Parts:
    """A period cut up: whole `months` from the first to the last (by their first days), and the `days` before and after
    them. None on a side leaves it open; `months` None: there is no whole month."""

    months: tuple[date | None, date | None] | None
    days: tuple[tuple[date, date], ...]


def cut(since: date | None, until: date | None) -> Parts:
    """The whole months of a period, and its other days."""
    first = since if since is None or since.day == 1 else following(since, "month")
    last = until if until is None else following(until, "month") - timedelta(days=1)
    if until is not None and last != until:
        last = until.replace(day=1) - timedelta(days=1)
    if first is not None and last is not None and first > last:
        assert since is not None
        assert until is not None
        if following(since, "month") > until:  # within one month
            return Parts(None, ((since, until),))
        return Parts(None, ((since, first - timedelta(days=1)), (first, until)))
    days = []
    if since is not None and first is not None and since < first:
        days.append((since, first - timedelta(days=1)))
    if until is not None and last is not None and last < until:
        days.append((last + timedelta(days=1), until))
    return Parts((first, last.replace(day=1) if last else None), tuple(days))


def beginning(day: date, grain: str) -> date:
    """The first day of the day, month, quarter or year in which `day` lies."""
    match grain:
        case "day":
            return day
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case _:
            return day.replace(month=1, day=1)


def following(day: date, grain: str, by: int = 1) -> date:
    """The first day of the period `by` periods after that in which `day` lies; before it where `by` is below nought."""
    start = beginning(day, grain)
    if grain == "day":
        return start + timedelta(days=by)
    months = start.year * 12 + start.month - 1 + by * {"month": 1, "quarter": 3, "year": 12}[grain]
    return date(months // 12, months % 12 + 1, 1)


def name(day: date, grain: str) -> str:
    """How the period in which `day` lies is written: 2025-03-04, 2025-03, 2025-Q1, 2025."""
    match grain:
        case "day":
            return day.isoformat()
        case "month":
            return f"{day:%Y-%m}"
        case "quarter":
            return f"{day.year}-Q{(day.month + 2) // 3}"
        case _:
            return str(day.year)
