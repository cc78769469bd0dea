"""China: the quarterly figures that the regulator circulates of each bank, and the branch cross-tab of JR/T 0169-2018.

The regulator writes them as 通報 of one quarter: complaints, complaints per thousand outlets and per ten million
personal customers, rates to one decimal (as in 237.7 件/千營業網點, second quarter of 2020). Its counts are of
complaints that came through the regulator, its shares and medians are of a class of banks. One bank can give its own
count, its own rates, and the share of each business in its own complaints; the rest is for the supervisor.

Headings are in both scripts: `zh-Hans` to file, `zh-Hant` to read.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from services.reporting.domain.returns.record import Record, of_jurisdiction
from services.reporting.domain.returns.table import (
    UNMAPPED,
    Crosswalk,
    Entry,
    Period,
    Table,
    percentage,
    rate,
    unmapped_note,
)

Script = Literal["zh-Hant", "zh-Hans"]

QUARTER = {
    "zh-Hant": ("投訴量", "件/千營業網點", "件/千萬個人客戶"),
    "zh-Hans": ("投诉量", "件/千营业网点", "件/千万个人客户"),
}
BUSINESS = {"zh-Hant": ("業務", "投訴量", "佔比（%）"), "zh-Hans": ("业务", "投诉量", "占比（%）")}
BRANCH = {"zh-Hant": ("分支機構", "合計"), "zh-Hans": ("分支机构", "合计")}


def quarter(
    records: Iterable[Record], period: Period, *, outlets: int, personal_customers: int, script: Script = "zh-Hant"
) -> Table:
    """Complaints received in the quarter, per 1,000 of `outlets` (營業網點) and per 10,000,000 of `personal_customers`
    (個人客戶), both as at its end. Raises WrongPeriod."""
    period.must_last(3, calendar=True)
    mine, notes = _received(records, period)
    row = (len(mine), rate(len(mine), outlets, 1000, 1), rate(len(mine), personal_customers, 10_000_000, 1))
    notes += ("Share and median of the class of banks are the supervisor's: they need the other banks' figures.",)
    return Table(f"{period}", QUARTER[script], (row,), notes)


def by_business(records: Iterable[Record], period: Period, business: Crosswalk, *, script: Script = "zh-Hant") -> Table:
    """Complaints received in the quarter by business (信用卡, 個人貸款, 理財類), with its share of all, in
    per cent to one decimal. `business` leads from products to the circular's lines; a product that is none of them
    leads to `other`, which it labels as well. Raises WrongPeriod."""
    period.must_last(3, calendar=True)
    mine, notes = _received(records, period)
    counted = Counter(business.of(r.product) for r in mine)
    rows = tuple(
        (business.label(code), counted[code], percentage(counted[code], len(mine), 1))
        for code in business.lines(counted)
    )
    notes += unmapped_note("product", (r.product for r in mine if business.of(r.product) == UNMAPPED))
    return Table(f"{period}", BUSINESS[script], rows, notes)


def by_branch(
    records: Iterable[Record],
    period: Period,
    channels: Crosswalk,
    *,
    branches: Iterable[str] = (),
    script: Script = "zh-Hant",
) -> Table:
    """Complaints received in the quarter by branch and by the channel axis of JR/T 0169-2018, with totals. `branches`
    are those that appear even without a complaint; complaints without a branch are on the line `unmapped`.

    The standard's axis is the channel by which the *business* was done; the desk knows that by which the *complaint*
    came, and a note says so. Raises WrongPeriod.
    """
    period.must_last(3, calendar=True)
    mine, notes = _received(records, period)
    cells = Counter((r.branch or UNMAPPED, channels.of(r.channel)) for r in mine)
    heads = channels.lines(channel for _, channel in cells)
    lines = sorted({*branches, *(r.branch for r in mine if r.branch)})
    if any(r.branch is None for r in mine):
        lines.append(UNMAPPED)
        notes += (f"Complaints without a branch, under `{UNMAPPED}`: {sum(r.branch is None for r in mine)}.",)
    branch, total = BRANCH[script]
    rows: list[tuple[Entry, ...]] = []
    for line in lines:
        across = [cells[line, head] for head in heads]
        rows.append((line, *across, sum(across)))
    rows.append((total, *(sum(cells[line, head] for line in lines) for head in heads), len(mine)))
    notes += unmapped_note("channel", (r.channel for r in mine if channels.of(r.channel) == UNMAPPED))
    notes += ("The channel is that by which the complaint came; JR/T 0169-2018 asks for that of the business.",)
    return Table(f"{period}", (branch, *(channels.label(head) for head in heads), total), tuple(rows), notes)


def _received(records: Iterable[Record], period: Period) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    mine, notes = of_jurisdiction(records, "cn")
    return tuple(r for r in mine if r.opened_in(period)), notes
