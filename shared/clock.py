"""Time as an argument: services take a `Clock`, tests give their own."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

Clock = Callable[[], datetime]


def utcnow() -> datetime:
    """The present moment, aware, in UTC, to the millisecond.

    Milliseconds, so that what an answer shows is exactly what the database keeps.
    """
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def rfc3339(moment: datetime) -> str:
    """`moment` as RFC 3339 in UTC with milliseconds and `Z`. Raises ValueError for a naive time."""
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    return _in_utc(moment.astimezone(UTC))


@lru_cache(maxsize=256)  # a batch says its own moment thousands of times; in UTC, equal moments have equal texts
def _in_utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
