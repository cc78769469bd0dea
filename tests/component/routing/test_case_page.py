"""A case on one page: who sees what, every step by its form, refusals in words with nothing typed lost."""

from typing import Any

import pytest

from tests.component.routing.browsing import Browser, hidden, plain
from tests.component.routing.conftest import complaint_id

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
CASE = f"/cases/{complaint_id(1)}"
CODES = ("verb_not_allowed", "not_assignee", "not_entitled", "close_incomplete", "precondition_failed", "in_progress")


@pytest.fixture
async def desk(routing: Any, make: Any) -> Any:
    await routing.hear(make.received(1))
    return routing


async def step(desk: Any, who: str, verb: str, **fields: Any) -> None:
    browser = Browser(desk, who)
    version = hidden(await browser.page(CASE), "version")
    sent = await browser.send(f"{CASE}/steps/{verb}", version=version, **fields)
    assert sent.status_code == 303, plain(sent.text)
    assert sent.headers["location"].startswith(f"{CASE}?done={verb}&kept=1")


@SQLITE
async def test_who_sees_what_of_a_case(desk: Any) -> None:
    seen = {
        who: await Browser(desk, who).page(CASE) for who in ("officer", "supervisor", "auditor", "manager", "admin")
    }
    said = {who: "late fee" in page for who, page in seen.items()}
    assert said == {"officer": True, "supervisor": True, "auditor": True, "manager": False, "admin": False}
    forms = {who: "/steps/" in page for who, page in seen.items()}
    assert forms == {"officer": True, "supervisor": True, "auditor": False, "manager": True, "admin": False}
    assert "/steps/assign" in seen["supervisor"]
    assert "/steps/assign" not in seen["officer"]
    assert "This is for a supervisor or manager." in plain(seen["officer"])
    assert "Found “late fee, " in plain(seen["officer"]), "why it was classified so, in words"
    assert (await Browser(desk, "agent").get(CASE)).status_code == 403
    assert (await Browser(desk, "officer").get("/cases/nothing")).status_code == 404
    assert (await Browser(desk, "auditor").send(f"{CASE}/steps/note", note="x")).status_code == 403
    readers = [actor for actor, action, _ in await desk.audited() if action == "case.read"]
    assert readers == ["key:officer", "key:supervisor", "key:auditor"]


async def test_a_case_goes_its_whole_way_by_the_forms(desk: Any) -> None:
    await step(desk, "officer", "claim")
    await step(desk, "officer", "acknowledge", at="2026-11-03T10:00")
    await step(desk, "officer", "note", note="Call 9123 4567 back.")
    await step(desk, "officer", "consult", department="lending", question="Is it a loan?")
    page = await Browser(desk, "colleague").page(CASE)
    await step(desk, "colleague", "advise", consult_id=hidden(page, "consult_id"), answer="It is none.")
    await step(desk, "officer", "request_information", question="Which month?", reply_by="2026-12-01")
    await step(desk, "officer", "receive_information")
    await step(
        desk, "officer", "propose",
        outcome="upheld", root_cause="product_design", amount="90,000", currency="HKD", why="As the rules say.",
    )  # fmt: skip
    page = plain(await Browser(desk, "manager").page(CASE))
    assert "HK$90,000.00" in page
    assert "Waits for a second person" in page
    await step(desk, "manager", "approve")
    await step(desk, "officer", "respond", what="final", via="post", rights_told="1")
    await step(desk, "officer", "resolve", currency="HKD")  # as proposed
    await step(desk, "officer", "close")
    case = await desk.case()
    assert (case["state"], case["redress"]["value"]) == ("closed", "90000")
    assert case["acknowledged_at"] == "2026-11-03T02:00:00Z"
    page = plain(await Browser(desk, "officer").page(CASE))
    for words in ("Claimed You", "It is none.", "Product design", "Decision approved manager", "As the rules say."):
        assert words in page
    assert "9123 4567" not in page
    assert not any(code in page for code in CODES)
    await step(desk, "supervisor", "reopen", reason="New facts.")


@SQLITE
async def test_a_refused_step_says_why_in_words_and_keeps_what_was_typed(desk: Any) -> None:
    await step(desk, "officer", "claim")
    colleague = Browser(desk, "colleague")
    version = hidden(await colleague.page(CASE), "version")
    sent = await colleague.send(
        f"{CASE}/steps/transfer", version=version, department="lending", reason="It is <b>a loan</b>."
    )
    assert sent.status_code == 403
    assert "officer works on it; only they or a supervisor may." in plain(sent.text)
    assert not any(code in plain(sent.text) for code in CODES)
    officer = Browser(desk, "officer")
    early = await officer.send(f"{CASE}/steps/close", version=version)
    assert early.status_code == 422
    assert "Before it can be closed it still needs: the final response, its delivery" in plain(early.text)
    lacking = await officer.send(f"{CASE}/steps/propose", version=version, outcome="upheld", why="Long thoughts.")
    assert lacking.status_code == 422
    assert "Root cause: This is needed." in plain(lacking.text)
    assert "Long thoughts.</textarea>" in lacking.text
    assert 'value="upheld" selected' in lacking.text
    again = await officer.send(f"{CASE}/steps/claim", version=version)
    assert again.status_code == 409
    assert "You work on it already." in plain(again.text)
    assert (await desk.case())["version"] == 2, "nothing was done"
    assert "What cannot be done now, and why" in plain(await officer.page(CASE))


async def test_a_case_that_has_changed_shows_what_and_keeps_the_text(desk: Any) -> None:
    await step(desk, "officer", "claim")
    officer = Browser(desk, "officer")
    page = await officer.page(CASE)
    await step(desk, "supervisor", "note", note="I have called them.")
    sent = await officer.send(
        f"{CASE}/steps/consult",
        version=hidden(page, "version"),
        seen=hidden(page, "seen"),
        department="lending",
        question="Whose is it?",
    )
    assert sent.status_code == 412
    told = plain(sent.text).partition("What has happened since")[2].partition("Nothing that you typed is lost")[0]
    assert "I have called them." in told
    assert "Claimed" not in told, "only what is new"
    assert "Whose is it?</textarea>" in sent.text
    assert 'value="lending" selected' in sent.text
    sent = await officer.send(
        f"{CASE}/steps/consult", version=hidden(sent.text, "version"), department="lending", question="Whose is it?"
    )
    assert sent.status_code == 303


@SQLITE
async def test_a_step_that_fails_half_way_leaves_nothing_behind(desk: Any) -> None:
    await step(desk, "officer", "claim")
    await step(desk, "officer", "consult", department="lending", question="Is it a loan?")
    before = await desk.case()
    wrong = await Browser(desk, "colleague").send(f"{CASE}/steps/advise", consult_id="0", answer="Yes.")
    assert wrong.status_code == 404
    assert "This question has been answered already." in plain(wrong.text)
    assert (await desk.case())["version"] == before["version"]


@SQLITE
async def test_letters_are_looked_at_and_issued(desk: Any) -> None:
    await step(desk, "officer", "claim")
    officer, path = Browser(desk, "officer"), f"{CASE}/letter"
    version = hidden(await officer.page(path), "version")
    fields = {"version": version, "kind": "holding", "language": "en", "reply_by": "2026-12-20"}
    lacking = await officer.send(path, do="preview", **fields)
    assert lacking.status_code == 422
    assert "Explanation for the complainant: This is needed." in plain(lacking.text)
    seen = await officer.send(path, do="preview", explanation="We wait for a record.", **fields)
    assert seen.status_code == 200
    assert "Progress of your complaint 261102-AAAA-00001" in seen.text
    assert await desk.scalar("SELECT count(*) FROM letter") == 0
    cut = await officer.send(path, do="issue", explanation="We wait.", body="Dear {complainant}, wait.", **fields)
    assert cut.status_code == 422
    assert "must hold, word for word: 261102-AAAA-00001" in plain(cut.text)
    assert "Dear {complainant}, wait.</textarea>" in cut.text
    body = seen.text.partition('id="letter-body" ')[2].partition(">")[2].partition("</textarea>")[0]
    sent = await officer.send(path, do="issue", explanation="We wait for a record.", body=body, **fields)
    assert sent.status_code == 303, plain(sent.text)
    assert (await desk.case())["holding_response_at"] is not None
    page = plain(await officer.page(path))
    assert "Holding response · Issued" in page
    stale = await officer.send(path, do="issue", explanation="Once more.", **fields)
    assert stale.status_code == 412
    assert "Once more.</textarea>" in stale.text
    assert (await Browser(desk, "manager").get(path)).status_code == 403
    assert "<form" not in (await Browser(desk, "auditor").page(path)).partition("<main")[2]
