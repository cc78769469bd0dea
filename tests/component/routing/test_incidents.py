"""Incidents: declared by a supervisor, a rule or a surge; planned, worked on and answered together, closed."""

import asyncio
from datetime import timedelta
from typing import Any

from shared.events import SurgeDetected
from tests.component.routing.conftest import NOW, RECEIVED, complaint_id

GRAVE = "我的戶口被盜用，錢被轉走，有人威脅我，我想自殺。"
FAIR = {"outcome": "upheld", "root_cause": "system_failure", "redress": {"value": "120.50", "currency": "HKD"}}


async def declared(routing: Any, *numbers: int, **more: Any) -> dict[str, Any]:
    body = {"title": "Cash machines were down", "complaints": [complaint_id(n) for n in numbers], **more}
    answer = await routing.post("/v1/incidents", body, who="supervisor")
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def ok(routing: Any, path: str, body: Any, who: str = "supervisor", method: str = "POST", **more: str) -> Any:
    answer = await routing.http.request(method, path, headers=routing.headers(who) | more, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_incident_from_declaration_to_findings(routing: Any, make: Any) -> None:
    await routing.hear(*(make.received(n) for n in (1, 2, 3)))
    incident = await declared(routing, 1, 2)
    path = f"/v1/incidents/{incident['id']}"
    assert (incident["state"], incident["cause"], incident["complaints"]) == ("open", "supervisor", 2)
    assert [s["code"] for s in incident["plan"]] == ["first_facts", "stop_harm", "tell_customers", "tell_regulator"]
    assert incident["plan"][0]["by"] == "2026-11-23T12:00:00Z", "two hours from now"
    assert (await ok(routing, f"{path}/complaints", {"complaints": [complaint_id(3)]}))["complaints"] == 3
    assert (await ok(routing, f"{path}/complaints", {"complaints": [complaint_id(3)]}))["complaints"] == 3
    assert (await routing.case(3))["incident_id"] == incident["id"]
    listed = await routing.get("/v1/cases", incident=incident["id"])
    assert len(listed.json()["items"]) == 3

    early = await routing.post(f"{path}/close", {"findings": "A switch failed."}, who="supervisor")
    assert (early.status_code, early.json()["code"]) == (409, "plan_unfinished")
    assert [e["pointer"] for e in early.json()["errors"]] == ["/plan/0", "/plan/1", "/plan/2", "/plan/3"]
    plan = [
        {k: v for k, v in s.items() if k != "done_by"} | {"done_at": "2026-11-23T10:00:00Z"} for s in incident["plan"]
    ]
    done = await ok(routing, f"{path}/plan", {"plan": plan[:2]}, method="PUT")
    assert {s["done_by"] for s in done["plan"]} == {"key:supervisor"}
    again = await ok(routing, f"{path}/plan", {"plan": plan[:2]}, who="manager", method="PUT")
    assert {s["done_by"] for s in again["plan"]} == {"key:supervisor"}, "who did it stays"
    closed = await ok(routing, f"{path}/close", {"findings": "A switch failed. Call me on 9123 4567."})
    assert (closed["state"], closed["findings"]) == ("closed", "A switch failed. Call me on [phone].")
    late = await routing.post(f"{path}/complaints", {"complaints": [complaint_id(1)]}, who="supervisor")
    assert (late.status_code, late.json()["code"]) == (409, "incident_closed")
    told = [name for name, _ in await routing.published() if "incident" in name or name == "joined"]
    assert told == ["com.redress.incident.declared", "joined", "joined", "joined", "com.redress.incident.closed"]


async def test_its_complaints_are_worked_on_and_answered_together(routing: Any, make: Any) -> None:
    await routing.hear(
        *(make.received(n) for n in (1, 2)), make.received(3, language="zh-Hant", narrative="多收了費用。")
    )
    incident = await declared(routing, 1, 2, 3)
    path = f"/v1/incidents/{incident['id']}"
    assert (await routing.do("claim", n=2)).status_code == 200

    first = await ok(routing, f"{path}/steps/claim?limit=2", None)
    assert (first["done"], first["refused"]) == (1, 1)
    assert first["results"][1]["code"] == "verb_not_allowed", "somebody has it already, which keeps nobody waiting"
    rest = await ok(routing, f"{path}/steps/claim?limit=2&cursor={first['next']}", None)
    assert (rest["done"], rest["next"]) == (1, None)
    assert (await ok(routing, f"{path}/steps/propose", FAIR))["done"] == 3
    letter = {"kind": "final", "explanation": "The machines were down. We are sorry."}
    answered = await ok(routing, f"{path}/letters", letter)
    assert answered == {
        "done": 3,
        "refused": 0,
        "results": [{"complaint_id": complaint_id(n), "code": None, "detail": None} for n in (1, 2, 3)],
        "next": None,
    }
    letters = [data for name, data in await routing.published() if name == "letter_issued"]
    assert [one["language"] for one in letters] == ["en", "en", "zh-Hant"]
    assert (await ok(routing, f"{path}/letters", letter))["refused"] == 3, "nobody is answered twice"
    assert (await ok(routing, f"{path}/steps/resolve", None))["done"] == 3
    closing = await ok(routing, f"{path}/steps/close", None)
    assert {r["code"] for r in closing["results"]} == {"close_incomplete"}, "the letters are not delivered yet"


async def test_a_rejection_of_all_still_needs_a_second_person(routing: Any, make: Any) -> None:
    await routing.hear(make.received(1))
    path = f"/v1/incidents/{(await declared(routing, 1))['id']}"
    await ok(routing, f"{path}/steps/claim", None)
    no = {"outcome": "rejected", "root_cause": "none_found", "no_redress_reason": "not_upheld"}
    await ok(routing, f"{path}/steps/propose", no)
    assert (await ok(routing, f"{path}/steps/approve", None))["results"][0]["code"] == "same_person"
    assert (await ok(routing, f"{path}/steps/approve", None, who="manager"))["done"] == 1


async def test_grave_complaints_alike_declare_an_incident_and_later_ones_join_it(routing: Any, make: Any) -> None:
    now = {"received_at": NOW - timedelta(hours=1), "language": "zh-Hant", "narrative": GRAVE}
    await routing.hear(*(make.received(n, **now) for n in (1, 2, 3, 4)))
    assert (await routing.case(1))["severity"] == "critical"
    assert (await routing.get("/v1/incidents")).json()["items"] == []
    await routing.hear(make.received(8, imported=True, **now), make.received(9, **(now | {"received_at": RECEIVED})))
    assert (await routing.get("/v1/incidents")).json()["items"] == [], "history and what is long past raise no alarm"
    await routing.hear(make.received(5, **now))
    (incident,) = (await routing.get("/v1/incidents")).json()["items"]
    assert (incident["cause"], incident["complaints"], incident["declared_by"]) == ("rule", 5, "system")
    assert len(incident["plan"]) == 4
    await routing.hear(make.received(6, **now), make.received(7, **now))
    (incident,) = (await routing.get("/v1/incidents", state="open")).json()["items"]
    assert incident["complaints"] == 7


async def test_a_surge_declares_an_incident_once(routing: Any, make: Any) -> None:
    await routing.hear(make.received(1), make.received(2), make.received(3, branch="elsewhere"))
    surge = SurgeDetected(
        complaint_id="01930000-0000-7000-8000-00000000aaaa",
        category="fees",
        branch="north_weir",
        observed=2,
        expected=0.1,
        since=RECEIVED - timedelta(days=1),
        until=RECEIVED + timedelta(days=1),
        detected_at=NOW,
    )
    await routing.hear(surge)
    (incident,) = (await routing.get("/v1/incidents")).json()["items"]
    assert (incident["cause"], incident["complaints"]) == ("surge", 2)
    assert incident["title"].endswith(" · north_weir")
    await routing.hear(surge.model_copy(update={"observed": 3}), make.received(4))
    assert [i["complaints"] for i in (await routing.get("/v1/incidents")).json()["items"]] == [3]


async def test_who_may_and_what_is_refused(routing: Any, make: Any) -> None:
    await routing.hear(make.received(1))
    body = {"title": "t", "complaints": [complaint_id(1)]}
    for who in ("officer", "auditor", "admin", "agent"):
        assert (await routing.post("/v1/incidents", body, who=who)).status_code == 403
    assert (await routing.get("/v1/incidents", who="agent")).status_code == 403
    unknown = await routing.post(
        "/v1/incidents", body | {"complaints": [complaint_id(1), complaint_id(2)]}, who="supervisor"
    )
    assert unknown.json()["errors"][0]["pointer"] == "/complaints/1"
    lost = await routing.post("/v1/incidents", body | {"department": "moon"}, who="supervisor")
    assert lost.json()["errors"][0]["pointer"] == "/department"
    incident = await declared(routing, 1)
    other = await routing.post("/v1/incidents", body, who="supervisor")
    assert (other.status_code, other.json()["code"]) == (409, "other_incident")
    path = f"/v1/incidents/{incident['id']}"
    stale = await routing.http.put(
        f"{path}/plan", headers=routing.headers("supervisor") | {"If-Match": '"7"'}, json={"plan": []}
    )
    assert stale.status_code == 412
    gone = await ok(routing, f"{path}/complaints/remove", {"complaints": [complaint_id(1)]})
    assert gone["complaints"] == 0
    assert (await routing.case(1))["incident_id"] is None
    assert (await routing.get("/v1/incidents/01930000-0000-7000-8000-0000000000ff")).status_code == 404
    assert (await routing.post(f"{path}/steps/consult", {"text": "x"}, who="supervisor")).status_code == 422


async def test_two_supervisors_cannot_put_a_complaint_in_two_incidents(routing: Any, make: Any) -> None:
    await routing.hear(make.received(1))
    body = {"title": "t", "complaints": [complaint_id(1)]}
    answers = await asyncio.gather(*(routing.post("/v1/incidents", body, who=w) for w in ("supervisor", "manager")))
    assert sorted(a.status_code for a in answers) == [201, 409]
