"""Working a case over the API: every verb, every refusal, who may, and two at once."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.routing import APIRoute

from services.routing.api import ROUTERS
from shared import audit

# Refusals before any query: the same code whatever the database.
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
RESOLUTION = {
    "outcome": "upheld",
    "root_cause": "product_design",
    "redress": {"value": "120.50", "currency": "HKD"},
}


TOLD = {"final": True, "via": "post", "rights_told": True}
MAIN_ROAD = ("claim", "acknowledge", "respond", "resolve", "close")
BODIES = {"resolve": RESOLUTION, "respond": TOLD}


@pytest.fixture
async def desk(routing: Any, make: Any) -> Any:
    """The service with one case that waits."""
    await routing.hear(make.received())
    return routing


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["code"] == code
    return found


async def walk(desk: Any, *verbs: str, n: int = 1) -> None:
    for verb in verbs:
        answer = await desk.do(verb, BODIES.get(verb), n=n)
        assert answer.status_code == 200, answer.text


async def test_a_case_is_walked_from_claim_to_close_and_every_step_is_told_and_audited(desk: Any) -> None:
    states, steps = [], []
    for verb, body in (
        ("claim", None),
        ("acknowledge", {}),
        ("respond", {"final": False}),
        ("respond", TOLD),
        ("resolve", RESOLUTION),
        ("close", None),
    ):
        answer = await desk.do(verb, body)
        assert answer.status_code == 200, answer.text
        states.append(answer.json()["state"])
        steps.append([step for step in answer.json()["next_steps"] if step in MAIN_ROAD])

    assert states == ["in_progress", "in_progress", "in_progress", "responded", "resolved", "closed"]
    assert steps == [["acknowledge", "respond"], ["respond"], ["respond"], ["resolve"], ["close"], []]
    published = await desk.published()
    assert [name for name, _ in published] == [
        *("classified", "routed", "assigned", "acknowledged", "responded", "responded", "delivered", "resolved"),
        "closed",
    ]
    data = [d for _, d in published]
    assert data[2]["assignee"] == "key:officer"
    assert (data[4]["final"], data[5]["final"]) == (False, True)
    assert (data[7]["outcome"], data[7]["root_cause"]) == ("upheld", "product_design")
    assert (float(data[7]["redress_amount"]), data[7]["redress_currency"]) == (120.5, "HKD")
    actions = [(actor, action) for actor, action, _ in await desk.audited() if action != "case.read"]
    assert actions == [
        ("system", "case.opened"),
        *(("key:officer", f"case.{v}") for v in ("claim", "acknowledge", "respond", "respond", "resolve", "close")),
    ]
    rows = [row async for row in audit.export(desk.db)]
    assert audit.verify(rows, expected_head=await audit.head(desk.db)).broken_at is None
    case = await desk.case()
    assert case["redress"] == {"value": "120.5", "currency": "HKD"}


async def test_work_recorded_later_keeps_both_times(desk: Any) -> None:
    answer = await desk.do("claim", {"at": "2026-11-03T10:00:00+08:00"})

    assert answer.json()["assigned_at"] == "2026-11-03T02:00:00Z"
    assert (await desk.published())[-1][1]["assigned_at"].startswith("2026-11-03T02:00:00")
    detail = next(d for _, action, d in await desk.audited() if action == "case.claim")
    assert detail["happened_at"] == "2026-11-03T02:00:00.000Z"
    at = await desk.scalar("SELECT at FROM audit WHERE action = 'case.claim'")
    assert str(at).startswith("2026-11-23 10:00:00")


@on_sqlite
@pytest.mark.parametrize(
    "at", ["2026-11-23T10:00:01Z", "2026-11-02T08:59:59Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
async def test_an_impossible_time_is_refused_at_its_pointer(desk: Any, at: str) -> None:
    found = problem(await desk.do("claim", {"at": at}), 422, "impossible_time")
    assert [e["pointer"] for e in found["errors"]] == ["/at"]
    assert (await desk.case())["state"] == "routed"


async def test_a_step_cannot_have_happened_before_the_one_before_it(desk: Any) -> None:
    await desk.do("claim", {"at": "2026-11-10T10:00:00Z"})
    problem(await desk.do("respond", {"at": "2026-11-10T09:59:59Z"}), 422, "impossible_time")
    assert (await desk.do("respond", {"at": "2026-11-10T10:00:00Z"})).status_code == 200


@on_sqlite
@pytest.mark.parametrize(
    ("verb", "body", "pointer"),
    [
        ("claim", {"at": "2026-11-10T10:00:00"}, "/at"),
        ("claim", {"at": "yesterday"}, "/at"),
        ("claim", {"when": "2026-11-10T10:00:00Z"}, "/when"),
        ("respond", {"final": "perhaps"}, "/final"),
        ("resolve", {**RESOLUTION, "outcome": "lost"}, "/outcome"),
        ("resolve", {**RESOLUTION, "root_cause": "gremlins"}, "/root_cause"),
        ("resolve", {"outcome": "upheld", "no_redress_reason": "no_loss"}, "/root_cause"),
        ("resolve", {"root_cause": "product_design", "no_redress_reason": "no_loss"}, "/outcome"),
        ("resolve", {"outcome": "upheld", "root_cause": "product_design"}, "/redress"),
        ("resolve", {**RESOLUTION, "no_redress_reason": "no_loss"}, "/redress"),
        (
            "resolve",
            {"outcome": "rejected", "root_cause": "none_found", "no_redress_reason": "why"},
            "/no_redress_reason",
        ),
        ("resolve", {**RESOLUTION, "redress": {"value": "0", "currency": "HKD"}}, "/redress/value"),
        ("resolve", {**RESOLUTION, "redress": {"value": "-1", "currency": "HKD"}}, "/redress/value"),
        ("resolve", {**RESOLUTION, "redress": {"value": "NaN", "currency": "HKD"}}, "/redress/value"),
        ("resolve", {**RESOLUTION, "redress": {"value": "9" * 30, "currency": "HKD"}}, "/redress/value"),
        ("resolve", {**RESOLUTION, "redress": {"value": "1", "currency": "dollars"}}, "/redress/currency"),
        ("resolve", {**RESOLUTION, "redress": {"value": "1"}}, "/redress/currency"),
    ],
)
async def test_a_value_that_cannot_be_taken_is_named_and_changes_nothing(
    desk: Any, verb: str, body: dict[str, Any], pointer: str
) -> None:
    if verb != "claim":
        await walk(desk, "claim")
    if verb == "resolve":
        await walk(desk, "respond")
    before = await desk.case()
    answer = await desk.do(verb, body)

    assert answer.status_code == 422, answer.text
    assert pointer in [e["pointer"] for e in answer.json()["errors"]]
    assert await desk.case() == before


@on_sqlite
@pytest.mark.parametrize(
    ("done", "refused"),
    [
        ((), ("respond", "resolve", "close")),
        (("claim",), ("claim", "resolve")),
        (("claim", "respond"), ("claim", "respond")),
        (("claim", "respond", "resolve"), ("claim", "respond", "resolve")),
        (("claim", "respond", "resolve", "close"), ("claim", "acknowledge", "respond", "resolve", "close")),
    ],
)
async def test_a_verb_out_of_turn_is_a_conflict_that_tells_the_state(
    desk: Any, done: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    await walk(desk, *done)
    before = await desk.case()
    for verb in refused:
        found = problem(await desk.do(verb, RESOLUTION if verb == "resolve" else None), 409, "verb_not_allowed")
        assert before["state"] in found["detail"]
    assert await desk.case() == before


async def test_closing_too_early_names_what_is_missing(desk: Any) -> None:
    await walk(desk, "claim")
    found = problem(await desk.do("close"), 422, "close_incomplete")
    assert [e["pointer"] for e in found["errors"]] == [
        *("/final_response", "/delivery", "/right_to_go_further", "/outcome", "/root_cause", "/redress")
    ]
    await walk(desk, "respond")
    found = problem(await desk.do("close"), 422, "close_incomplete")
    assert [e["pointer"] for e in found["errors"]] == ["/outcome", "/root_cause", "/redress"]


async def test_a_case_is_acknowledged_once(desk: Any) -> None:
    await walk(desk, "acknowledge")
    problem(await desk.do("acknowledge"), 409, "verb_not_allowed")
    assert [name for name, _ in await desk.published()] == ["classified", "routed", "acknowledged"]


async def test_only_the_assignee_or_a_supervisor_works_a_claimed_case(desk: Any) -> None:
    await walk(desk, "claim")
    problem(await desk.do("respond", who="colleague"), 403, "not_assignee")
    assert (await desk.do("respond", who="supervisor")).status_code == 200
    assert (await desk.case())["assignee"] == "key:officer"


async def test_a_case_that_does_not_exist_is_not_found(desk: Any) -> None:
    problem(await desk.do("claim", n=9), 404, "not_found")
    problem(await desk.get("/v1/cases/unknown"), 404, "not_found")
    assert (await desk.do("dance")).status_code == 422


@pytest.mark.parametrize("id", ["a%00b", "%F0%9F%99%82", "a%20b", "x" * 65, "%ED%A0%80"])
async def test_an_id_that_cannot_be_one_is_refused_not_an_error_of_ours(desk: Any, id: str) -> None:
    assert (await desk.get(f"/v1/cases/{id}")).status_code in (400, 404, 422)
    assert (await desk.post(f"/v1/cases/{id}/claim")).status_code in (400, 404, 422)


async def test_a_step_on_an_outdated_reading_is_refused(desk: Any) -> None:
    read = await desk.get(f"/v1/cases/{(await desk.case())['complaint_id']}")
    etag = read.headers["etag"]
    assert etag == f'"{read.json()["version"]}"'
    first = await desk.do("acknowledge", **{"If-Match": etag})
    assert first.status_code == 200
    assert first.headers["etag"] != etag

    problem(await desk.do("claim", **{"If-Match": etag}), 412, "precondition_failed")
    assert (await desk.case())["state"] == "routed"
    assert (await desk.do("claim", **{"If-Match": first.headers["etag"]})).status_code == 200


async def test_an_escalation_meanwhile_makes_the_reading_outdated(desk: Any, make: Any) -> None:
    etag = (await desk.get(f"/v1/cases/{(await desk.case())['complaint_id']}")).headers["etag"]
    await desk.hear(make.escalated())
    problem(await desk.do("claim", **{"If-Match": etag}), 412, "precondition_failed")


async def test_of_many_who_claim_at_once_one_wins_and_the_others_learn_the_state(desk: Any) -> None:
    callers = ["officer", "colleague", "supervisor"] * 4
    answers = await asyncio.gather(*(desk.do("claim", who=who) for who in callers))

    won = [a for a in answers if a.status_code == 200]
    assert len(won) == 1
    for lost in answers:
        if lost is not won[0]:
            assert "in_progress" in problem(lost, 409, "verb_not_allowed")["detail"]
    assert [name for name, _ in await desk.published()].count("assigned") == 1
    assert (await desk.case())["assignee"] == won[0].json()["assignee"]


async def test_claims_and_escalations_at_once_lose_neither(desk: Any, make: Any) -> None:
    await desk.hear(*(make.received(n) for n in range(2, 12)))
    claims = [desk.do("claim", n=n) for n in range(1, 12)]
    await asyncio.gather(desk.hear(*(make.escalated(n) for n in range(1, 12))), *claims)

    for n in range(1, 12):
        case = await desk.case(n)
        assert (case["state"], case["escalation_level"], case["version"]) == ("in_progress", 1, 3)


async def test_the_queue_is_filtered_and_paged_newest_first_each_case_once(routing: Any, make: Any) -> None:
    at = make.received().received_at
    await routing.hear(
        *(make.received(n, received_at=at + timedelta(hours=n // 2)) for n in range(12)),
        make.received(50, narrative="My mortgage rate is wrong", product="mortgage"),
    )
    for n in range(3):
        await routing.do("claim", n=n, who="colleague")

    seen: list[str] = []
    cursor: dict[str, str] = {}
    pages = 0
    while True:
        page = (await routing.get("/v1/cases", limit=5, department="cards", **cursor)).json()
        seen += [c["complaint_id"] for c in page["items"]]
        pages += 1
        if pages == 1:  # a newcomer at the top must not push a case onto the next page again
            await routing.hear(make.received(60, received_at=at + timedelta(days=1)))
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert pages == 3
    numbers = [int(id[-12:]) for id in seen]
    assert numbers == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]

    async def listed(**filters: str) -> set[int]:
        items = (await routing.get("/v1/cases", limit=200, **filters)).json()["items"]
        assert all("narrative" not in c for c in items)
        return {int(c["complaint_id"][-12:]) for c in items}

    assert await listed(state="in_progress") == {0, 1, 2}
    assert await listed(assignee="key:colleague") == {0, 1, 2}
    assert await listed(department="lending") == {50}
    assert await listed(state="closed") == set()


@on_sqlite
@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 1000},
        {"state": "asleep"},
        {"department": "a\x01b"},
        {"assignee": "x" * 101},
        {"cursor": "\x01"},
    ],
)
async def test_a_query_that_cannot_be_taken_is_refused(desk: Any, query: dict[str, Any]) -> None:
    problem(await desk.get("/v1/cases", **query), 422, "invalid_request")


async def test_a_cursor_that_nobody_gave_out_is_no_error_of_ours(desk: Any) -> None:
    assert (await desk.get("/v1/cases", cursor="~")).status_code in (200, 422)


async def test_the_dry_run_explains_itself_and_stores_nothing(desk: Any) -> None:
    rows = "SELECT (SELECT count(*) FROM complaint_case) + (SELECT count(*) FROM outbox) + (SELECT count(*) FROM audit)"
    before = await desk.scalar(rows)
    answer = await desk.post("/v1/classify", {"text": "收費不合理，年費照扣，我要搵律師", "product": "credit_card"})

    assert answer.status_code == 200
    found = answer.json()
    assert (found["category"], found["severity"], found["language"]) == ("fees", "high", "zh-Hant")
    assert (found["department"], found["product"]) == ("cards", "credit_card")
    assert found["reason"].startswith("rule R")
    words = {r["id"]: r["words"] for r in found["rules"]}
    assert words["fe-named"] == ["年費"]
    assert words["sv-legal"] == ["律師"]
    assert await desk.scalar(rows) == before


@on_sqlite
@pytest.mark.parametrize(
    ("text", "language", "rule", "word"),
    [
        ("信用卡被盜刷了三次，不是我做的，請退款。", "zh-Hant", "is-unauthorised", "盜刷"),
        ("信用卡被盗刷了三次，不是我做的，请退款。", "zh-Hans", "is-unauthorised", "盗刷"),
        ("My card was charged an annual fee twice and nobody answered.", "en", "fe-named", "annual fee*"),
        ("我的 credit card 被收了兩次 annual fee，客服一直沒有回覆。", "zh-Hant", "fe-named", "annual fee*"),
    ],
)
async def test_rule_and_words_are_explained_in_every_language(
    desk: Any, text: str, language: str, rule: str, word: str
) -> None:
    found = (await desk.post("/v1/classify", {"text": text})).json()
    assert found["language"] == language
    assert word in {r["id"]: r["words"] for r in found["rules"]}[rule]
    weighed = [one["text"] for one in found["model"]["words"]]
    assert weighed
    assert all(one.casefold() in text.casefold() for one in weighed), "in the author's own words"
    assert 0.99 < sum(found["model"]["chances"].values()) <= 1.01


@on_sqlite
@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "x" * 20_001}, {"text": "x", "language": "fr"}, []])
async def test_a_dry_run_without_a_text_is_refused(desk: Any, body: Any) -> None:
    problem(await desk.post("/v1/classify", body), 422, "invalid_request")


@on_sqlite
@pytest.mark.parametrize("text", ["🙂" * 20_000, "a\x00b", "﷽" * 20_000, " \n\t"])
async def test_a_dry_run_takes_any_text(desk: Any, text: str) -> None:
    assert (await desk.post("/v1/classify", {"text": text})).json()["category"] == "other"


async def test_a_lone_surrogate_is_refused_not_an_error_of_ours(desk: Any) -> None:
    headers = desk.headers("officer") | {"Content-Type": "application/json"}
    answer = await desk.http.post("/v1/classify", content=b'{"text": "\\ud800"}', headers=headers)
    assert answer.status_code in (400, 422)


async def test_departments_are_listed_in_three_languages(desk: Any) -> None:
    found = (await desk.get("/v1/departments")).json()
    codes = [d["code"] for d in found]
    assert "complaint_office" in codes
    assert len(codes) == len(set(codes))
    assert all(set(d["labels"]) == {"zh-Hant", "zh-Hans", "en"} for d in found)


READERS = {"officer", "supervisor", "manager", "auditor", "admin"}
WORDS = {"officer", "supervisor", "auditor"}
KEEPERS = {"supervisor", "admin"}
LEADERS = {"supervisor", "manager"}
MAY: dict[tuple[str, str], tuple[set[str], Any]] = {
    ("GET", "/v1/cases"): (READERS, None),
    ("GET", "/v1/cases/{complaint_id}"): (READERS, None),
    ("GET", "/v1/cases/{complaint_id}/history"): (WORDS, None),
    ("GET", "/v1/cases/{complaint_id}/consults"): (WORDS, None),
    ("GET", "/v1/departments"): (READERS, None),
    ("GET", "/v1/cases/{complaint_id}/letters"): (WORDS, None),
    ("GET", "/v1/cases/{complaint_id}/letters/{letter_id}.pdf"): (WORDS, None),
    ("POST", "/v1/cases/{complaint_id}/letters"): ({"officer", "supervisor"}, {"kind": "final"}),
    ("POST", "/v1/cases/{complaint_id}/letters/preview"): ({"officer", "supervisor"}, {"kind": "final"}),
    ("POST", "/v1/cases/{complaint_id}/letters/preview.pdf"): ({"officer", "supervisor"}, {"kind": "final"}),
    ("POST", "/v1/classify"): ({"officer", "supervisor", "auditor", "admin"}, {"text": "late fee"}),
    ("POST", "/v1/cases/{complaint_id}/{verb}"): ({"officer", "supervisor", "manager"}, RESOLUTION),
    ("GET", "/v1/routing-table"): (KEEPERS | {"auditor"}, None),
    ("POST", "/v1/routing-table/dry-run"): (KEEPERS | {"auditor"}, {"fallback": "complaint_office", "route": []}),
    ("GET", "/v1/officers"): (KEEPERS | {"manager", "auditor"}, None),
    ("PUT", "/v1/officers/{officer_id}"): (KEEPERS, {"department": "cards"}),
    ("POST", "/v1/officers/{officer_id}/absences"): (KEEPERS, {"first": "2026-12-01", "last": "2026-12-02"}),
    ("DELETE", "/v1/officers/{officer_id}/absences/{absence_id}"): (KEEPERS, None),
    ("GET", "/v1/taxonomies"): (READERS, None),
    ("GET", "/v1/taxonomies/{name}"): (READERS, None),
    ("GET", "/v1/models"): (KEEPERS | {"manager", "auditor"}, None),
    ("POST", "/v1/models/{version}/adopt"): ({"supervisor"}, None),
    ("GET", "/v1/incidents"): (WORDS | {"manager"}, None),
    ("GET", "/v1/incidents/{incident_id}"): (WORDS | {"manager"}, None),
    ("POST", "/v1/incidents"): (LEADERS, {"title": ""}),
    ("POST", "/v1/incidents/{incident_id}/complaints"): (LEADERS, {"complaints": ["1"]}),
    ("POST", "/v1/incidents/{incident_id}/complaints/remove"): (LEADERS, {"complaints": ["1"]}),
    ("PUT", "/v1/incidents/{incident_id}/plan"): (LEADERS, {"plan": []}),
    ("POST", "/v1/incidents/{incident_id}/steps/{verb}"): (LEADERS, RESOLUTION),
    ("POST", "/v1/incidents/{incident_id}/letters"): (LEADERS, {"kind": "final"}),
    ("POST", "/v1/incidents/{incident_id}/close"): (LEADERS, {"findings": "x"}),
}


async def test_every_route_lets_in_its_roles_and_nobody_else(desk: Any, id_of: Callable[[int], str]) -> None:
    routes = {(m, r.path) for router in ROUTERS for r in router.routes if isinstance(r, APIRoute) for m in r.methods}
    assert routes == set(MAY)
    everybody = ["agent", *sorted(READERS), "system", None]
    for (method, path), (allowed, body) in MAY.items():
        for who in everybody:
            # the verb is refused in this state: nothing changes
            url = path.format(
                complaint_id=id_of(1),
                verb="resolve",
                officer_id="staff:1",
                absence_id="0",
                letter_id="0",
                version="0",
                incident_id="0",
                name="fca",
            )
            answer = await desk.http.request(method, url, headers=desk.headers(who), json=body)
            if who is None:
                problem(answer, 401, "unauthenticated")
            elif who in allowed:
                assert answer.status_code in (200, 201, 404, 409, 422), (method, path, who, answer.text)
            else:
                problem(answer, 403, "forbidden")


async def test_the_narrative_is_for_those_who_work_or_audit_the_case_and_looking_is_audited(desk: Any) -> None:
    for who in ("manager", "admin"):
        assert (await desk.case(who=who)).get("narrative") is None
    assert [a for _, a, _ in await desk.audited()] == ["case.opened"]
    for who in ("officer", "supervisor", "auditor"):
        assert (await desk.case(who=who))["narrative"] == "You charged me a late fee."
    assert [x for x, a, _ in await desk.audited() if a == "case.read"] == [
        *("key:officer", "key:supervisor", "key:auditor")
    ]
