"""The page of coaching: what recurs in a team and what it does well; nobody is named, counted or ranked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.events import (
    ComplaintAssigned,
    ComplaintClassified,
    ComplaintReceived,
    ComplaintResolved,
    ComplaintRouted,
)
from shared.ids import uuid7
from tests.component.reporting.test_improvement_pages import LANGUAGES, SQLITE, signed_in

AT = datetime(2025, 5, 6, 2, tzinfo=UTC)


def decided(n: int, cause: Any, category: str, department: str = "cards", at: datetime = AT) -> list[Any]:
    id = uuid7()
    return [
        ComplaintReceived(
            complaint_id=id,
            reference=f"REF-{n}",
            channel="phone",
            narrative=f"Words number {n} of {cause}",
            received_at=at,
        ),
        ComplaintClassified(complaint_id=id, category=category, severity="normal", confidence=1, classified_at=at),
        ComplaintRouted(complaint_id=id, department=department, reason="…", routed_at=at),
        ComplaintAssigned(complaint_id=id, assignee="officer-chan", assigned_at=at),
        ComplaintResolved(complaint_id=id, outcome="upheld", root_cause=cause, resolved_at=at + timedelta(days=n)),
    ]


@pytest.fixture
async def heard(bench: Any) -> Any:
    events: list[Any] = []
    for n in range(4):
        events += decided(n, "staff_service", "fees")
    for n in range(10, 12):
        events += decided(n, "product_design", "fees")  # two alone
    for n in range(20, 24):
        events += decided(n, "none_found", "fees")  # no cause
        events += decided(n + 10, "system_failure", "channel", "lending")  # another department
    for n in range(3):
        events += decided(n, "staff_service", "fees", at=AT - timedelta(days=31))
    await bench.hear(*events)
    return bench


@LANGUAGES
async def test_pairs_that_recur_are_shown_with_two_examples(heard: Any, language: str) -> None:
    async with await signed_in(heard, "supervisor") as client:
        page = (await client.get(f"/coaching?department=cards&months=1&lang={language}")).text
    assert page.count("<h3>") == 1, "at least three times, with a cause, in this department"
    assert "Words number 3 of staff_service" in page
    assert "Words number 2 of staff_service" in page
    assert page.count("<blockquote>") == 2
    for hidden in ("REF-", "officer-chan", "product_design", "system_failure"):
        assert hidden not in page
    if language == "en":
        assert "<strong>4 complaints</strong>" in page
        assert "67% of those with a cause; 3 in the period before" in page
        assert "How people are spoken to" in page


@SQLITE
async def test_words_that_are_erased_are_shown_no_more(heard: Any) -> None:
    from services.reporting import store

    async with heard.db.transaction() as tx:
        await store.forget_texts(tx, before=AT.date() + timedelta(days=1))
    async with await signed_in(heard, "officer") as client:
        page = (await client.get("/coaching?department=cards&months=1&lang=en")).text
    assert "<blockquote>" not in page
    assert "The words of these complaints are no longer kept." in page


async def test_a_team_is_praised_by_the_form(bench: Any) -> None:
    praise = {"department": "cards", "months": "6", "text": "Patient; 9123 4567", "occurred_on": "2025-06-20"}
    async with await signed_in(bench, "officer") as client:
        sent = await client.post("/coaching", data=praise)
        assert sent.status_code == 303
        assert sent.headers["location"] == "/coaching?department=cards&months=6&kept=1#praise"
        page = (await client.get("/coaching?department=cards&months=6&kept=1&lang=en")).text
        assert "Patient; [phone]" in page
        assert "Patient" not in (await client.get("/coaching?department=lending&lang=en")).text
        for wrong, name in (({"occurred_on": "2025-07-20"}, "occurred_on"), ({"text": ""}, "text")):
            answer = await client.post("/coaching?lang=en", data=praise | wrong)
            assert answer.status_code == 422
            assert f'id="praise-{name}-wrong"' in answer.text
        assert (await client.post("/coaching", data=praise | {"department": "<x>"})).status_code == 422
    async with await signed_in(bench, "auditor") as client:
        assert (await client.post("/coaching", data=praise)).status_code == 403
        assert "<textarea" not in (await client.get("/coaching?department=cards")).text
    async with await signed_in(bench, "agent") as client:
        assert (await client.get("/coaching")).status_code == 403


@SQLITE
async def test_without_a_team_the_page_asks_for_one(bench: Any) -> None:
    async with await signed_in(bench, "manager") as client:
        page = await client.get("/coaching?lang=en")
        assert "Choose a department to see what recurs there." in page.text
        assert (await client.get("/coaching?months=5")).status_code == 422
        none = await client.get("/coaching?department=cards&lang=en")
        assert "No cause has come up often enough to learn from." in none.text
