"""Returns with a row for each complaint: Australia's to ASIC, and the public columns of the CFPB's database.

They ask for more than reporting knows: who complains is known to intake alone, which can erase it. Such columns stay
empty, and the docstring beside each says why; whoever files the return joins them from intake by the identifier.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from services.reporting.domain.returns.record import Record, of_jurisdiction
from services.reporting.domain.returns.table import UNMAPPED, Crosswalk, Entry, Period, Table, unmapped_note

IDENTIFIER = "identifier"
"""The desk's opaque reference; never used twice."""
BRAND = "brand"
"""The licensee's brand: one for the whole return, given by who files it."""
COMPLAINT_TYPE = "complaint type"
"""Empty: what ASIC's codes for it mean was not available to this project, and nothing is guessed in a return."""
GENDER = "gender"
"""Empty: nobody is asked, and reporting knows nothing of persons. ASIC lets it be not stated."""
AGE = "age"
"""Empty: reporting knows nothing of persons."""
POSTCODE = "postcode"
"""Empty: addresses are personal data and live in intake."""
STATUS = "status"
"""`open` or `closed`, as the complaint stood on the last day of the period."""
CHANNEL = "channel"
RECEIVED = "date received"
CLOSED = "date closed"
"""Empty while it is open."""
DAYS = "days to resolve"
"""Calendar days from receipt to closing, 0 on the same day; empty while it is open."""
REPRESENTATIVE = "representative flag"
"""Empty: whether a representative is concerned or complains is said to intake, and no event tells."""
PRODUCT = "product"
ISSUE = "issue"
OUTCOME = "outcome"
"""Empty while it is open."""

ASIC = (
    IDENTIFIER,
    BRAND,
    COMPLAINT_TYPE,
    GENDER,
    AGE,
    POSTCODE,
    STATUS,
    CHANNEL,
    RECEIVED,
    CLOSED,
    DAYS,
    REPRESENTATIVE,
    PRODUCT,
    ISSUE,
    OUTCOME,
)
"""The columns of ASIC's internal dispute resolution data, in order."""

CFPB = (
    "Date received",
    "Product",
    "Sub-product",
    "Issue",
    "Sub-issue",
    "Consumer complaint narrative",
    "Company public response",
    "Company",
    "State",
    "ZIP code",
    "Tags",
    "Consumer consent provided?",
    "Submitted via",
    "Date sent to company",
    "Company response to consumer",
    "Timely response?",
    "Consumer disputed?",
    "Complaint ID",
)
"""The public columns of the CFPB's Consumer Complaint Database, as its CSV writes them."""
TIMELY = timedelta(days=15)
"""A company responds within 15 calendar days (CFPB, company portal)."""


def asic(
    records: Iterable[Record],
    period: Period,
    *,
    brand: str,
    products: Crosswalk,
    issues: Crosswalk,
    channels: Crosswalk,
    outcomes: Crosswalk,
) -> Table:
    """ASIC's internal dispute resolution data of a half-year of the calendar: a row for each complaint that was
    received in it or still open when it began, as it stood at its end, in order of receipt. `issues` leads from types.

    Raises WrongPeriod.
    """
    period.must_last(6, calendar=True)
    mine, notes = of_jurisdiction(records, "au")
    counted = sorted(
        (r for r in mine if r.opened_in(period) or r.open_at_start_of(period)),
        key=lambda r: (r.received_day, r.reference),
    )
    done = [r for r in counted if not r.open_at_end_of(period)]
    rows = tuple(_asic(r, period, brand, products, issues, channels, outcomes) for r in counted)
    notes += unmapped_note("product", (r.product for r in counted if products.of(r.product) == UNMAPPED))
    notes += unmapped_note("type", (r.category for r in counted if issues.of(r.category) == UNMAPPED))
    notes += unmapped_note("channel", (r.channel for r in counted if channels.of(r.channel) == UNMAPPED))
    notes += unmapped_note("outcome", (r.outcome for r in done if outcomes.of(r.outcome) == UNMAPPED))
    notes += (f"Empty, to be joined from intake: {COMPLAINT_TYPE}, {GENDER}, {AGE}, {POSTCODE}, {REPRESENTATIVE}.",)
    return Table(f"Internal dispute resolution data, {period}", ASIC, rows, notes)


def _asic(
    record: Record,
    period: Period,
    brand: str,
    products: Crosswalk,
    issues: Crosswalk,
    channels: Crosswalk,
    outcomes: Crosswalk,
) -> tuple[Entry, ...]:
    closed: date | None = None if record.open_at_end_of(period) else record.closed_day
    known: dict[str, Entry] = {
        IDENTIFIER: record.reference,
        BRAND: brand,
        STATUS: "closed" if closed else "open",
        CHANNEL: channels.label(channels.of(record.channel)),
        RECEIVED: record.received_day,
        CLOSED: closed,
        DAYS: (closed - record.received_day).days if closed else None,
        PRODUCT: products.label(products.of(record.product)),
        ISSUE: issues.label(issues.of(record.category)),
        OUTCOME: outcomes.label(outcomes.of(record.outcome)) if closed else None,
    }
    return tuple(known.get(column) for column in ASIC)


def cfpb(
    records: Iterable[Record],
    period: Period,
    *,
    company: str,
    products: Crosswalk,
    issues: Crosswalk,
    channels: Crosswalk,
) -> Table:
    """The bank's complaints received in `period` in the public columns of the CFPB, in order of receipt.

    Empty are: sub-product and sub-issue (the desk's codes do not go so far), narrative and consent (published only with
    the consumer's consent, which is given to the CFPB), public response, state, ZIP code and tags (reporting knows
    nothing of persons; `vulnerable` is not one of the CFPB's tags), and the day sent to the company (the CFPB's own).
    `Consumer disputed?` is `N/A`, as the CFPB has it since it stopped asking in April 2017. `Timely response?` is `Yes`
    where the complaint was closed within 15 days; otherwise empty, since an answer in progress counts and is not known.
    """
    mine, notes = of_jurisdiction(records, "us")
    counted = sorted((r for r in mine if r.opened_in(period)), key=lambda r: (r.received_day, r.reference))
    rows = []
    for record in counted:
        known: dict[str, Entry] = {
            "Date received": record.received_day,
            "Product": products.label(products.of(record.product)),
            "Issue": issues.label(issues.of(record.category)),
            "Company": company,
            "Submitted via": channels.label(channels.of(record.channel)),
            "Company response to consumer": response(record),
            "Timely response?": "Yes" if _timely(record) else None,
            "Consumer disputed?": "N/A",
            "Complaint ID": record.reference,
        }
        rows.append(tuple(known.get(column) for column in CFPB))
    notes += unmapped_note("product", (r.product for r in counted if products.of(r.product) == UNMAPPED))
    notes += unmapped_note("type", (r.category for r in counted if issues.of(r.category) == UNMAPPED))
    notes += unmapped_note("channel", (r.channel for r in counted if channels.of(r.channel) == UNMAPPED))
    return Table(f"Consumer complaints, {period}", CFPB, tuple(rows), notes)


def response(record: Record) -> str:
    """The company's response in the CFPB's words: with monetary relief whatever the reason for which it was paid, with
    non-monetary relief where the complaint was upheld without payment, else with explanation."""
    if record.closed_day is None:
        return "In progress"
    if record.redress:
        return "Closed with monetary relief"
    return "Closed with non-monetary relief" if record.upheld else "Closed with explanation"


def _timely(record: Record) -> bool:
    return record.closed_day is not None and record.closed_day - record.received_day <= TIMELY
