"""By when what the desk reports has to be there."""

from collections.abc import Iterator
from datetime import date, timedelta

from services.reporting.domain.returns import Period

REPORT_DAYS = 5
"""After the end of a month, to its management report."""
SUMMARY_DAYS = 60
"""After the end of a quarter, to what the public reads of it."""
RETURN_DAYS = 30
"""After the end of its period, to a regulator's return."""


def due(months: int, days: int, since: date, until: date) -> Iterator[tuple[Period, date]]:
    """Parts of the calendar year, of so many months each, of which something is due so many days after their end; those
    whose last day in time lies before `until` and not before `since`, latest first."""
    part = date(until.year, (until.month - 1) // months * months + 1, 1)
    while True:
        ended = part - timedelta(days=1)
        begun = date(ended.year, (ended.month - 1) // months * months + 1, 1)
        last = ended + timedelta(days=days)
        if last < since:
            return
        if last < until:
            yield Period.of(begun.year, begun.month, months), last
        part = begun
