"""United Kingdom: what a firm publishes, and its complaints return to the FCA.

Counting rules (notes on DISP 1 Annex 1R): a complaint about several things is counted once, under its main part, which
is the record's `category`; partly upheld counts as upheld; rejected with a payment out of goodwill stays rejected.
`opened` is received in the period, `closed` closed in it, whenever it was received. A withdrawn complaint is closed and
not upheld. Reporting periods are six months by the firm's accounting reference date, from 2027 the calendar's halves.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from services.reporting.domain.returns.record import Record, of_jurisdiction
from services.reporting.domain.returns.table import (
    TOTAL,
    UNMAPPED,
    Crosswalk,
    Entry,
    NotInForce,
    Period,
    Table,
    percentage,
    rate,
    unmapped_note,
)

THRESHOLD = 500
"""Complaints opened in a half-year from which a firm must publish (DISP 1.10A.1R with 1.10.9R)."""
NEW_RETURN = date(2027, 1, 1)
"""The first day of the first half-year under PS25/19; Annex 1R serves to the day before."""
EIGHT_WEEKS = timedelta(weeks=8)

PUBLICATION = (
    "Product / Service",
    "Provision (at reporting period end date)",
    "Intermediation (within the reporting period)",
    "Number of complaints opened",
    "Number of complaints closed",
    "Percentage closed within 3 days",
    "Percentage closed after 3 days but within 8 weeks",
    "Percentage upheld",
    "Main cause of complaints opened",
)
"""The columns of DISP 1 Annex 1B."""
RETURN = ("Product", "Cause", "Outstanding at period start", "Opened", "Closed", "Upheld", "Redress")
VULNERABLE = "Customer identified as vulnerable"
"""Complaints opened whose complainant the bank has identified as vulnerable (PS25/19)."""
VULNERABILITY_FAILURE = "Failure to consider or respond to vulnerability"
"""Complaints opened that are about such a failure (PS25/19): of a type that the bank has set apart for it, as their
main type or a further one. Empty where it has set none apart: the programme's own types do not tell."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """How much business stands behind the complaints of a product group: 1,250,000 `accounts`, `policies`, ..."""

    number: int
    unit: str

    def text(self, complaints: int) -> str:
        """Complaints as a rate, such as `1.91 per 1,000 accounts`: two decimals, as the FCA's example has it."""
        found = rate(complaints, self.number, 1000, 2)
        return "" if found is None else f"{found} per 1,000 {self.unit}"


def publication(
    records: Iterable[Record],
    period: Period,
    products: Crosswalk,
    causes: Crosswalk,
    *,
    third_business_day: Callable[[date], date],
    provision: Mapping[str, Exposure],
    intermediation: Mapping[str, Exposure] | None = None,
) -> Table:
    """The firm's publication report (DISP 1.10A, Annex 1B), a row for each product group.

    `third_business_day` says by when a complaint received on a day is closed within three days (the close of the third
    business day after it, DISP 1.5.1R). `provision` and `intermediation` are by the regulator's product code;
    where there is none, the field is empty. Percentages are of the complaints closed in the period, whole, half up;
    what took longer than eight weeks is the rest. The main cause is the most frequent of those opened; of two
    equally frequent, the one that the regulator lists first.

    Below 500 complaints opened the firm need not publish; then a note says so. Raises WrongPeriod.
    """
    period.must_last(6)
    mine, notes = of_jurisdiction(records, "uk", "gb")
    opened = [r for r in mine if r.opened_in(period)]
    closed = [r for r in mine if r.closed_in(period)]
    if len(opened) < THRESHOLD:
        notes += (f"Complaints opened: {len(opened)}, fewer than {THRESHOLD}: publication is not required.",)
    rows = []
    for code in products.lines(products.of(r.product) for r in (*opened, *closed)):
        new = [r for r in opened if products.of(r.product) == code]
        done = [r for r in closed if products.of(r.product) == code]
        quick = sum(_within(r, third_business_day(r.received_day)) for r in done)
        timely = sum(_within(r, max(r.received_day + EIGHT_WEEKS, third_business_day(r.received_day))) for r in done)
        rows.append(
            (
                products.label(code),
                provision[code].text(len(new)) if code in provision else None,
                intermediation[code].text(len(new)) if intermediation and code in intermediation else None,
                len(new),
                len(done),
                percentage(quick, len(done)),
                percentage(timely - quick, len(done)),
                percentage(sum(r.upheld for r in done), len(done)),
                _main(causes, new),
            )
        )
    notes += _unmapped(products, causes, {r.reference: r for r in (*opened, *closed)}.values())
    return Table(f"Complaints publication report, {period}", PUBLICATION, tuple(rows), notes)


def annex_1r(
    records: Iterable[Record], period: Period, products: Crosswalk, causes: Crosswalk, *, currency: str = "GBP"
) -> Table:
    """The complaints return to the end of 2026 (DISP 1 Annex 1R): product x cause, a total for each product and one of
    all. Redress is what was paid on complaints closed in the period, in `currency`; a note tells how much of it went to
    complaints not upheld, and what was paid in other currencies.

    Raises WrongPeriod; NotInForce for periods that reach into 2027.
    """
    period.must_last(6)
    if period.until >= NEW_RETURN:
        raise NotInForce("Annex 1R serves to the end of 2026.")
    return _return(f"DISP 1 Annex 1R, {period}", records, period, products, causes, currency)


def return_2027(
    records: Iterable[Record],
    period: Period,
    products: Crosswalk,
    causes: Crosswalk,
    *,
    currency: str = "GBP",
    failure_types: Collection[str] = (),
) -> Table:
    """The consolidated return of PS25/19, for the calendar's half-years from 2027-01-01: as Annex 1R, with two columns
    on vulnerability. Its own table of products and causes is whatever the crosswalks lead to. `failure_types` are the
    desk's types for a failure to consider or respond to vulnerability.

    Raises WrongPeriod; NotInForce for earlier periods.
    """
    period.must_last(6, calendar=True)
    if period.since < NEW_RETURN:
        raise NotInForce("The new return begins with 2027.")
    records = tuple(records)
    table = _return(
        f"Complaints return (PS25/19), {period}", records, period, products, causes, currency, failure_types
    )
    unknown = sum(r.vulnerable is None and r.opened_in(period) for r in of_jurisdiction(records, "uk", "gb")[0])
    notes = table.notes
    if unknown:
        notes += (
            f"{VULNERABLE}: complaints opened of which it is not known, and which are not counted there: {unknown}.",
        )
    if not failure_types:
        notes += (f"{VULNERABILITY_FAILURE}: empty, since no type of complaint is set apart for it.",)
    return Table(table.name, table.columns, table.rows, notes)


def _return(
    name: str,
    records: Iterable[Record],
    period: Period,
    products: Crosswalk,
    causes: Crosswalk,
    currency: str,
    failure_types: Collection[str] | None = None,
) -> Table:
    mine, notes = of_jurisdiction(records, "uk", "gb")
    counted = [r for r in mine if r.opened_in(period) or r.closed_in(period) or r.open_at_start_of(period)]
    cells: dict[tuple[str, str], list[Record]] = {}
    for record in counted:
        cells.setdefault((products.of(record.product), causes.of(record.category)), []).append(record)
    lines = products.lines(product for product, _ in cells)
    heads = causes.lines(cause for _, cause in cells)

    def row(product: str, cause: str, those: Sequence[Record]) -> tuple[Entry, ...]:
        return (product, cause, *_figures(those, period, currency, failure_types))

    rows = []
    for product in lines:
        label = products.label(product)
        rows += [row(label, causes.label(cause), cells.get((product, cause), [])) for cause in heads]
        rows.append(row(label, TOTAL, [r for r in counted if products.of(r.product) == product]))
    rows.append(row(TOTAL, TOTAL, counted))
    columns = RETURN if failure_types is None else (*RETURN, VULNERABLE, VULNERABILITY_FAILURE)
    notes += _unmapped(products, causes, counted) + _money(counted, period, currency)
    return Table(name, columns, tuple(rows), notes)


def _figures(
    records: Sequence[Record], period: Period, currency: str, failure_types: Collection[str] | None
) -> tuple[Entry, ...]:
    opened = [r for r in records if r.opened_in(period)]
    closed = [r for r in records if r.closed_in(period)]
    figures: tuple[Entry, ...] = (
        sum(r.open_at_start_of(period) for r in records),
        len(opened),
        len(closed),
        sum(r.upheld for r in closed),
        sum((r.redress for r in closed if r.redress and r.currency == currency), Decimal(0)),
    )
    if failure_types is None:
        return figures
    failed = sum(bool({r.category, *r.further} & set(failure_types)) for r in opened)
    return (*figures, sum(r.vulnerable is True for r in opened), failed if failure_types else None)


def _money(records: Sequence[Record], period: Period, currency: str) -> tuple[str, ...]:
    paid = [r for r in records if r.closed_in(period) and r.redress]
    goodwill = sum((r.redress or Decimal(0) for r in paid if not r.upheld and r.currency == currency), Decimal(0))
    notes = (f"Redress: {goodwill} {currency} of it on complaints that were not upheld.",) if goodwill else ()
    foreign: Counter[str] = Counter()
    other: dict[str, Decimal] = {}
    for record in paid:
        if record.currency != currency:
            unit = record.currency or "(currency not known)"
            other[unit] = other.get(unit, Decimal(0)) + (record.redress or Decimal(0))
            foreign[unit] += 1
    return notes + tuple(
        f"Redress: not included, {amount} {unit} (complaints: {foreign[unit]})."
        for unit, amount in sorted(other.items())
    )


def _within(record: Record, last: date) -> bool:
    return record.closed_day is not None and record.closed_day <= last


def _main(causes: Crosswalk, records: Sequence[Record]) -> str | None:
    counted = Counter(causes.of(r.category) for r in records)
    codes = causes.lines(counted)
    return causes.label(max(codes, key=lambda code: counted[code])) if counted else None


def _unmapped(products: Crosswalk, causes: Crosswalk, records: Iterable[Record]) -> tuple[str, ...]:
    those = list(records)
    return unmapped_note("product", (r.product for r in those if products.of(r.product) == UNMAPPED)) + unmapped_note(
        "type", (r.category for r in those if causes.of(r.category) == UNMAPPED)
    )
