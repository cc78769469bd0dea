"""Returns are made of what reporting has heard, in every form, for those who file them."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import openpyxl
import orjson
import pytest
from sqlalchemy import select

from services.reporting import returns as lists
from services.reporting.returns import business_days
from services.reporting.store import exporting
from services.reporting.usecases import returns
from services.reporting.usecases.returns import RETURNS
from shared.events import (
    ComplaintAmended,
    ComplaintClassified,
    ComplaintClosed,
    ComplaintReceived,
    ComplaintResolved,
    Event,
)

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
_number = count(1)


def at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T04:00:00+00:00").astimezone(UTC)  # noon in Hong Kong


def complaint(received: str, closed: str | None = None, **more: Any) -> list[Event]:
    """The events of one complaint; what `more` does not say is a credit card's fee at a branch in the UK."""
    known = {"jurisdiction": "uk", "product": "credit_card", "category": "fees", "channel": "phone", "branch": None}
    known |= more
    n = next(_number)
    id: dict[str, Any] = {"complaint_id": f"c-{n:04}"}
    found: list[Event] = [
        ComplaintReceived(
            **id,
            reference=f"R-{n:04}",
            channel=known["channel"],
            narrative="…",
            received_at=at(received),
            jurisdiction=known["jurisdiction"],
            product=known["product"],
            branch=known["branch"],
        )
    ]
    if known["category"]:
        found.append(
            ComplaintClassified(
                **id, category=known["category"], severity="normal", confidence=1, classified_at=at(received)
            )
        )
    if "vulnerable" in known:
        found.append(ComplaintAmended(**id, amended_at=at(received), vulnerable=known["vulnerable"]))
    if closed:
        found.append(
            ComplaintResolved(
                **id,
                outcome=known.get("outcome", "rejected"),
                root_cause="staff_service",
                redress_amount=known.get("redress"),
                redress_currency="GBP" if known.get("redress") else None,
                resolved_at=at(closed),
            )
        )
        found.append(ComplaintClosed(**id, closed_at=at(closed)))
    return found


async def hear(bench: Any, *complaints: list[Event]) -> None:
    await bench.hear(*(event for events in complaints for event in events))


async def made(client: Any, name: str, **asked: Any) -> dict[str, Any]:
    answer = await client.get(f"/v1/returns/{name}", params=asked)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert all(len(row) == len(body["columns"]) for row in body["rows"])
    return body


def line(body: dict[str, Any], *start: str) -> list[Any]:
    [found] = [row for row in body["rows"] if tuple(row[: len(start)]) == start]
    return list(found[len(start) :])


async def test_the_uks_returns_by_hand(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "BATCH", 2)
    await hear(
        bench,
        complaint("2023-12-15"),  # outstanding
        complaint("2023-12-15", "2023-12-31", outcome="upheld", redress=Decimal(999)),  # over before
        complaint("2024-03-28", "2024-04-04", outcome="upheld", redress=Decimal("50.25")),  # over Easter: the third day
        complaint("2024-03-28", "2024-04-05", outcome="partly_upheld"),  # the fourth
        complaint("2024-06-30", "2024-07-01", jurisdiction="UK-ENG", outcome="upheld"),  # closed after
        complaint("2024-02-02", product="insurance", category=None),
        complaint("2024-02-02", jurisdiction="hk"),
        complaint("2024-02-02", jurisdiction=None),  # of the bank's own, Hong Kong
        complaint("2024-07-01"),  # after
    )
    async with await bench.client("manager") as client:
        body = await made(client, "uk_1r", year=2024, part=1)
        assert line(body, "Banking and credit cards", "Disputes over sums/charges") == [1, 3, 2, 2, "50.25"]
        assert line(body, "Insurance and pure protection", "unmapped") == [0, 1, 0, 0, "0"]
        assert line(body, "Total", "Total") == [1, 4, 2, 2, "50.25"]
        assert (body["from"], body["to"]) == ("2024-01-01", "2024-06-30")

        asked = {"year": 2024, "part": 1, "provision": "banking_credit_cards:2000"}
        body = await made(client, "uk_publication", **asked)
        cards = line(body, "Banking and credit cards")
        assert cards == ["1.50 per 1,000 accounts", None, 3, 2, "50", "50", "100", "Disputes over sums/charges"]
        assert any("England" in note for note in body["notes"])

        own_year = await made(client, "uk_1r", year=2023, part=1, first_month=12)
        assert (own_year["from"], own_year["to"]) == ("2023-12-01", "2024-05-31")
        for year, name in ((2027, "uk_1r"), (2024, "uk_2027")):
            answer = await client.get(f"/v1/returns/{name}", params={"year": year, "part": 1})
            assert (answer.status_code, answer.json()["code"]) == (422, "return_not_in_force")


@SQLITE
async def test_what_stands_behind_complaints_is_looked_up_unless_it_is_given(bench: Any) -> None:
    await hear(bench, complaint("2024-02-02"), complaint("2024-02-02", product="wealth"))
    known = {"credit_card": 3000, "deposit": 1000, "wealth": 500}

    async def bases(session: Any) -> Any:
        return lambda kind, where, day: known.get(where.get("product", "")) if kind == "accounts" else 4000

    asked = returns.Asked(2024, 1, provision={"investments": 250})
    uk = await returns.make(bench.db, "uk_publication", asked, home="hk", today=date(2025, 1, 1), bases=bases)
    rates = {row[0]: row[1] for row in uk.table.rows}
    assert rates["Banking and credit cards"] == "0.25 per 1,000 accounts"
    assert rates["Investments"] == "4.00 per 1,000 client accounts"
    assert rates["Home finance"] is None
    assert "Provision, Banking and credit cards: the accounts known of credit_card, deposit." in uk.table.notes
    china = await returns.make(
        bench.db, "china_quarter", returns.Asked(2024, 1), home="cn", today=date(2025, 1, 1), bases=bases
    )
    assert china.table.rows[0][0] == 0


async def test_vulnerable_customers_are_told_from_those_nobody_asked(bench: Any) -> None:
    await hear(
        bench,
        complaint("2027-01-04", vulnerable=True),
        complaint("2027-01-04", vulnerable=False),
        complaint("2027-01-04"),
    )
    async with await bench.client("auditor") as client:
        body = await made(client, "uk_2027", year=2027, part=1, failure_type="fees")
    assert body["columns"][-2:] == ["Customer identified as vulnerable", body["columns"][-1]]
    assert line(body, "Total", "Total")[-2:] == [1, 3]
    assert any("not known" in note and note.endswith("1.") for note in body["notes"])
    assert any("Not to be filed" in note for note in body["notes"]), "2027 is not over"


async def test_chinas_quarter_needs_what_stands_behind_it(bench: Any) -> None:
    await hear(
        bench,
        complaint("2025-01-02", jurisdiction="cn", branch="b1", channel="branch"),
        complaint("2025-02-02", jurisdiction="cn", branch="b1", product="mortgage"),
        complaint("2025-03-31", jurisdiction="CN", product="wealth", channel="letter"),
        complaint("2025-04-01", jurisdiction="cn"),
    )
    async with await bench.client("admin") as client:
        lacking = await client.get("/v1/returns/china_quarter", params={"year": 2025, "part": 1, "outlets": 2})
        assert (lacking.status_code, lacking.json()["code"]) == (422, "base_missing")
        assert [field["pointer"] for field in lacking.json()["errors"]] == ["customers"]
        asked = {"year": 2025, "part": 1}
        body = await made(client, "china_quarter", outlets=400, customers=2_000_000, **asked)
        assert body["columns"] == ["投诉量", "件/千营业网点", "件/千万个人客户"]
        assert body["rows"] == [[3, "7.5", "15.0"]]
        body = await made(client, "china_business", script="zh-Hant", **asked)
        assert body["rows"] == [
            ["信用卡", 1, "33.3"],
            ["個人貸款", 1, "33.3"],
            ["理財類", 1, "33.3"],
            ["其他", 0, "0.0"],
        ]
        body = await made(client, "china_branch", **asked)
        assert line(body, "b1")[-1] == 2
        assert line(body, "合计")[-1] == 3


async def test_hong_kongs_month_tells_conduct_by_type_and_product(bench: Any) -> None:
    await hear(
        bench,
        complaint("2025-04-30", "2025-05-02", jurisdiction=None),
        complaint("2025-05-02", jurisdiction="hk", product="wealth", category="product"),
        complaint("2025-05-02", jurisdiction="hk", product="wealth"),
        complaint("2025-05-02", "2025-06-01", jurisdiction="HK", category="unheard-of"),
        complaint("2025-05-02", jurisdiction="sg"),
    )
    async with await bench.client("manager") as client:
        body = await made(client, "hk_month", year=2025, part=5)
    assert body["rows"] == [
        ["general banking services", 1, 1, 1],
        ["conduct", 1, 0, 1],
        ["unmapped", 1, 0, 1],
        ["Total", 3, 1, 3],
    ]
    assert any("unheard-of" in note for note in body["notes"])


async def test_rows_for_asic_and_the_cfpb(bench: Any) -> None:
    await hear(
        bench,
        complaint("2025-01-02", "2025-01-04", jurisdiction="au", outcome="upheld"),
        complaint("2025-01-02", "2025-01-04", jurisdiction="us", outcome="upheld", redress=Decimal(5)),
    )
    async with await bench.client("manager") as client:
        body = await made(client, "asic", year=2025, part=1, firm="=Brand")
        [row] = body["rows"]
        known = dict(zip(body["columns"], row, strict=True))
        assert (known["brand"], known["days to resolve"], known["channel"]) == ("=Brand", 2, "Phone")
        body = await made(client, "cfpb", year=2025, part=1)
        known = dict(zip(body["columns"], body["rows"][0], strict=True))
        assert (known["Product"], known["Issue"]) == ("Credit card", "Fees or interest")
        assert (known["Submitted via"], known["Company"]) == ("Phone", "Example Bank")
        assert known["Company response to consumer"] == "Closed with monetary relief"
        written = await client.get("/v1/returns/asic", params={"year": 2025, "part": 1, "firm": "=x", "format": "csv"})
        rows = list(csv.DictReader(io.StringIO(written.content.decode("utf-8-sig"), newline="")))
        assert [row["brand"] for row in rows] == ["'=x"]


@SQLITE
@pytest.mark.parametrize("name", RETURNS)
async def test_each_return_in_each_form_says_the_same(bench: Any, name: str) -> None:
    which = RETURNS[name]  # type: ignore[index]
    year = 2027 if name == "uk_2027" else 2025
    place = which.jurisdictions[0]
    days = (f"{year}-01-02", f"{year}-01-30", f"{year}-01-31")
    await hear(bench, *(complaint(day, f"{year}-02-03", jurisdiction=place, redress=Decimal("1.5")) for day in days))
    asked: dict[str, Any] = {"year": year, "part": 1, "outlets": 7, "customers": 7}
    async with await bench.client("manager") as client:
        body = await made(client, name, **asked)
        answer = await client.get(f"/v1/returns/{name}", params={**asked, "format": "csv"})
        assert answer.content.startswith(b"\xef\xbb\xbf")
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
        assert rows[0] == body["columns"]
        assert rows[1:] == [["" if entry is None else str(entry) for entry in row] for row in body["rows"]]
        answer = await client.get(f"/v1/returns/{name}", params={**asked, "format": "xlsx"})
        assert f'filename="{name}-{year}-01-01-' in answer.headers["content-disposition"]
        book = openpyxl.load_workbook(io.BytesIO(answer.content))
        sheet = [list(row) for row in book[name].iter_rows(values_only=True)]
        assert sheet[0] == body["columns"]
        assert len(sheet) - 1 == len(body["rows"])
        notes = [row[0] for row in book["Notes"].iter_rows(values_only=True)]
        assert notes == [body["title"], *body["notes"]]
    audit = bench.db.tables.audit
    async with bench.db.reading() as session:
        entries = (await session.execute(select(audit).where(audit.c.action == "return.made"))).all()
    assert [orjson.loads(entry.detail)["format"] for entry in entries] == ["json", "csv", "xlsx"]
    assert {entry.subject for entry in entries} == {name}


@SQLITE
async def test_who_may_and_what_is_refused(bench: Any) -> None:
    async with await bench.client("officer", "supervisor") as client:
        for path in ("/v1/returns", "/v1/returns/uk_1r?year=2025&part=1"):
            assert (await client.get(path)).status_code == 403
    async with await bench.client("manager") as client:
        listed = (await client.get("/v1/returns")).json()["items"]
        assert [one["name"] for one in listed] == list(RETURNS)
        needs = {one["name"]: one["needs"] for one in listed}
        assert needs["china_quarter"] == ["outlets", "customers"]
        for query, code in (
            ("china_quarter?year=2025&part=5&outlets=1&customers=1", "no_such_part"),
            ("uk_1r?year=2025&part=3", "no_such_part"),
            ("hk_month?year=2025&part=13", "invalid_request"),
            ("hk_month?year=2025&part=1&first_month=4", "invalid_request"),
            ("uk_1r?year=9999&part=1", "invalid_request"),
            ("uk_1r?year=0&part=1", "invalid_request"),
            ("uk_1r?year=2025", "invalid_request"),
            ("fr_1?year=2025&part=1", "invalid_request"),
            ("uk_publication?year=2025&part=1&provision=cheese:1", "invalid_request"),
            ("uk_publication?year=2025&part=1&provision=investments:%C2%B2", "invalid_request"),
        ):
            answer = await client.get(f"/v1/returns/{query}")
            assert (answer.status_code, answer.json()["code"]) == (422, code), query
        assert (await client.get("/v1/returns/uk_1r?year=2025&part=1&firm=%00")).status_code == 400


def test_every_way_leads_to_words() -> None:
    for name, ways in lists.ways().items():
        assert set(ways.values()) <= set(lists.labels()[name]), name


def test_the_third_business_day_knows_the_holidays() -> None:
    third = business_days.third_after("GB", "ENG")
    good_friday_week = third(datetime(2026, 4, 2, tzinfo=UTC).date())
    assert good_friday_week.isoformat() == "2026-04-09", "Friday and Monday are holidays"
