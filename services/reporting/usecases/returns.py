"""Returns to regulators, made from the facts of a period. How each is counted, `domain.returns` says.

What stands behind complaints (accounts, outlets, customers) comes from `bases`, or from whoever asks. A complaint that
names no jurisdiction is of the bank's own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting import returns as lists
from services.reporting import store
from services.reporting.domain.base import Bases as Counted
from services.reporting.domain.fact import REDRESS_UNIT, Fact
from services.reporting.domain.place import OPEN, UNCLASSIFIED, UNROUTED, UNSTATED
from services.reporting.domain.returns import Crosswalk, Period, Record, Table, china, hongkong, rows, uk
from services.reporting.domain.returns.uk import Exposure
from services.reporting.figures import reading
from services.reporting.returns import business_days
from services.reporting.store import exporting, surveys
from shared import i18n
from shared.db import Database
from shared.errors import FieldError, Invalid

Part = Literal["half", "quarter", "month"]
PARTS: dict[Part, int] = {"half": 2, "quarter": 4, "month": 12}
Name = Literal[
    "uk_publication",
    "uk_1r",
    "uk_2027",
    "china_quarter",
    "china_business",
    "china_branch",
    "hk_month",
    "asic",
    "cfpb",
]

PRODUCT_GROUPS = tuple(lists.labels()["uk_product"])
"""The FCA's, to which exposures are given."""
BaseAt = Callable[[str, Mapping[str, str], date], int | None]
"""How many `customers`, `accounts` or `branches` there were, of the bank or under one code of a dimension, on a day."""


Bases = Callable[[AsyncSession], Awaitable[BaseAt]]
"""Reads them."""


async def known_bases(session: AsyncSession) -> BaseAt:
    """Those that the bank has entered."""
    wanted = (("accounts", "product"), ("customers", None), ("branches", None))
    counts = [one for kind, dimension in wanted for one in await surveys.base_counts(session, kind, dimension)]
    return Counted(counts).at


async def no_bases(session: AsyncSession) -> BaseAt:
    """Nothing is known of what stands behind complaints."""
    return lambda kind, where, day: None


class BaseMissing(Invalid):
    """The return relates complaints to a number that is not known: give it with the request."""

    code = "base_missing"


class NoSuchPart(Invalid):
    """The year has no such part."""

    code = "no_such_part"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a return is made with beside the complaints. `first_month`: the month in which the first half of the firm's
    own year begins. `provision` and `intermediation` are by the regulator's product code."""

    year: int
    part: int
    first_month: int = 1
    script: china.Script = "zh-Hans"
    firm: str = ""
    outlets: int | None = None
    customers: int | None = None
    provision: Mapping[str, int] = field(default_factory=dict)
    intermediation: Mapping[str, int] = field(default_factory=dict)
    failure_types: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Return:
    """`needs` are parameters without which it is not made, `takes` those that it can do without."""

    name: Name
    title: str
    jurisdictions: tuple[str, ...]
    part: Part
    source: str
    make: Callable[[Sequence[Record], Period, Asked, BaseAt], Table] = field(repr=False)
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    of: Return
    period: Period
    table: Table


def period_of(which: Return, asked: Asked) -> Period:
    """Raises NoSuchPart."""
    most = PARTS[which.part]
    if not 1 <= asked.part <= most:
        raise NoSuchPart(errors=(FieldError("part", f"this return is made by {which.part}, 1 to {most}"),))
    if asked.first_month != 1 and "first_month" not in which.takes:
        raise Invalid(errors=(FieldError("first_month", "this return is made for parts of the calendar year"),))
    months = 12 // most
    first = asked.year * 12 + asked.first_month - 1 + months * (asked.part - 1)
    return Period.of(first // 12, first % 12 + 1, months)


async def make(db: Database, name: Name, asked: Asked, *, home: str, today: date, bases: Bases = no_bases) -> Made:
    """The return, of one moment. `home` is the jurisdiction of complaints that name none. Raises NoSuchPart,
    BaseMissing, WrongPeriod, NotInForce."""
    which = RETURNS[name]
    period = period_of(which, asked)
    async with db.reading() as session:
        await reading.agree(session)
        known = await bases(session)
        found = await records(session, which.jurisdictions, period, home=home)
    # off the loop: half a year of a large bank takes seconds to count
    table = await asyncio.to_thread(which.make, found, period, asked, known)
    if period.until >= today:
        note = f"The period is not over: complaints to {min(today, period.until)}. Not to be filed."
        table = replace(table, notes=(*table.notes, note))
    return Made(which, period, table)


async def records(session: AsyncSession, codes: Sequence[str], period: Period, *, home: str) -> list[Record]:
    """The complaints of a jurisdiction that a return of `period` may count: received by its end, and not closed before
    it began."""
    slot = await exporting.live(session)
    query = exporting.standing(slot, codes, home, UNSTATED, period.since, period.until)
    found: list[Record] = []
    async for batch in exporting.batches(session, query, store.facts, ("day", "complaint_id")):
        found += await asyncio.to_thread(_records, batch, home)
    return found


def _records(rows: Sequence[Any], home: str) -> list[Record]:
    return [_record(row, home) for row in rows]


def _record(row: Any, home: str) -> Record:
    fact = Fact.load(row.complaint_id, row.known)
    return Record(
        reference=row.reference or row.complaint_id,
        received_day=row.day,
        channel=row.channel,
        closed_day=row.closed_day,
        outcome=_known(row.outcome, OPEN),
        product=_known(row.product, UNSTATED),
        category=_known(row.category, UNCLASSIFIED),
        root_cause=_known(row.root_cause, OPEN),
        branch=_known(row.branch, UNSTATED),
        department=_known(row.department, UNROUTED),
        severity=_known(row.severity, UNCLASSIFIED),
        language=_known(row.language, UNSTATED),
        redress=None if row.redress is None else _money(row.redress),
        currency=row.currency,
        # a plain no of the row may mean that nobody asked
        vulnerable=fact.vulnerable if "amended" in fact.stamps else None,
        jurisdiction=_known(row.jurisdiction, UNSTATED) or home,
    )


def _known(code: str, unknown: str) -> Any:
    return None if code == unknown else code


def _money(units: int) -> Decimal:
    """Two decimals, or four where there are as many."""
    amount = units * REDRESS_UNIT
    return amount.quantize(Decimal("0.01")) if units % 100 == 0 else amount


# --- each return ------------------------------------------------------------------------------------------------------


def by_product(records: Sequence[Record], types: Crosswalk) -> Sequence[Record]:
    """Records whose type and product together lead somewhere (`product/wealth`) with both as their type."""
    if not any("/" in code for code in types.ways):
        return records
    found = []
    for record in records:
        both = f"{record.category}/{record.product}"
        found.append(replace(record, category=both) if both in types.ways else record)
    return found


def _exposures(
    given: Mapping[str, int], products: Crosswalk, bases: BaseAt, day: date
) -> tuple[dict[str, Exposure], tuple[str, ...]]:
    """What was given, else the accounts of those of our products that lead to a product group and of which they are
    known, with a note which these are."""
    units = lists.labels()["uk_unit"]
    found, notes = {}, []
    for theirs, label in products.labels.items():
        ours = {code: bases("accounts", {"product": code}, day) for code, to in products.ways.items() if to == theirs}
        known = {code: n for code, n in ours.items() if n}
        if number := given.get(theirs):
            found[theirs] = Exposure(number, units[theirs])
        elif known:
            found[theirs] = Exposure(sum(known.values()), units[theirs])
            notes.append(f"Provision, {label}: the accounts known of {', '.join(known)}.")
    return found, tuple(notes)


def _uk(language: str = "en") -> tuple[Crosswalk, Crosswalk]:
    return lists.our_crosswalk("uk_product", language=language), lists.our_crosswalk("uk_cause", language=language)


def _uk_publication(found: Sequence[Record], period: Period, asked: Asked, bases: BaseAt) -> Table:
    products, causes = _uk()
    units = lists.labels()["uk_unit"]
    provision, notes = _exposures(asked.provision, products, bases, period.until)
    made = uk.publication(
        by_product(found, causes),
        period,
        products,
        causes,
        third_business_day=business_days.third_after("GB", "ENG"),
        provision=provision,
        intermediation={code: Exposure(n, units[code]) for code, n in asked.intermediation.items() if n},
    )
    return replace(made, notes=(*made.notes, *notes, business_days.NOTE.format(place="England and Wales")))


def _uk_1r(found: Sequence[Record], period: Period, asked: Asked, bases: BaseAt) -> Table:
    products, causes = _uk()
    return uk.annex_1r(by_product(found, causes), period, products, causes)


def _uk_2027(found: Sequence[Record], period: Period, asked: Asked, bases: BaseAt) -> Table:
    products, causes = _uk()
    mine = by_product(found, causes)
    made = uk.return_2027(mine, period, products, causes, failure_types=asked.failure_types)
    stand_in = "Products and causes are those of Annex 1R: the table of PS25/19 is not entered yet."
    return replace(made, notes=(*made.notes, stand_in))


def _china_quarter(found: Sequence[Record], period: Period, asked: Asked, bases: BaseAt) -> Table:
    outlets = asked.outlets or bases("branches", {}, period.until)
    customers = asked.customers or bases("customers", {}, period.until)
    numbers = {"outlets": outlets, "customers": customers}
    if missing := [name for name, number in numbers.items() if not number]:
        raise BaseMissing(errors=tuple(FieldError(name, "is not known for the end of the period") for name in missing))
    return china.quarter(found, period, outlets=outlets or 0, personal_customers=customers or 0, script=asked.script)


def _china_business(found: Sequence[Record], period: Period, asked: Asked, bases: BaseAt) -> Table:
    business = lists.our_crosswalk("china_business", language=asked.script)
    return china.by_business(found, period, business, script=asked.script)


def _china_branch(found: Sequence[Record], period: Period, asked: Asked, bases: BaseAt) -> Table:
    channels = lists.our_crosswalk("china_channel", language=asked.script)
    return china.by_branch(found, period, channels, script=asked.script)


def _hk_month(found: Sequence[Record], period: Period, asked: Asked, bases: BaseAt) -> Table:
    natures = lists.our_crosswalk("hk_nature")
    return hongkong.monthly(by_product(found, natures), period, natures)


def _own_words(kind: str, used: Sequence[str | None]) -> Crosswalk:
    """Our codes in our own English words, those with shared labels first."""
    english = i18n.catalogue("en")
    codes = dict.fromkeys([*i18n.codes(kind), *sorted({code for code in used if code})])
    return Crosswalk({code: str(english.pgettext(kind, code)) for code in codes}, {code: code for code in codes})


def _asic(found: Sequence[Record], period: Period, asked: Asked, bases: BaseAt) -> Table:
    made = rows.asic(
        found,
        period,
        brand=asked.firm,
        products=_own_words("product", [r.product for r in found]),
        issues=_own_words("category", [r.category for r in found]),
        channels=_own_words("channel", [r.channel for r in found]),
        outcomes=_own_words("outcome", [r.outcome for r in found]),
    )
    own = "Product, issue, channel and outcome are in the bank's own words: ASIC's codes are not entered yet."
    return replace(made, notes=(*made.notes, own))


def _cfpb(found: Sequence[Record], period: Period, asked: Asked, bases: BaseAt) -> Table:
    issues = lists.our_crosswalk("us_issue")
    products, channels = lists.our_crosswalk("us_product"), lists.our_crosswalk("us_channel")
    mine = by_product(found, issues)
    return rows.cfpb(mine, period, company=asked.firm, products=products, issues=issues, channels=channels)


_GB, _CN = ("uk", "gb"), ("cn",)
RETURNS: dict[Name, Return] = {
    r.name: r
    for r in (
        Return(
            "uk_publication",
            "Complaints publication report",
            _GB,
            "half",
            "FCA Handbook, DISP 1.10A and DISP 1 Annex 1B",
            _uk_publication,
            takes=("first_month", "provision", "intermediation"),
        ),
        Return(
            "uk_1r",
            "Complaints return to the end of 2026",
            _GB,
            "half",
            "FCA Handbook, DISP 1 Annex 1R",
            _uk_1r,
            takes=("first_month",),
        ),
        Return("uk_2027", "Complaints return from 2027", _GB, "half", "FCA PS25/19", _uk_2027, takes=("failure_type",)),
        Return(
            "china_quarter",
            "Quarterly figures",
            _CN,
            "quarter",
            "NFRA, quarterly circular on complaints",
            _china_quarter,
            needs=("outlets", "customers"),
            takes=("script",),
        ),
        Return(
            "china_business",
            "Quarterly figures by business",
            _CN,
            "quarter",
            "NFRA, quarterly circular on complaints",
            _china_business,
            takes=("script",),
        ),
        Return(
            "china_branch",
            "Quarterly figures by branch and channel",
            _CN,
            "quarter",
            "JR/T 0169-2018, channel axis",
            _china_branch,
            takes=("script",),
        ),
        Return("hk_month", "Monthly figures", ("hk",), "month", "HKMA, monthly complaint figures", _hk_month),
        Return(
            "asic",
            "Internal dispute resolution data",
            ("au",),
            "half",
            "ASIC, IDR data reporting",
            _asic,
            takes=("firm",),
        ),
        Return(
            "cfpb",
            "Consumer complaints in the CFPB's public columns",
            ("us",),
            "month",
            "CFPB, Consumer Complaint Database",
            _cfpb,
            takes=("firm",),
        ),
    )
}
