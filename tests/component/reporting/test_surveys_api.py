"""Surveys are defined, answered by those who stay unknown, and read without telling on anybody."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from services.reporting import store
from services.reporting.api.limits import Strangers
from services.reporting.store.surveys import RATING, RESPONSE

TEXT = {"en": "How satisfied are you?", "zh-Hant": "您有多滿意？"}
CUSTOMERS: dict[str, Any] = {
    "kind": "customer_periodic",
    "title": "Customers, June",
    "languages": ["en", "zh-Hant"],
    "questions": [{"aspect": "overall", "text": TEXT}, {"aspect": "staff", "text": TEXT}, {"text": TEXT}],
    "opens_on": "2025-06-01",
    "closes_on": "2025-06-30",
    "invited": 40,
}
STAFF = {**CUSTOMERS, "kind": "staff", "title": "Staff, June", "invited": 30}


async def define(bench: Any, body: dict[str, Any]) -> tuple[str, str]:
    """A survey's id and the token of its form."""
    async with await bench.client("manager") as client:
        made = await client.post("/v1/surveys", json=body)
        assert made.status_code == 201, made.text
        link = (await client.get(f"/v1/surveys/{made.json()['id']}/link")).json()
        assert link["path"] == f"/surveys/{link['token']}"
        return made.json()["id"], link["token"]


def on(bench: Any, day: str) -> None:
    bench.app.state.clock = lambda: datetime.fromisoformat(f"{day}T04:00:00").replace(tzinfo=UTC)


async def test_a_survey_is_defined_and_changed_until_somebody_answers(bench: Any) -> None:
    id, token = await define(bench, CUSTOMERS)
    async with await bench.client("manager") as client, await bench.client() as anybody:
        read = await client.get(f"/v1/surveys/{id}")
        assert read.headers["etag"] == '"1"'
        assert {k: v for k, v in read.json().items() if k in CUSTOMERS and k != "questions"} == {
            k: v for k, v in CUSTOMERS.items() if k != "questions"
        }
        changed = await client.put(f"/v1/surveys/{id}", json={**CUSTOMERS, "invited": 50}, headers={"if-match": '"1"'})
        assert (changed.status_code, changed.json()["version"]) == (200, 2)
        stale = await client.put(f"/v1/surveys/{id}", json=CUSTOMERS, headers={"if-match": '"1"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "survey_changed")
        answered = await anybody.post(f"/v1/survey-forms/{token}/responses", json={"ratings": {"overall": 4}})
        assert answered.status_code == 201
        other = await client.put(f"/v1/surveys/{id}", json={**CUSTOMERS, "kind": "staff"})
        assert (other.status_code, other.json()["code"]) == (409, "survey_answered")
        longer = await client.put(f"/v1/surveys/{id}", json={**CUSTOMERS, "closes_on": "2025-07-31"})
        assert longer.status_code == 200
        for query, found in (("kind=customer_periodic", [id]), ("kind=staff", []), ("open=true", [id])):
            listed = (await client.get(f"/v1/surveys?{query}")).json()
            assert [item["id"] for item in listed["items"]] == found
        on(bench, "2025-08-01")
        assert (await client.get("/v1/surveys?open=true")).json()["items"] == []
        on(bench, "2025-06-30")

        renewed = (await client.post(f"/v1/surveys/{id}/link")).json()["token"]
        assert (await anybody.get(f"/v1/survey-forms/{token}")).json()["code"] == "survey_not_found"
        form = (await anybody.get(f"/v1/survey-forms/{renewed}")).json()
        assert (form["open"], form["staff"], form["questions"][2]) == (True, False, {"aspect": None, "text": TEXT})


async def test_an_answer_is_kept_once_and_without_personal_data(bench: Any) -> None:
    id, token = await define(bench, CUSTOMERS)
    body = {
        "ratings": {"overall": 2, "staff": 5},
        "words": "Long queues; call me on 9123 4567",
        "branch": "central",
        "submission": "01900000-0000-7000-8000-000000000001",
    }
    async with await bench.client() as anybody, await bench.client("agent") as agent:
        for _ in range(2):
            assert (await anybody.post(f"/v1/survey-forms/{token}/responses", json=body)).status_code == 201
        entered = {"ratings": {"overall": 4}, "channel": "phone"}
        assert (await agent.post(f"/v1/surveys/{id}/responses", json=entered)).status_code == 201
    async with bench.db.reading() as session:
        rows = (await session.execute(select(RESPONSE))).mappings().all()
        ratings = (await session.execute(select(RATING.c.aspect, RATING.c.rating))).all()
        trail = store.tables.audit
        told = (await session.execute(select(trail.c.actor, trail.c.action, trail.c.subject))).all()
    assert sorted(row["words"] or "" for row in rows) == ["", "Long queues; call me on [phone]"]
    assert sorted(map(tuple, ratings)) == [("overall", 2), ("overall", 4), ("staff", 5)]
    entries = [(actor, subject) for actor, action, subject in told if action.startswith("survey.answer")]
    assert [subject for _, subject in entries] == [id, id]
    assert entries[0][0] == "public"
    assert entries[1][0] != "public"


async def test_of_staff_nothing_is_kept_that_leads_to_a_person(bench: Any) -> None:
    _, token = await define(bench, STAFF)
    body = {"ratings": {"overall": 1}, "words": "Too much work", "department": "cards"}
    async with await bench.client("officer") as officer:  # signed in by chance: it makes no difference
        assert (await officer.post(f"/v1/survey-forms/{token}/responses", json=body)).status_code == 201
        refused = await officer.post(f"/v1/survey-forms/{token}/responses", json={**body, "branch": "central"})
        assert [e["pointer"] for e in refused.json()["errors"]] == ["/branch"]
    async with bench.db.reading() as session:
        (row,) = (await session.execute(select(RESPONSE))).mappings().all()
        actions = (await session.scalars(select(store.tables.audit.c.action))).all()
    assert str(row["day"]) == STAFF["opens_on"], "not even the day"
    assert len(row["id"]) == 32
    assert row["id"][12:13] != "7" or row["id"][:8] != "019", "an id drawn by chance, not by the clock"
    assert not [action for action in actions if action.startswith("survey.answer")]


async def test_results_have_intervals_and_hide_small_groups(bench: Any) -> None:
    id, token = await define(bench, CUSTOMERS)
    sizes = {"central": 9, "north": 7, "south": 6, "tiny": 2}
    async with await bench.client() as anybody, await bench.client("auditor") as auditor:
        for branch, size in sizes.items():
            for n in range(size):
                body = {"ratings": {"overall": 1 + n % 5, "staff": 4 + n % 2}, "branch": branch}
                if n < 3:
                    body["words"] = "The queues are endless"
                answer = await anybody.post(f"/v1/survey-forms/{token}/responses", json=body)
                assert answer.status_code == 201
        found = (await auditor.get(f"/v1/surveys/{id}/results")).json()
        assert (found["answers"], found["groups"], found["channels"]) == (24, None, {"form": 24})
        assert found["response_rate"]["share"] == 24 / 40
        assert found["response_rate"]["low"] < 24 / 40 < found["response_rate"]["high"]
        overall, staff = found["aspects"]["overall"], found["aspects"]["staff"]
        assert 1 <= overall["mean"]["low"] < overall["mean"]["value"] < overall["mean"]["high"] <= 5
        assert staff["satisfied"]["share"] == 1
        assert "queues" in {problem["term"] for problem in found["problems"]}
        assert found["problems"][0]["answers"] == 11

        by = (await auditor.get(f"/v1/surveys/{id}/results?by=branch")).json()["groups"]
        shown = {group["code"]: group["answers"] for group in by}
        assert set(shown) == set(sizes)
        assert shown["tiny"] is None
        assert list(shown.values()).count(None) >= 2, "one alone could be computed from the rest"
        for group in by:
            assert all((value is None) == (group["answers"] is None) for value in group["aspects"].values())


async def test_results_of_staff_are_shown_once_it_is_over_and_it_stays_over(bench: Any) -> None:
    id, token = await define(bench, STAFF)
    async with await bench.client() as anybody, await bench.client("manager") as manager:
        for n in range(6):
            body = {"ratings": {"overall": 2 + n % 3}, "department": "cards"}
            assert (await anybody.post(f"/v1/survey-forms/{token}/responses", json=body)).status_code == 201
        early = await manager.get(f"/v1/surveys/{id}/results")
        assert (early.status_code, early.json()["code"]) == (409, "results_not_yet")
        on(bench, "2025-07-01")
        late = await anybody.post(f"/v1/survey-forms/{token}/responses", json={"ratings": {"overall": 5}})
        assert (late.status_code, late.json()["code"]) == (409, "survey_not_open")
        found = (await manager.get(f"/v1/surveys/{id}/results?by=department")).json()
        assert (found["answers"], found["channels"]) == (6, None)
        assert found["aspects"]["overall"]["mean"]["value"] == 3
        assert found["aspects"]["staff"] is None
        again = await manager.put(f"/v1/surveys/{id}", json={**STAFF, "closes_on": "2025-07-31"})
        assert (again.status_code, again.json()["code"]) == (409, "survey_over")
        branch = await manager.get(f"/v1/surveys/{id}/results?by=branch")
        assert branch.status_code == 422


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_more_answers_than_invited_make_no_rate(bench: Any) -> None:
    id, token = await define(bench, {**CUSTOMERS, "invited": 3})
    async with await bench.client() as anybody, await bench.client("officer") as officer:
        for _ in range(6):
            await anybody.post(f"/v1/survey-forms/{token}/responses", json={"ratings": {"overall": 3}})
        found = (await officer.get(f"/v1/surveys/{id}/results")).json()
        assert (found["answers"], found["invited"], found["response_rate"]) == (6, 3, None)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_survey_without_answers_has_results_that_say_nothing(bench: Any) -> None:
    id, _ = await define(bench, CUSTOMERS)
    async with await bench.client("officer") as officer:
        found = (await officer.get(f"/v1/surveys/{id}/results?by=department")).json()
        assert (found["answers"], found["problems"], found["groups"]) == (0, [], [])
        assert found["aspects"] == {"overall": None, "staff": None}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_stranger_may_not_flood_a_survey(bench: Any) -> None:
    _, token = await define(bench, CUSTOMERS)
    bench.app.state.survey_strangers = Strangers("5/minute")
    async with await bench.client() as anybody:
        answers = [
            await anybody.post(f"/v1/survey-forms/{token}/responses", json={"ratings": {"overall": 3}})
            for _ in range(6)
        ]
        assert [a.status_code for a in answers] == [201] * 5 + [429]
        assert int(answers[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_who_may_do_what(bench: Any) -> None:
    id, _ = await define(bench, CUSTOMERS)
    answer = {"ratings": {"overall": 4}, "channel": "interview"}
    rights = {
        "agent": (403, 403, 403, 201),
        "officer": (200, 403, 403, 201),
        "supervisor": (200, 403, 403, 403),
        "auditor": (200, 403, 403, 403),
        "manager": (200, 201, 200, 403),
        "admin": (200, 201, 200, 403),
    }
    for role, (reads, defines, links, enters) in rights.items():
        async with await bench.client(role) as client:
            assert (await client.get(f"/v1/surveys/{id}/results")).status_code == reads, role
            for path in ("/v1/surveys", f"/v1/surveys/{id}"):
                assert (await client.get(path)).status_code == 200, role
            assert (await client.post("/v1/surveys", json=CUSTOMERS)).status_code == defines, role
            assert (await client.get(f"/v1/surveys/{id}/link")).status_code == links, role
            assert (await client.post(f"/v1/surveys/{id}/responses", json=answer)).status_code == enters, role


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"languages": ["de"]}, "/languages/0"),
        ({"questions": [{"text": TEXT}]}, "/questions"),
        ({"questions": [{"aspect": "overall", "text": {"en": "?"}}]}, "/questions/0/text"),
        ({"closes_on": "2025-05-01"}, "/closes_on"),
        ({"closes_on": "9999-12-31"}, "/closes_on"),
        ({"invited": 10**30}, "/invited"),
    ],
)
async def test_what_is_wrong_is_told_by_field(bench: Any, changes: dict[str, Any], pointer: str) -> None:
    async with await bench.client("admin") as client:
        answer = await client.post("/v1/surveys", json=CUSTOMERS | changes)
        assert answer.status_code == 422
        assert pointer in [e["pointer"] for e in answer.json()["errors"]]
