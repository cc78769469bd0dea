"""Returns have the regulators' columns, count by their rules, and lose no complaint."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.reporting.domain.returns import (
    UNMAPPED,
    Crosswalk,
    NotInForce,
    Period,
    Record,
    Table,
    WrongPeriod,
    china,
    hongkong,
    rows,
    uk,
)
from services.reporting.domain.returns.table import percentage, rate, rounded
from services.reporting.returns import crosswalk, labels

H1_2026, H2_2026, H1_2027 = Period.half(2026, 1), Period.half(2026, 2), Period.half(2027, 1)
Q1 = Period.quarter(2026, 1)
PRODUCTS = crosswalk(
    "uk_product",
    {
        "credit_card": "banking_credit_cards",
        "deposit": "banking_credit_cards",
        "mortgage": "home_finance",
        "wealth": "investments",
        "insurance": "insurance_protection",
    },
)
CAUSES = crosswalk(
    "uk_cause",
    {"service_quality": "general_admin", "fees": "disputed_sums_charges", "product": "product_performance"},
)
_number = count(1)


def record(received: str, closed: str | None = None, outcome: Any = None, **more: Any) -> Record:
    known: dict[str, Any] = {
        "reference": f"C{next(_number):05}",
        "channel": "phone",
        "product": "credit_card",
        "category": "fees",
        "jurisdiction": "uk",
    }
    return Record(
        received_day=date.fromisoformat(received),
        closed_day=date.fromisoformat(closed) if closed else None,
        outcome=outcome,
        **{**known, **more},
    )


def third_weekday(day: date) -> date:
    """The third business day after `day`, in a country without holidays."""
    left = 3
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    return day


def publication(records: Iterable[Record], period: Period = H1_2026, **more: Any) -> Table:
    known = {"third_business_day": third_weekday, "provision": {}}
    return uk.publication(records, period, PRODUCTS, CAUSES, **{**known, **more})


def line(table: Table, *start: str) -> dict[str, Any]:
    [found] = [row for row in table.rows if row[: len(start)] == start]
    return dict(zip(table.columns, found, strict=True))


# --- Periods, rounding, crosswalks ------------------------------------------------------------------------------------


def test_periods_are_whole_months() -> None:
    assert (Period.half(2026, 2).since, Period.half(2026, 2).until) == (date(2026, 7, 1), date(2026, 12, 31))
    assert (Period.quarter(2028, 1).since, Period.quarter(2028, 1).until) == (date(2028, 1, 1), date(2028, 3, 31))
    assert Period.month(2028, 2).until == date(2028, 2, 29)
    assert Period.of(2026, 10, 6) == Period(date(2026, 10, 1), date(2027, 3, 31))
    with pytest.raises(WrongPeriod):
        Period(date(2026, 1, 2), date(2026, 6, 30))
    with pytest.raises(WrongPeriod):
        Period(date(2026, 7, 1), date(2026, 6, 30))


def test_halves_are_rounded_up_and_nothing_is_divided_by_none() -> None:
    assert [percentage(1, 8, 0), percentage(1, 200), percentage(3, 200), percentage(0, 0)] == [13, 1, 2, None]
    assert rounded(Decimal("2.345"), 2) == Decimal("2.35")
    assert (rate(23503, 17000, 1000, 1), rate(1, 0, 1000, 1)) == (Decimal("1382.5"), None)


def test_a_code_that_leads_nowhere_is_unmapped() -> None:
    ways = Crosswalk({"a": "A"}, {"x": "a", "y": "gone"})
    assert [ways.of(code) for code in ("x", "y", "z", None)] == ["a", UNMAPPED, UNMAPPED, UNMAPPED]
    assert ways.lines(["a"]) == ("a",)
    assert ways.lines([UNMAPPED]) == ("a", UNMAPPED)


def test_the_lists_are_in_the_regulators_words() -> None:
    assert list(labels()["uk_product"].values()) == [
        "Banking and credit cards",
        "Home finance",
        "Insurance and pure protection",
        "Decumulation and pensions",
        "Investments",
    ]
    assert len(labels()["uk_cause"]) == 10
    assert list(labels("zh-Hant")["china_business"].values())[:3] == ["信用卡", "個人貸款", "理財類"]
    assert list(labels("zh-Hans")["china_business"].values())[:3] == ["信用卡", "个人贷款", "理财类"]
    assert list(labels("zh-Hant")["china_channel"].values()) == [
        "營業現場",
        "自助機具",
        "電子渠道",
        "第三方渠道",
        "其他",
        "中後台業務渠道",
    ]
    assert list(labels()["hk_nature"].values()) == ["general banking services", "conduct"]


# --- United Kingdom ---------------------------------------------------------------------------------------------------


def test_the_firms_publication_by_hand() -> None:
    """Of five closed: 1 within three business days over a weekend, 2 within eight weeks (one on its last day), 2 later.
    Three of five upheld: 60 %. Four opened of 2,094 accounts: 1.91 per 1,000."""
    table = publication(
        [
            record("2026-01-02", "2026-01-07", "upheld"),  # Friday to Wednesday: the third business day
            record("2026-01-02", "2026-01-08", "rejected"),  # the fourth
            record("2026-03-02", "2026-04-27", "partly_upheld", category="product"),  # eight weeks to the day
            record("2025-11-03", "2026-01-05", "goodwill", redress=Decimal(20), currency="GBP"),
            record("2025-12-31", "2026-06-30", "upheld", category="product"),
            record("2026-06-30", category="service_quality"),
        ],
        provision={"banking_credit_cards": uk.Exposure(2094, "accounts")},
    )
    assert table.columns == (
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
    assert table.rows[0] == (
        "Banking and credit cards",
        "1.91 per 1,000 accounts",
        None,
        4,
        5,
        20,
        40,
        60,
        "Disputes over sums/charges",
    )
    assert table.rows[1] == ("Home finance", None, None, 0, 0, None, None, None, None)
    assert len(table.rows) == 5


def test_publication_is_due_from_500() -> None:
    many = [record("2026-02-02", reference=f"R{n}") for n in range(500)]
    assert publication(many).notes == ()
    assert "not required" in publication(many[1:]).notes[0]


def test_of_equally_frequent_causes_the_regulators_first_is_the_main_one() -> None:
    table = publication([record("2026-02-02", category="product"), record("2026-02-02", category="fees")])
    assert table.rows[0][-1] == "Disputes over sums/charges"


def test_annex_1r_by_hand() -> None:
    records = [
        record("2025-12-01"),  # outstanding
        record("2025-12-01", "2026-01-01", "partly_upheld", redress=Decimal("50.25"), currency="GBP"),  # outstanding
        record("2025-12-01", "2025-12-31", "upheld", redress=Decimal(999), currency="GBP"),  # over before
        record("2026-01-01", "2026-06-30", "goodwill", redress=Decimal(20), currency="GBP"),
        record("2026-06-30", "2026-07-01", "upheld", redress=Decimal(70), currency="GBP"),  # closed after
        record("2026-02-02", "2026-02-03", "upheld", category="product", redress=Decimal(30), currency="HKD"),
        record("2026-02-02", "2026-02-03", "withdrawn", product="mortgage"),
        record("2026-02-02", jurisdiction="uk-eng", product="mortgage", further=("product",)),
        record("2026-02-02", jurisdiction="hk"),
    ]
    table = uk.annex_1r(iter(records), H1_2026, PRODUCTS, CAUSES)
    sums, cards = "Disputes over sums/charges", "Banking and credit cards"
    assert table.columns[2:] == ("Outstanding at period start", "Opened", "Closed", "Upheld", "Redress")
    assert line(table, cards, sums) | {} == dict(
        zip(table.columns, (cards, sums, 2, 2, 2, 1, Decimal("70.25")), strict=True)
    )
    assert list(line(table, cards, "Product performance/features").values())[2:] == [0, 1, 1, 1, 0]
    assert list(line(table, "Home finance", "Total").values())[2:] == [0, 2, 1, 0, 0]
    assert list(line(table, "Total", "Total").values())[2:] == [2, 5, 4, 2, Decimal("70.25")]
    assert table.notes == (
        "Redress: 20 GBP of it on complaints that were not upheld.",
        "Redress: not included, 30 HKD (complaints: 1).",
    )


def test_a_complaint_of_several_types_is_counted_once_under_its_main_one() -> None:
    table = uk.annex_1r([record("2026-02-02", further=("product", "service_quality"))], H1_2026, PRODUCTS, CAUSES)
    opened = [row for row in table.rows if row[3] and "Total" not in row]
    assert [row[:2] for row in opened] == [("Banking and credit cards", "Disputes over sums/charges")]


def test_what_leads_nowhere_has_its_line_and_a_note() -> None:
    records = [record("2026-02-02", product="remittance"), record("2026-02-02", category=None)]
    table = uk.annex_1r(records, H1_2026, PRODUCTS, CAUSES)
    assert line(table, UNMAPPED, "Disputes over sums/charges")["Opened"] == 1
    assert line(table, "Banking and credit cards", UNMAPPED)["Opened"] == 1
    assert "of a product" in table.notes[0]
    assert "1 (remittance)" in table.notes[0]
    assert "1 ((none))" in table.notes[1]
    assert publication(records).rows[-1][:5] == (UNMAPPED, None, None, 1, 0)


def test_the_new_return_adds_vulnerability() -> None:
    records = [
        record("2027-01-01", vulnerable=True, further=("vulnerability",)),
        record("2027-06-30", vulnerable=False),
        record("2027-02-01", vulnerable=None, category="vulnerability"),
        record("2026-12-31", vulnerable=True),
    ]
    table = uk.return_2027(iter(records), H1_2027, PRODUCTS, CAUSES, failure_types=["vulnerability"])
    total = line(table, "Total", "Total")
    assert table.columns[-2:] == (
        "Customer identified as vulnerable",
        "Failure to consider or respond to vulnerability",
    )
    assert (total["Outstanding at period start"], total["Opened"]) == (1, 3)
    assert (total[uk.VULNERABLE], total[uk.VULNERABILITY_FAILURE]) == (1, 2)
    assert any("not known" in note for note in table.notes)
    without = uk.return_2027(records, H1_2027, PRODUCTS, CAUSES)
    assert set(without.column(uk.VULNERABILITY_FAILURE)) == {None}
    assert any("set apart" in note for note in without.notes)


def test_each_return_serves_its_own_time() -> None:
    uk.annex_1r([], H2_2026, PRODUCTS, CAUSES)
    uk.return_2027([], H1_2027, PRODUCTS, CAUSES)
    for period in (H1_2027, Period.of(2026, 10, 6)):
        with pytest.raises(NotInForce):
            uk.annex_1r([], period, PRODUCTS, CAUSES)
    with pytest.raises(NotInForce):
        uk.return_2027([], H2_2026, PRODUCTS, CAUSES)
    for made in (uk.annex_1r, uk.return_2027):
        with pytest.raises(WrongPeriod):
            made([], Q1, PRODUCTS, CAUSES)  # type: ignore[operator]
    with pytest.raises(WrongPeriod):
        uk.return_2027([], Period.of(2027, 4, 6), PRODUCTS, CAUSES)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Record,
            reference=st.uuids().map(str),
            received_day=st.dates(date(2025, 10, 1), date(2026, 9, 30)),
            channel=st.just("phone"),
            closed_day=st.none() | st.dates(date(2025, 10, 1), date(2026, 9, 30)),
            outcome=st.sampled_from([None, "upheld", "partly_upheld", "rejected", "goodwill", "withdrawn"]),
            product=st.sampled_from([None, "credit_card", "mortgage", "wealth", "remittance"]),
            category=st.sampled_from([None, "fees", "product", "channel"]),
            redress=st.none() | st.decimals(0, 1000, places=2),
            currency=st.sampled_from(["GBP", "EUR"]),
            jurisdiction=st.just("uk"),
        ).map(lambda r: r if r.closed_day is None else replace(r, closed_day=max(r.closed_day, r.received_day))),
        max_size=25,
    )
)
def test_no_complaint_is_lost_between_the_lines(records: list[Record]) -> None:
    table = uk.annex_1r(records, H1_2026, PRODUCTS, CAUSES)
    body = [row for row in table.rows if "Total" not in row[:2]]
    total = list(line(table, "Total", "Total").values())[2:]
    assert [sum(row[n] for row in body) for n in range(2, 7)] == total  # type: ignore[misc]
    assert total[1] == sum(r.received_day in H1_2026 for r in records)
    outstanding = total[0] + total[1] - total[2]
    assert outstanding == sum(r.open_at_end_of(H1_2026) for r in records)


# --- China ------------------------------------------------------------------------------------------------------------


def chinese(number: int, **more: Any) -> list[Record]:
    return [record("2026-02-03", jurisdiction="cn", **more) for _ in range(number)]


def test_china_by_hand() -> None:
    """2,378 complaints of 10,005 outlets are 237.68, of 43.1 million customers 551.74."""
    table = china.quarter(chinese(2378), Q1, outlets=10_005, personal_customers=43_100_000)
    assert table.columns == ("投訴量", "件/千營業網點", "件/千萬個人客戶")
    assert table.rows == ((2378, Decimal("237.7"), Decimal("551.7")),)
    assert "supervisor" in table.notes[-1]
    simplified = china.quarter([], Q1, outlets=1, personal_customers=1, script="zh-Hans")
    assert simplified.columns == ("投诉量", "件/千营业网点", "件/千万个人客户")


def test_china_by_business() -> None:
    ways = {"credit_card": "credit_card", "loan": "personal_loan", "mortgage": "personal_loan", "deposit": "other"}
    business = crosswalk("china_business", ways, language="zh-Hant")
    records = chinese(4) + chinese(1, product="loan") + chinese(1, product="deposit") + chinese(2, product="gold")
    table = china.by_business(records, Q1, business)
    assert table.rows == (
        ("信用卡", 4, Decimal("50.0")),
        ("個人貸款", 1, Decimal("12.5")),
        ("理財類", 0, Decimal("0.0")),
        ("其他", 1, Decimal("12.5")),
        (UNMAPPED, 2, Decimal("25.0")),
    )
    assert "gold" in table.notes[0]


def test_china_by_branch_and_channel() -> None:
    channels = crosswalk("china_channel", {"phone": "electronic", "branch": "branch"}, language="zh-Hant")
    records = [
        *chinese(2, branch="B01"),
        *chinese(1, branch="B01", channel="branch"),
        *chinese(1, branch=None),
        *chinese(3, branch="B02", channel="pigeon"),
    ]
    table = china.by_branch(records, Q1, channels, branches=["B03"])
    assert table.columns == (
        "分支機構",
        "營業現場",
        "自助機具",
        "電子渠道",
        "第三方渠道",
        "其他",
        "中後台業務渠道",
        UNMAPPED,
        "合計",
    )
    assert table.rows == (
        ("B01", 1, 0, 2, 0, 0, 0, 0, 3),
        ("B02", 0, 0, 0, 0, 0, 0, 3, 3),
        ("B03", 0, 0, 0, 0, 0, 0, 0, 0),
        (UNMAPPED, 0, 0, 1, 0, 0, 0, 0, 1),
        ("合計", 1, 0, 3, 0, 0, 0, 3, 7),
    )


@pytest.mark.parametrize("period", [H1_2026, Period.of(2026, 2, 3)])
def test_china_counts_quarters_of_the_calendar(period: Period) -> None:
    with pytest.raises(WrongPeriod):
        china.quarter([], period, outlets=1, personal_customers=1)


# --- Hong Kong --------------------------------------------------------------------------------------------------------


def test_hong_kong_by_hand() -> None:
    natures = crosswalk("hk_nature", {"fees": "general_banking", "product": "conduct"})
    records = [
        record("2026-02-01", "2026-02-28", jurisdiction="hk"),
        record("2025-06-01", jurisdiction="hk"),  # in progress for long
        record("2026-02-28", "2026-03-01", category="product", jurisdiction="hk"),
        record("2026-01-31", "2026-01-31", jurisdiction="hk"),  # over before
        record("2026-02-02", category="other", jurisdiction="hk"),
        record("2026-02-02", jurisdiction=None),
    ]
    table = hongkong.monthly(records, Period.month(2026, 2), natures)
    assert table.columns == ("complaints about", "received", "completed", "in progress")
    assert table.rows == (
        ("general banking services", 1, 1, 1),
        ("conduct", 1, 0, 1),
        (UNMAPPED, 1, 0, 1),
        ("Total", 3, 1, 3),
    )
    assert "without a jurisdiction, not counted here: 1" in table.notes[0]


# --- Row by row -------------------------------------------------------------------------------------------------------


def walk(**words: str) -> Crosswalk:
    return Crosswalk(words, {code: code for code in words})


def australian(records: Iterable[Record], period: Period = H1_2026) -> Table:
    return rows.asic(
        records,
        period,
        brand="Redress Bank",
        products=walk(credit_card="Credit card"),
        issues=walk(fees="Charges"),
        channels=walk(phone="Telephone"),
        outcomes=walk(upheld="In the complainant's favour"),
    )


def test_australia_by_hand() -> None:
    table = australian(
        [
            record("2026-06-30", "2026-07-02", "upheld", jurisdiction="au", reference="B"),
            record("2026-01-05", "2026-01-05", "upheld", jurisdiction="au", reference="A"),
            record("2025-11-01", "2026-01-31", "rejected", jurisdiction="au", reference="C", product="loan"),
            record("2025-11-01", "2025-12-31", "rejected", jurisdiction="au", reference="D"),
            record("2026-01-05", "2026-01-05", "upheld", jurisdiction="uk"),
        ]
    )
    assert table.columns == (
        "identifier",
        "brand",
        "complaint type",
        "gender",
        "age",
        "postcode",
        "status",
        "channel",
        "date received",
        "date closed",
        "days to resolve",
        "representative flag",
        "product",
        "issue",
        "outcome",
    )
    assert table.column("identifier") == ("C", "A", "B")
    assert table.column("status") == ("closed", "closed", "open")
    assert table.column("days to resolve") == (91, 0, None)
    assert table.column("date closed") == (date(2026, 1, 31), date(2026, 1, 5), None)
    assert table.column("outcome") == (UNMAPPED, "In the complainant's favour", None)
    assert table.column("product") == (UNMAPPED, "Credit card", "Credit card")
    for empty in ("complaint type", "gender", "age", "postcode", "representative flag"):
        assert set(table.column(empty)) == {None}
    assert "gender" in table.notes[-1]
    with pytest.raises(WrongPeriod):
        australian([], Period.of(2026, 4, 6))


def test_cfpb_by_hand() -> None:
    table = rows.cfpb(
        [
            record("2026-02-01", "2026-02-16", "upheld", redress=Decimal(5), currency="USD", jurisdiction="us"),
            record("2026-02-02", "2026-02-18", "partly_upheld", jurisdiction="us-cfpb"),
            record("2026-02-03", "2026-02-04", "rejected", jurisdiction="us", channel="pigeon"),
            record("2026-02-04", jurisdiction="us"),
        ],
        Period.month(2026, 2),
        company="Redress Bank",
        products=crosswalk("us_product", {"credit_card": "credit_card"}),
        issues=walk(fees="Fees or interest"),
        channels=crosswalk("us_channel", {"phone": "phone"}),
    )
    assert ",".join(table.columns) == (
        "Date received,Product,Sub-product,Issue,Sub-issue,Consumer complaint narrative,Company public response,"
        "Company,State,ZIP code,Tags,Consumer consent provided?,Submitted via,Date sent to company,"
        "Company response to consumer,Timely response?,Consumer disputed?,Complaint ID"
    )
    assert table.column("Company response to consumer") == (
        "Closed with monetary relief",
        "Closed with non-monetary relief",
        "Closed with explanation",
        "In progress",
    )
    assert table.column("Timely response?") == ("Yes", None, "Yes", None)
    assert table.column("Submitted via") == ("Phone", "Phone", UNMAPPED, "Phone")
    assert set(table.column("Consumer complaint narrative")) == {None}
    assert "pigeon" in table.notes[0]
