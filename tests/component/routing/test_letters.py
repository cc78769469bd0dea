"""Letters of a case over the API: looked at, refused with what they lack, issued with their step, delivered."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.events import ClockExtended, ComplaintErased, ComplaintNotified

FAIR = {"outcome": "upheld", "root_cause": "product_design", "redress": {"value": "120.50", "currency": "HKD"}}
FINAL = {"kind": "final", "explanation": "The fee was charged twice. We have paid one back."}


@pytest.fixture
async def desk(routing: Any, make: Any) -> Any:
    """The service with one case on an officer's desk."""
    await routing.hear(make.received())
    assert (await routing.do("claim")).status_code == 200
    return routing


def at(id: str, *more: str) -> str:
    return "/".join((f"/v1/cases/{id}/letters", *more))


async def test_reading_what_people_wrote_is_audited(desk: Any, id_of: Any) -> None:
    id = id_of(1)
    letter = (await desk.post(at(id), {"kind": "acknowledgement", "reply_by": "2026-12-02"})).json()
    for path in ("history", "consults", "letters", f"letters/{letter['id']}.pdf"):
        assert (await desk.get(f"/v1/cases/{id}/{path}", who="auditor")).status_code == 200
    read = [(action, detail) for who, action, detail in await desk.audited() if who == "key:auditor"]
    assert read == [
        ("case.history_read", {}),
        ("case.consults_read", {}),
        ("case.letters_read", {}),
        ("case.letters_read", {"letter": letter["id"]}),
    ]


async def test_a_case_from_receipt_to_closure_by_letters(desk: Any, id_of: Any) -> None:
    id = id_of(1)
    first = await desk.post(at(id), {"kind": "acknowledgement", "reply_by": "2026-12-02"})
    assert first.status_code == 201, first.text
    assert (await desk.case())["acknowledged_at"] is not None
    assert (await desk.do("propose", FAIR)).json()["state"] == "approved"
    look = (await desk.post(at(id, "preview"), FINAL)).json()
    assert "{complainant}" in look["body"]
    assert "120.50" in look["body"]
    assert FINAL["explanation"] in look["body"]
    sent = await desk.post(at(id), FINAL)
    assert sent.status_code == 201, sent.text
    assert sent.json()["body"] == look["body"]
    case = await desk.case()
    assert (case["state"], case["rights_told"], case["delivered_at"]) == ("responded", True, None)
    assert (await desk.do("resolve")).status_code == 200
    assert (await desk.do("close")).json()["errors"][0]["pointer"] == "/delivery"
    told = ComplaintNotified(
        complaint_id=id,
        notice_id="n1",
        kind="letter",
        via="email",
        state="sent",
        origin=sent.json()["id"],
        settled_at=desk.now[0],
    )
    await desk.hear(told)
    closed = (await desk.do("close")).json()
    assert (closed["state"], closed["delivered_via"]) == ("closed", "email")
    names = [name for name, _ in await desk.published()]
    assert names == [
        *("classified", "routed", "assigned", "acknowledged", "letter_issued", "outcome_proposed", "responded"),
        *("letter_issued", "resolved", "closed"),
    ]
    letters = (await desk.get(at(id))).json()
    assert [(one["kind"], one["state"]) for one in letters] == [("acknowledgement", "issued"), ("final", "sent")]
    paper = await desk.get(at(id, f"{letters[1]['id']}.pdf"))
    assert paper.headers["content-type"] == "application/pdf"
    assert paper.content.startswith(b"%PDF")


@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans", "en"])
async def test_a_letter_is_looked_at_on_paper_in_every_language(desk: Any, id_of: Any, language: str) -> None:
    await desk.do("propose", FAIR)
    paper = await desk.post(at(id_of(1), "preview.pdf"), {**FINAL, "language": language})
    assert paper.content.startswith(b"%PDF")
    assert (await desk.get(at(id_of(1)))).json() == []


async def test_a_final_letter_needs_its_decision_and_the_law_its_words(desk: Any, id_of: Any) -> None:
    lacks = await desk.post(at(id_of(1)), {"kind": "final"})
    assert (lacks.status_code, lacks.json()["code"]) == (422, "letter_incomplete")
    await desk.do("propose", FAIR)
    changed = await desk.post(at(id_of(1)), {**FINAL, "body": "Dear {complainant}, no."})
    assert changed.status_code == 422
    assert {e["pointer"] for e in changed.json()["errors"]} == {"/body"}
    assert (await desk.case())["state"] == "approved"


async def test_a_final_letter_waits_for_the_second_person(desk: Any, id_of: Any) -> None:
    rejected = {"outcome": "rejected", "root_cause": "none_found", "no_redress_reason": "not_upheld"}
    await desk.do("propose", rejected)
    answer = await desk.post(at(id_of(1)), FINAL)
    assert (answer.status_code, answer.json()["code"]) == (409, "verb_not_allowed")
    assert (await desk.get(at(id_of(1)))).json() == []
    await desk.do("approve", who="supervisor")
    assert (await desk.post(at(id_of(1)), FINAL)).status_code == 201


async def test_only_the_assignee_issues_and_the_words_go_with_the_complaint(desk: Any, id_of: Any) -> None:
    holding = {"kind": "holding", "explanation": "The archive is slow.", "reply_by": "2026-12-20"}
    assert (await desk.post(at(id_of(1)), holding, who="colleague")).status_code == 403
    assert (await desk.post(at(id_of(1)), holding, **{"If-Match": '"1"'})).status_code == 412
    assert (await desk.post(at(id_of(1)), holding)).status_code == 201
    await desk.hear(ComplaintErased(complaint_id=id_of(1), ground="request", erased_at=desk.now[0]))
    (one,) = (await desk.get(at(id_of(1)))).json()
    assert (one["subject"], one["body"]) == ("", "")


EXTENDED: dict[str, Any] = {
    "clock_id": "k",
    "step": "final",
    "was_due_at": datetime(2026, 12, 20, 15, 59, 59, tzinfo=UTC),
    "due_at": datetime(2027, 1, 20, 15, 59, 59, tzinfo=UTC),
    "reason": "An expert looks at the signature.",
    "approved_by": "key:supervisor",
    "rights": {"en": "You may ask for a review.", "zh-Hant": "您可申請核查。", "zh-Hans": "您可以申请核查。"},
    "extended_at": datetime(2026, 12, 1, tzinfo=UTC),
}


async def test_an_extended_deadline_is_told_by_letter_with_reason_date_and_right(desk: Any, id_of: Any) -> None:
    id = id_of(1)
    await desk.hear(ClockExtended(complaint_id=id, **EXTENDED))
    (letter,) = (await desk.get(at(id))).json()
    assert letter["kind"] == "holding"
    assert letter["issued_by"] == "key:supervisor"
    assert "An expert looks at the signature." in letter["body"]
    assert EXTENDED["rights"][letter["language"]] in letter["body"]
    assert "2027" in letter["body"]
    published = [name for name, _ in await desk.published()]
    assert published.count("letter_issued") == 1
    assert published.count("responded") == 1, "a letter that holds is the interim reply too"


async def test_an_extension_that_asks_for_no_letter_or_comes_too_late_for_one_sends_none(desk: Any, id_of: Any) -> None:
    id = id_of(1)
    await desk.hear(ClockExtended(complaint_id=id, **EXTENDED | {"notice_required": False}))
    assert (await desk.get(at(id))).json() == []
