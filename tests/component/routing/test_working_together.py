"""Several people on one case over the API: triage, transfer, consulting, asking the complainant, the second person, the
complainant's own steps, and giving cases to officers."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.events import (
    ComplaintAmended,
    ComplaintDisputed,
    ComplaintErased,
    ComplaintMessageAdded,
    ComplaintWithdrawn,
)

FAIR = {"outcome": "upheld", "root_cause": "product_design", "redress": {"value": "120.50", "currency": "HKD"}}
REJECTED = {"outcome": "rejected", "root_cause": "none_found", "no_redress_reason": "not_upheld"}
TOLD = {"via": "post", "rights_told": True}
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
async def desk(routing: Any, make: Any) -> Any:
    """The service with one case that waits."""
    await routing.hear(make.received())
    return routing


async def ok(desk: Any, verb: str, body: Any = None, **more: Any) -> dict[str, Any]:
    answer = await desk.do(verb, body, **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def refused(desk: Any, verb: str, body: Any = None, **more: Any) -> tuple[int, str]:
    answer = await desk.do(verb, body, **more)
    return answer.status_code, answer.json()["code"]


async def history(desk: Any, id: str) -> list[tuple[str, str, str | None]]:
    lines = (await desk.get(f"/v1/cases/{id}/history")).json()["items"]
    return [(line["kind"], line["actor"], line["text"]) for line in lines]


async def test_a_vulnerable_customers_complaint_is_graver_from_then_on(desk: Any, id_of: Any) -> None:
    assert (await desk.case())["severity"] == "normal"
    yes = ComplaintAmended(complaint_id=id_of(1), amended_at=desk.now[0], vulnerable=True)
    await desk.hear(yes, yes)
    case = await desk.case()
    assert (case["vulnerable"], case["severity"]) == (True, "high")
    assert [data["severity"] for name, data in await desk.published() if name == "classified"] == ["normal", "high"]
    await desk.hear(yes.model_copy(update={"vulnerable": False}))
    case = await desk.case()
    assert (case["vulnerable"], case["severity"]) == (False, "high"), "only a person makes it less grave"


async def test_a_complaint_and_its_amendment_may_come_in_one_batch(desk: Any, make: Any, id_of: Any) -> None:
    await desk.hear(make.received(2), ComplaintAmended(complaint_id=id_of(2), amended_at=desk.now[0], vulnerable=True))
    assert (await desk.case(2))["severity"] == "high"


async def test_a_whole_case_with_everybody_in_it(desk: Any, id_of: Any) -> None:
    id = id_of(1)
    await ok(desk, "claim")
    await ok(desk, "acknowledge")
    asked = await ok(desk, "consult", {"department": "lending", "text": "Is the fee in your table?"})
    assert asked["state"] == "in_progress"
    (consult,) = (await desk.get(f"/v1/cases/{id}/consults")).json()
    assert (consult["department"], consult["answer"]) == ("lending", None)
    await ok(desk, "advise", {"consult_id": consult["id"], "text": "It is not."}, who="colleague")
    assert await refused(desk, "advise", {"consult_id": consult["id"], "text": "Again."}) == (404, "not_found")
    waiting = await ok(
        desk, "request_information", {"text": "Please send the statement.", "reply_by": "2026-12-01T00:00:00Z"}
    )
    assert (waiting["state"], waiting["waiting_since"]) == ("waiting", "2026-11-23T10:00:00Z")
    await ok(desk, "receive_information")
    proposed = await ok(desk, "propose", REJECTED)
    assert (proposed["state"], proposed["proposed"]["outcome"]) == ("proposed", "rejected")
    assert await refused(desk, "approve") == (403, "not_entitled")
    back = await ok(desk, "return", {"text": "Look at the fee table again."}, who="supervisor")
    assert (back["state"], back["proposed"]) == ("in_progress", None)
    await ok(desk, "propose", REJECTED)
    assert (await ok(desk, "approve", who="supervisor"))["approved_by"] == "key:supervisor"
    await ok(desk, "respond", {"final": True})
    await ok(desk, "resolve")
    answer = await desk.do("close")
    assert (answer.status_code, answer.json()["code"]) == (422, "close_incomplete")
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/delivery", "/right_to_go_further"]
    await ok(desk, "deliver", TOLD)
    closed = await ok(desk, "close")
    assert (closed["state"], closed["outcome"], closed["missing"]) == ("closed", "rejected", [])

    told = [name for name, _ in await desk.published()]
    assert told == [
        *("classified", "routed", "assigned", "acknowledged", "consulted", "consulted", "information_requested"),
        *("information_received", "outcome_proposed", "outcome_reviewed", "outcome_proposed", "outcome_reviewed"),
        *("responded", "resolved", "delivered", "closed"),
    ]
    data = dict(await desk.published())
    assert data["outcome_proposed"]["needs"] == ["outcome"]
    assert data["outcome_reviewed"] == {
        **data["outcome_reviewed"],
        "approved": True,
        "reviewed_by": "key:supervisor",
    }
    lines = await history(desk, id)
    assert ("consult", "key:officer", "Is the fee in your table?") in lines
    assert ("return", "key:supervisor", "Look at the fee table again.") in lines
    assert [kind for kind, _, _ in lines][-2:] == ["deliver", "close"]
    detail = next(d for _, action, d in await desk.audited() if action == "case.resolve")
    assert detail["changed"]["decision"][0] is None
    assert "rejected" in detail["changed"]["decision"][1]


async def test_two_officers_claim_at_once_and_one_wins(desk: Any) -> None:
    answers = await asyncio.gather(desk.do("claim"), desk.do("claim", who="colleague"))
    assert sorted(a.status_code for a in answers) == [200, 409]
    lost = next(a for a in answers if a.status_code == 409)
    assert lost.json()["code"] == "verb_not_allowed"
    assert "in_progress" in lost.json()["detail"]


async def test_what_an_officer_may_not_grant_alone_is_proposed_first(desk: Any) -> None:
    large = {**FAIR, "redress": {"value": "5000.01", "currency": "HKD"}}
    await ok(desk, "claim")
    await ok(desk, "respond", TOLD)
    assert await refused(desk, "resolve", large) == (409, "approval_needed")
    await ok(desk, "propose", large)
    assert await refused(desk, "approve", who="officer") == (403, "not_entitled")
    await ok(desk, "approve", who="supervisor")
    assert (await ok(desk, "resolve"))["redress"] == {"value": "5000.01", "currency": "HKD"}


async def test_above_the_supervisors_power_a_manager_approves(desk: Any) -> None:
    await ok(desk, "claim")
    await ok(desk, "propose", {**FAIR, "redress": {"value": "100000.01", "currency": "HKD"}})
    assert await refused(desk, "approve", who="supervisor") == (403, "not_entitled")
    assert (await ok(desk, "approve", who="manager"))["state"] == "approved"


async def test_a_supervisor_does_not_approve_their_own_proposal(desk: Any) -> None:
    await ok(desk, "claim", who="supervisor")
    await ok(desk, "propose", REJECTED, who="supervisor")
    assert await refused(desk, "approve", who="supervisor") == (403, "same_person")


async def test_a_branch_does_not_approve_the_rejection_of_a_complaint_about_itself(desk: Any) -> None:
    await desk.http.put(
        "/v1/officers/key:supervisor",
        headers=desk.headers("admin"),
        json={"department": "branch_operations", "branch": "north_weir"},
    )
    await ok(desk, "claim")
    await ok(desk, "propose", REJECTED)
    assert await refused(desk, "approve", who="supervisor") == (403, "conflict_of_interest")


async def test_triage_is_a_persons_word_and_a_lesson(routing: Any, make: Any) -> None:
    await routing.hear(make.received(narrative="Xyzzy plugh.", product=None))
    case = await routing.case()
    assert (case["state"], case["decided_by"], case["department"]) == ("triage", "person", "complaint_office")
    said = {"category": "fees", "product": "mortgage", "department": "lending"}
    triaged = await ok(routing, "triage", said)
    assert (triaged["state"], triaged["decided_by"], triaged["confidence"]) == ("routed", "person", 1.0)
    assert {name: triaged[name] for name in said} == said
    data = await routing.published()
    assert [name for name, _ in data] == ["classified", "routed", "classified", "routed"]
    assert (data[2][1]["category"], data[2][1]["decided_by"]) == ("fees", "person")
    assert await routing.scalar("SELECT category || product || was FROM correction") == "feesmortgageother"
    await ok(routing, "triage", {"category": "product"})
    assert await routing.scalar("SELECT category || product || was FROM correction") == "productmortgageother"


async def test_how_grave_a_case_is_is_a_persons_word_too(desk: Any, id_of: Any) -> None:
    answer = await desk.do("triage", {"severity": "high"})
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/text"]
    said = {"severity": "high", "text": "She cannot pay her rent."}
    assert (await ok(desk, "triage", said))["severity"] == "high"
    assert await refused(desk, "triage", {"severity": "low", "text": "No."}) == (403, "not_entitled")
    await ok(desk, "triage", {"severity": "normal", "text": "It was paid back."}, who="supervisor")
    assert [data["severity"] for name, data in await desk.published() if name == "classified"] == [
        *("normal", "high", "normal")
    ]
    assert ("triage", "key:officer", "She cannot pay her rent.") in await history(desk, id_of(1))
    changed = [detail["changed"] for _, action, detail in await desk.audited() if action == "case.triage"]
    assert [one["severity"] for one in changed] == [["normal", "high"], ["high", "normal"]]


async def test_a_case_found_to_be_about_its_officer_goes_back_and_they_may_not_touch_it(desk: Any) -> None:
    await ok(desk, "claim")
    found = await ok(desk, "triage", {"about": ["key:officer"]}, who="colleague")
    assert (found["state"], found["assignee"], found["about"]) == ("routed", None, ["key:officer"])
    assert [name for name, _ in await desk.published()][-2:] == ["classified", "routed"]
    assert await refused(desk, "claim") == (403, "conflict_of_interest")


async def test_a_transfer_is_told_with_its_reason_which_names_nobody(desk: Any) -> None:
    await ok(desk, "claim")
    moved = await ok(desk, "transfer", {"department": "lending", "text": "Her loan; call her on 6123 4567."})
    assert (moved["state"], moved["department"], moved["assignee"]) == ("routed", "lending", None)
    told = dict(await desk.published())
    assert told["transferred"]["from_department"] == "cards"
    assert "6123" not in told["transferred"]["reason"]
    assert told["routed"]["department"] == "lending"


@on_sqlite
@pytest.mark.parametrize(
    ("verb", "body", "pointers"),
    [
        ("transfer", {}, ["/department", "/text"]),
        ("transfer", {"department": "moon", "text": "x"}, ["/department"]),
        ("note", {}, ["/text"]),
        ("consult", {"text": "x"}, ["/department"]),
        ("propose", {}, ["/outcome", "/root_cause"]),
        ("triage", {"category": "gremlins", "product": "moon"}, ["/category", "/product"]),
        ("reopen", {}, ["/text"]),
        ("deliver", {}, ["/via"]),
    ],
)
async def test_what_a_step_lacks_is_named(desk: Any, verb: str, body: dict[str, Any], pointers: list[str]) -> None:
    answer = await desk.do(verb, body, who="supervisor")
    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == pointers


# --- what the complainant does ---


async def test_a_message_wakes_a_case_that_waits(desk: Any, make: Any, id_of: Any) -> None:
    await ok(desk, "claim")
    await ok(desk, "request_information", {"text": "The statement, please."})
    at = make.received().received_at
    message = ComplaintMessageAdded(
        complaint_id=id_of(1),
        message_id="m1",
        direction="in",
        author="complainant",
        via="tracking",
        text="Here it is.",
        added_at=at,
    )
    await desk.hear(message)
    assert (await desk.case())["state"] == "in_progress"
    assert "information_received" in [name for name, _ in await desk.published()]


async def test_a_withdrawal_is_shown_and_a_dispute_opens_a_review(desk: Any, make: Any, id_of: Any) -> None:
    at = make.received().received_at
    await desk.hear(ComplaintWithdrawn(complaint_id=id_of(1), withdrawn_at=at, reason="It is settled."))
    assert (await desk.case())["withdrawn_at"] is not None
    for verb, body in (("claim", None), ("respond", TOLD), ("resolve", FAIR), ("close", None)):
        await ok(desk, verb, body)
    await desk.hear(
        ComplaintDisputed(
            complaint_id=id_of(1), dispute_id="d1", outcome="upheld", grounds="Too little.", disputed_at=at
        )
    )
    assert (await desk.case())["state"] == "in_review"
    name, data = (await desk.published())[-1]
    assert (name, data["cause"]) == ("review_opened", "dispute")
    reopened = await ok(desk, "reopen", {"text": "The sum was wrong."}, who="supervisor")
    assert (reopened["state"], reopened["reopened"], reopened["outcome"]) == ("in_progress", 1, None)


async def test_all_of_a_batch_counts_also_what_follows_a_complaint_at_once(routing: Any, make: Any, id_of: Any) -> None:
    at = make.received().received_at
    await routing.hear(
        make.received(), make.escalated(), ComplaintWithdrawn(complaint_id=id_of(1), withdrawn_at=at, reason=None)
    )
    case = await routing.case()
    assert (case["escalation_level"], case["withdrawn_at"] is not None) == (1, True)


async def test_erasure_takes_all_words_from_the_history_too(desk: Any, make: Any, id_of: Any) -> None:
    await ok(desk, "note", {"text": "She sounded upset about Zanzibar."})
    await ok(desk, "consult", {"department": "lending", "text": "Zanzibar?"})
    at = make.received().received_at
    await desk.hear(ComplaintErased(complaint_id=id_of(1), ground="request", erased_at=at))
    assert [text for _, _, text in await history(desk, id_of(1))] == [None, None]
    assert await desk.scalar("SELECT count(*) FROM consult WHERE question LIKE '%Zanzibar%'") == 0
    assert (await desk.case())["explanation"] == {}


async def test_who_complains_again_and_again_is_taken_more_seriously(routing: Any, make: Any) -> None:
    mine = {"customer_ref": "c" * 32, "narrative": "The form on your website is confusing."}
    await routing.hear(*(make.received(n, **mine) for n in (1, 2, 3)))
    assert [(await routing.case(n))["severity"] for n in (1, 2, 3)] == ["normal", "normal", "high"]
    assert (await routing.case(3))["explanation"]["signals"] == ["repeats"]


async def test_a_large_amount_is_grave(routing: Any, make: Any) -> None:
    await routing.hear(make.received(1, amount="100000"), make.received(2, amount="99999.99"))
    assert [(await routing.case(n))["severity"] for n in (1, 2)] == ["high", "normal"]


# --- officers ---


async def put(desk: Any, id: str, **changes: Any) -> None:
    body = {"department": "cards", **changes}
    answer = await desk.http.put(f"/v1/officers/{id}", headers=desk.headers("supervisor"), json=body)
    assert answer.status_code == 200, answer.text


async def test_a_case_is_given_to_who_can_do_it_is_there_and_has_least(routing: Any, make: Any) -> None:
    await routing.hear(*(make.received(n) for n in range(1, 5)))
    await put(routing, "o:elsewhere", department="lending")
    await put(routing, "o:gone", active=False)
    await put(routing, "o:away")
    away = {"first": "2026-11-20", "last": "2026-11-23"}
    headers = routing.headers("supervisor")
    sent = await routing.http.post("/v1/officers/o:away/absences", headers=headers, json=away)
    assert sent.status_code == 201
    await put(routing, "o:chinese", languages=["zh-Hant", "zh-Hans"])
    await put(routing, "o:own-branch", branch="north_weir")
    assert await refused(routing, "assign", n=1, who="supervisor") == (409, "nobody_free")
    await put(routing, "o:one", most_open=2)
    await put(routing, "o:two", most_open=1)
    given = [(await ok(routing, "assign", n=n, who="supervisor"))["assignee"] for n in (1, 2, 3)]
    assert sorted(given) == ["o:one", "o:one", "o:two"]
    answer = await routing.do("assign", n=4, who="supervisor")
    assert answer.json()["code"] == "nobody_free"
    assert "full: 2" in answer.json()["detail"]
    loads = {o["id"]: o["open_cases"] for o in (await routing.get("/v1/officers", who="supervisor")).json()}
    assert (loads["o:one"], loads["o:two"]) == (2, 1)
    assert await refused(routing, "assign", n=4) == (409, "nobody_free")
    assert await refused(routing, "assign", {"assignee": "o:one"}, n=4) == (403, "not_entitled")


@on_sqlite
async def test_an_absence_begins_and_ends_with_the_banks_day(desk: Any) -> None:
    await put(desk, "o:away")
    headers = desk.headers("supervisor")
    day = {"first": "2026-11-24", "last": "2026-11-24"}
    await desk.http.post("/v1/officers/o:away/absences", headers=headers, json=day)
    desk.now[0] = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)  # one in the morning of the 24th in Hong Kong
    assert await refused(desk, "assign", who="supervisor") == (409, "nobody_free")
    desk.now[0] = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
    assert (await ok(desk, "assign", who="supervisor"))["assignee"] == "o:away"


@on_sqlite
async def test_an_officer_of_an_unknown_department_is_refused(desk: Any) -> None:
    answer = await desk.http.put(
        "/v1/officers/x", headers=desk.headers("admin"), json={"department": "moon", "categories": ["gremlins"]}
    )
    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/department", "/categories"]
