"""What returns are made of: periods, crosswalks, tables, rounding."""

from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from shared.errors import Invalid

UNMAPPED = "unmapped"
TOTAL = "Total"

Entry = str | int | Decimal | date | None
"""What stands in a table. None is an empty field."""


class WrongPeriod(Invalid):
    """The return is not made for such a period."""

    code = "wrong_reporting_period"


class NotInForce(Invalid):
    """The return is not, or no longer, in force in that period."""

    code = "return_not_in_force"


@dataclass(frozen=True, slots=True)
class Period:
    """Whole calendar months, from `since` to `until`, both included. Raises WrongPeriod."""

    since: date
    until: date

    def __post_init__(self) -> None:
        whole = self.since.day == 1 and self.until.day == monthrange(self.until.year, self.until.month)[1]
        if not whole or self.until < self.since:
            raise WrongPeriod("A period is of whole calendar months.")

    @classmethod
    def of(cls, year: int, month: int, months: int) -> "Period":
        """`months` months from `month` (1..12) of `year`."""
        last = year * 12 + month - 1 + months - 1
        end, number = divmod(last, 12)
        return cls(date(year, month, 1), date(end, number + 1, monthrange(end, number + 1)[1]))

    @classmethod
    def month(cls, year: int, month: int) -> "Period":
        return cls.of(year, month, 1)

    @classmethod
    def quarter(cls, year: int, quarter: int) -> "Period":
        """`quarter` 1..4."""
        return cls.of(year, 3 * quarter - 2, 3)

    @classmethod
    def half(cls, year: int, half: int) -> "Period":
        """`half` 1 or 2."""
        return cls.of(year, 6 * half - 5, 6)

    @property
    def months(self) -> int:
        return (self.until.year - self.since.year) * 12 + self.until.month - self.since.month + 1

    def __contains__(self, day: date) -> bool:
        return self.since <= day <= self.until

    def __str__(self) -> str:
        return f"{self.since} to {self.until}"

    def must_last(self, months: int, *, calendar: bool = False) -> None:
        """Raises WrongPeriod unless it is `months` months long, and with `calendar` one of the year's own: a quarter
        begins in January, April, July or October."""
        if self.months != months or (calendar and (self.since.month - 1) % months):
            raise WrongPeriod(f"This return is made for {months} months" + (" of the calendar." if calendar else "."))


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """From the desk's codes to a regulator's. `labels`: the regulator's code -> its words, in its order. `ways`: ours
    -> theirs. What leads nowhere, and what leads to a code without a label, is `unmapped`."""

    labels: Mapping[str, str]
    ways: Mapping[str, str]

    def of(self, code: str | None) -> str:
        """The regulator's code, or `unmapped`."""
        found = self.ways.get(code, UNMAPPED) if code is not None else UNMAPPED
        return found if found in self.labels else UNMAPPED

    def label(self, code: str) -> str:
        """The regulator's words for its own code; `unmapped` stands for itself."""
        return self.labels.get(code, UNMAPPED)

    def lines(self, used: Iterable[str]) -> tuple[str, ...]:
        """The regulator's codes in its order, whether used or not; `unmapped` at the end where it is among `used`."""
        return (*self.labels, UNMAPPED) if UNMAPPED in set(used) else tuple(self.labels)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a return: every row has an entry for each column."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), "a row is not as wide as the table"

    def column(self, name: str) -> tuple[Entry, ...]:
        """Everything under one heading. Raises ValueError if there is none such."""
        place = self.columns.index(name)
        return tuple(row[place] for row in self.rows)


def unmapped_note(what: str, codes: Iterable[str | None]) -> tuple[str, ...]:
    """A note on what was counted as unmapped, none if nothing was. `codes` are the desk's own, one a complaint."""
    lost = list(codes)
    if not lost:
        return ()
    named = ", ".join(sorted({code or "(none)" for code in lost}))
    return (f"Complaints of a {what} that leads to none of this return's, under `{UNMAPPED}`: {len(lost)} ({named}).",)


def rounded(number: Decimal, places: int = 0) -> Decimal:
    """`number` to `places` decimals, half up, as people round (and not to even)."""
    return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def percentage(part: int, whole: int, places: int = 0) -> Decimal | None:
    """`part` in 100 of `whole`; None of nothing."""
    return rounded(Decimal(100 * part) / whole, places) if whole else None


def rate(count: int, number: int, per: int, places: int) -> Decimal | None:
    """`count` for every `per` of `number`; None where there are none of them."""
    return rounded(Decimal(count * per) / number, places) if number else None
