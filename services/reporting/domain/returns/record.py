"""What reporting knows of one complaint, as returns need it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from services.reporting.domain.returns.table import Period

Outcome = Literal["upheld", "partly_upheld", "rejected", "goodwill", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Record:
    """One complaint. Codes are the desk's own: `category` is its main type, `further` are the other types that it is
    also of. Days are those of the bank's time zone. `redress` is what was paid, in `currency` (ISO 4217).
    `vulnerable` is None where nobody asked. `jurisdiction` as the policy packs write it (`uk`, `uk-eng`, `hk`);
    whoever makes records fills in the bank's own where a complaint names none.
    """

    reference: str
    received_day: date
    channel: str
    closed_day: date | None = None
    outcome: Outcome | None = None
    product: str | None = None
    category: str | None = None
    further: tuple[str, ...] = ()
    root_cause: str | None = None
    branch: str | None = None
    department: str | None = None
    severity: str | None = None
    language: str | None = None
    redress: Decimal | None = None
    currency: str | None = None
    vulnerable: bool | None = None
    jurisdiction: str | None = None

    @property
    def upheld(self) -> bool:
        """Partly upheld counts as upheld; rejected with a payment out of goodwill stays rejected (notes on DISP 1 Annex
        1R)."""
        return self.outcome in ("upheld", "partly_upheld")

    def opened_in(self, period: Period) -> bool:
        return self.received_day in period

    def closed_in(self, period: Period) -> bool:
        return self.closed_day is not None and self.closed_day in period

    def open_at_start_of(self, period: Period) -> bool:
        """Outstanding when the period began: received before it, not closed before it."""
        return self.received_day < period.since and (self.closed_day is None or self.closed_day >= period.since)

    def open_at_end_of(self, period: Period) -> bool:
        return self.received_day <= period.until and (self.closed_day is None or self.closed_day > period.until)


def of_jurisdiction(records: Iterable[Record], *codes: str) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """The records of a jurisdiction or a part of it (`uk-eng` is of `uk`), and a note if some are of none at all."""
    everything = tuple(records)
    mine = tuple(r for r in everything if r.jurisdiction is not None and r.jurisdiction.lower().split("-")[0] in codes)
    nowhere = sum(r.jurisdiction is None for r in everything)
    return mine, (f"Complaints without a jurisdiction, not counted here: {nowhere}.",) if nowhere else ()
