"""Hong Kong: the monthly figures of complaints, as the HKMA publishes its own."""

from collections.abc import Iterable

from services.reporting.domain.returns.record import Record, of_jurisdiction
from services.reporting.domain.returns.table import TOTAL, UNMAPPED, Crosswalk, Period, Table, unmapped_note

COLUMNS = ("complaints about", "received", "completed", "in progress")


def monthly(records: Iterable[Record], period: Period, natures: Crosswalk) -> Table:
    """Complaints received and completed in the month, and in progress at its end, about general banking services and
    about conduct. `natures` leads from types to the two. In progress are all that are open, whenever they were
    received: with those in progress a month ago, received less completed. Raises WrongPeriod."""
    period.must_last(1)
    mine, notes = of_jurisdiction(records, "hk")
    counted = [r for r in mine if r.opened_in(period) or r.closed_in(period) or r.open_at_end_of(period)]

    def row(label: str, those: list[Record]) -> tuple[str, int, int, int]:
        return (
            label,
            sum(r.opened_in(period) for r in those),
            sum(r.closed_in(period) for r in those),
            sum(r.open_at_end_of(period) for r in those),
        )

    rows = [
        row(natures.label(code), [r for r in counted if natures.of(r.category) == code])
        for code in natures.lines(natures.of(r.category) for r in counted)
    ]
    notes += unmapped_note("type", (r.category for r in counted if natures.of(r.category) == UNMAPPED))
    return Table(f"Complaints, {period}", COLUMNS, (*rows, row(TOTAL, counted)), notes)
