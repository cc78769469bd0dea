"""What people do to clocks over the API: within the rule, audited, published, and explained from the ledger."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from icalendar import Calendar

from services.sla.domain.policy import Policies
from services.sla.packs import load
from services.sla.store import editions
from shared import audit
from shared.events import ComplaintInformationReceived, ComplaintInformationRequested

ID = "01900000-0000-7000-8000-000000000001"
REASON = "An expert looks at the signature."


@pytest.fixture
def policies() -> Policies:
    """Everything that is shipped."""
    return load("hk-hkma")


async def clock(web: Any, pack: str | None = None) -> dict[str, Any]:
    found = (await web.get(f"/v1/clocks/{ID}")).json()
    every: list[dict[str, Any]] = [found, *found["others"]]
    return next(c for c in every if pack is None or c["pack"] == pack)


async def do(web: Any, verb: str, body: Any, *, who: str = "supervisor", pack: str | None = None) -> httpx.Response:
    one = await clock(web, pack)
    answer: httpx.Response = await web.post(f"/v1/clocks/{ID}/{one['clock_id']}/{verb}", body, who=who)
    return answer


def due(found: dict[str, Any], step: str = "final") -> str:
    return str(next(s["due_local"] for s in found["steps"] if s["step"] == step))


async def test_an_extension_is_refused_with_the_rule_or_told_with_reason_and_right(
    web: Any, sla: Any, make: Any
) -> None:
    await sla.hear(make.received(jurisdiction="cn"))
    refused = {
        "extension_needs_reason": ({"until": "2026-03-31", "reason": " "}, "supervisor"),
        "rule_forbids": ({"until": "2026-03-31", "reason": REASON, "code": "busy"}, "supervisor"),
        "approver_required": ({"until": "2026-04-20", "reason": REASON, "code": "very_complex"}, "supervisor"),
        "beyond_maximum": ({"until": "2026-05-01", "reason": REASON, "code": "very_complex"}, "manager"),
    }
    before = await clock(web)
    for code, (body, who) in refused.items():
        answer = await do(web, "extend", {"step": "final", **body}, who=who)
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
        if code != "extension_needs_reason":
            assert "Time limit for the decision" in answer.json()["detail"], "the rule is cited"
    assert await clock(web) == before

    granted = {"step": "final", "until": "2026-04-20", "reason": f"{REASON} Call 9123 4567.", "code": "very_complex"}
    answer = await do(web, "extend", granted, who="manager")
    assert answer.status_code == 200
    assert due(answer.json()) == "2026-04-20T23:59:59.999+08:00"
    extended = [e["data"] for e in await sla.published() if e["type"].endswith("clock.extended.v1")]
    assert [(e["step"], e["notice_required"], e["approved_by"]) for e in extended] == [("final", True, "key:manager")]
    assert REASON in extended[0]["reason"]
    assert "9123" not in extended[0]["reason"]
    assert "核查" in extended[0]["rights"]["zh-Hant"]
    log = (await web.get("/v1/notices", complaint_id=ID)).json()["items"]
    assert [(n["kind"], n["granted"]) for n in log] == [("extension_decided", True)]
    (entry,) = [e async for e in audit.export(sla.db) if e["action"] == "clock.extended"]
    assert "2026-03-16T15:59:59.999Z" in entry["detail"]
    assert "2026-04-20T15:59:59.999Z" in entry["detail"]


async def test_a_clock_that_changed_meanwhile_is_not_overwritten(web: Any, sla: Any, make: Any) -> None:
    await sla.hear(make.received(jurisdiction="cn"))
    read = await web.get(f"/v1/clocks/{ID}")
    path = f"/v1/clocks/{ID}/{read.json()['clock_id']}/pause"
    headers = {**web._headers("supervisor"), "If-Match": read.headers["ETag"]}
    body = {"reason": "external_appraisal"}
    assert (await web.http.post(path, headers=headers, json=body)).status_code == 200
    stale = await web.http.post(path.replace("pause", "resume"), headers=headers, json={})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")


async def test_the_ledger_tells_what_the_desk_stood_by_on_a_day(web: Any, sla: Any, make: Any) -> None:
    await sla.hear(make.received(jurisdiction="cn"))
    start = sla.now[0]
    sla.now[0] = start + timedelta(days=2)
    assert (await do(web, "pause", {"reason": "external_testing"})).status_code == 200
    sla.now[0] = start + timedelta(days=6)
    assert (await do(web, "resume", {})).status_code == 200

    now = (await web.get(f"/v1/clocks/{ID}/ledger")).json()["clocks"]
    assert all(c["agrees"] for c in now)
    primary = next(c for c in now if c["primary"])
    assert [e["kind"] for e in primary["entries"]] == ["started", "paused", "resumed"]
    assert primary["deadlines"][0]["due_at"] == "2026-03-19T15:59:59.999Z"
    then = (await web.get(f"/v1/clocks/{ID}/ledger", as_of=(start + timedelta(days=1)).isoformat())).json()
    old = next(c for c in then["clocks"] if c["primary"])
    assert [e["kind"] for e in old["entries"]] == ["started"]
    assert old["deadlines"][0]["due_at"] == "2026-03-16T15:59:59.999Z"
    before = await web.get(f"/v1/clocks/{ID}/ledger", as_of="2026-02-01T00:00:00Z")
    assert before.status_code == 404
    async with sla.db.reading() as session:
        kept = await editions.known(session)
    assert {e["calendar"] for c in now for e in c["entries"]} <= kept, "each row's calendar can be counted with again"


async def test_the_service_clock_waits_for_the_complainant_and_the_regulators_does_not(
    web: Any, sla: Any, make: Any, id_of: Callable[[int], str]
) -> None:
    await sla.hear(make.received())
    at = sla.now[0] + timedelta(days=2)
    sla.now[0] = at
    asked = ComplaintInformationRequested(complaint_id=id_of(1), request_id="r", question="q", requested_at=at)
    await sla.hear(asked)
    assert (await clock(web, "bank-service"))["paused"]
    assert not (await clock(web))["paused"]
    sla.now[0] = at + timedelta(days=3)
    await sla.hear(ComplaintInformationReceived(complaint_id=id_of(1), received_at=sla.now[0]))
    service = await clock(web, "bank-service")
    assert not service["paused"]
    assert due(service) == "2026-03-17T23:59:59.999+08:00"
    told = [e["type"][12:-3] for e in await sla.published()]
    assert (told.count("clock.paused"), told.count("clock.resumed")) == (1, 1)


async def test_an_escalation_is_taken_on_and_handed_back(web: Any, sla: Any, make: Any) -> None:
    await sla.hear(make.received(), make.routed())
    await sla.engine(day=9)
    listed = (await web.get("/v1/escalations", department="cards")).json()["items"]
    assert ("acknowledge", 2) in {(i["step"], i["level"]) for i in listed if i["pack"] == "hk-hkma"}
    taken = await do(web, "acknowledge-escalation", {"step": "acknowledge"})
    assert taken.status_code == 200
    step = next(s for s in taken.json()["steps"] if s["step"] == "acknowledge")
    assert step["escalation"]["answered_by"] == "key:supervisor"
    again = await do(web, "acknowledge-escalation", {"step": "acknowledge"})
    assert (again.status_code, again.json()["code"]) == (409, "not_escalated")
    assert (await do(web, "hand-back-escalation", {"step": "acknowledge"})).status_code == 422
    back = await do(web, "hand-back-escalation", {"step": "acknowledge", "reason": "The papers are there."})
    assert back.status_code == 200
    answers = [e["data"]["answer"] for e in await sla.published() if e["type"].endswith("escalation.answered.v1")]
    assert answers == ["acknowledged", "handed_back"]


async def test_a_step_that_no_other_service_tells_of_is_recorded(web: Any, sla: Any, make: Any) -> None:
    await sla.hear(make.received())
    answer = await do(web, "record", {"step": "first_contact"}, who="officer", pack="bank-service")
    assert answer.status_code == 200
    service = await clock(web, "bank-service")
    assert next(s["state"] for s in service["steps"] if s["step"] == "first_contact") == "met"
    refused = await do(web, "record", {"step": "final"}, who="officer", pack="bank-service")
    assert (refused.status_code, refused.json()["code"]) == (422, "rule_forbids")


async def test_what_must_be_begun_first_comes_first(web: Any, sla: Any, make: Any) -> None:
    """Thirty complaints have taken eleven days each; so of two alike, the one must be begun eleven days ahead."""
    await sla.hear(*(make.received(n, day=-40) for n in range(100, 130)))
    await sla.hear(*(make.responded(n, day=-29) for n in range(100, 130)))
    web.app.state.current._seen_at = None
    await web.get("/v1/packs")  # learns
    current = web.app.state.current
    assert current.estimates.expected(None, None) == pytest.approx(timedelta(days=11), rel=0.1)
    sla.current.estimates = current.estimates
    await sla.hear(make.received(1))
    items = [i for i in (await web.get("/v1/at-risk", limit=200)).json()["items"] if i["complaint_id"] == ID]
    final = next(i for i in items if (i["step"], i["pack"]) == ("final", "hk-hkma"))
    begin = datetime.fromisoformat(final["act_by"])
    assert datetime.fromisoformat(final["due_at"]) - begin == pytest.approx(timedelta(days=11), rel=0.1)
    assert [i["act_by"] for i in items] == sorted(i["act_by"] for i in items)


async def test_a_departments_deadlines_are_a_calendar_with_and_without_a_key(web: Any, sla: Any, make: Any) -> None:
    await sla.hear(make.received(), make.routed())
    made = await web.post("/v1/feeds", {"department": "cards"}, who="supervisor")
    answer = await web.http.get(made.json()["path"], params={"language": "zh-Hant"})
    assert answer.headers["content-type"].startswith("text/calendar")
    events = Calendar.from_ical(answer.text).walk("VEVENT")
    final = next(e for e in events if e["uid"].endswith("final@redress"))
    assert str(final["summary"]).startswith("260301-AAAA-AAAAA")
    assert "最終" in final["summary"]
    assert min(e.decoded("dtstart") for e in events) == datetime(2026, 3, 2, 3, 0, tzinfo=UTC)  # first contact
    own = await web.get("/v1/departments/cards/deadlines.ics")
    assert len(Calendar.from_ical(own.text).walk("VEVENT")) == len(events) == 6
    gone = await web.http.delete(f"/v1/feeds/{made.json()['id']}", headers=web._headers("supervisor"))
    assert gone.status_code == 204
    assert (await web.http.get(made.json()["path"])).status_code == 404
