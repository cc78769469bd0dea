"""Measures are planned, carried out and judged by what changed."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from services.reporting import store
from shared.events import ComplaintRated, ComplaintReceived
from shared.ids import uuid7

MEASURE: dict[str, Any] = {
    "title": "A second counter at noon",
    "figure": "received",
    "dimension": "branch",
    "code": "central",
    "comparable": ["north", "south"],
    "horizon": "short",
    "owner_department": "branch_operations",
    "budget": {"amount": "40000.50", "currency": "HKD"},
    "starts_on": "2025-03-03",
    "ends_on": "2025-05-31",
}
RUNNING = {**MEASURE, "status": "running", "started_on": "2025-03-03"}
START = datetime(2025, 3, 3, 2, tzinfo=UTC)


def complaint(branch: str, at: datetime) -> ComplaintReceived:
    return ComplaintReceived(
        complaint_id=uuid7(),
        reference="250304-0000-00000",
        channel="branch",
        branch=branch,
        narrative="…",
        received_at=at,
    )


async def weeks_of_complaints(bench: Any, *, before: int, after: int, elsewhere: int) -> None:
    """20 weeks before the start with `before` complaints each in the branch, 17 since with `after`; in each of two
    others `elsewhere`. They scatter by a few."""
    chance = random.Random(3)
    events = []
    for week in range(-20, 17):
        start = START + timedelta(weeks=week)
        wanted = {"central": before if week < 0 else after, "north": elsewhere, "south": elsewhere}
        for branch, mean in wanted.items():
            times = [chance.randrange(6 * 1440) for _ in range(mean + chance.randint(-2, 2))]
            events += [complaint(branch, start + timedelta(minutes=minute)) for minute in times]
    await bench.hear(*events)


async def test_a_measure_is_planned_carried_out_and_shown(bench: Any) -> None:
    async with await bench.client("supervisor") as client:
        made = await client.post("/v1/measures", json=MEASURE)
        assert made.status_code == 201, made.text
        measure = made.json()
        assert measure["budget"] == {"amount": "40000.50", "currency": "HKD"}
        assert (measure["status"], measure["tasks"], measure["evidence"], measure["version"]) == ("planned", [], [], 1)
        url = f"/v1/measures/{measure['id']}"

        task = {"title": "Find a room", "due_on": "2025-03-01", "owner_role": "manager"}
        added = await client.post(f"{url}/tasks", json=task, headers={"if-match": '"1"'})
        assert (added.status_code, added.headers["etag"]) == (201, '"2"')
        (found,) = added.json()["tasks"]
        assert found == task | {"id": found["id"], "owner_department": None, "done_on": None}
        stale = await client.put(f"{url}/tasks/{found['id']}", json=task, headers={"if-match": '"1"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "measure_changed")
        done = await client.put(f"{url}/tasks/{found['id']}", json={**task, "done_on": "2025-03-01"})
        assert done.json()["tasks"][0]["done_on"] == "2025-03-01"
        gone = await client.delete(f"{url}/tasks/{found['id']}")
        assert (gone.status_code, gone.json()["tasks"], gone.json()["version"]) == (200, [], 4)
        assert (await client.delete(f"{url}/tasks/{found['id']}")).json()["code"] == "task_not_found"

        proof = {"note": "Counter opened, see 4000 0000 0000 0002", "link": "https://intranet.bank.example/counter"}
        shown = (await client.post(f"{url}/evidence", json=proof)).json()["evidence"][0]
        assert (shown["note"], shown["link"]) == ("Counter opened, see [card]", proof["link"])
        assert shown["added_by"]
        assert shown["added_at"]

        ran = await client.put(url, json=RUNNING)
        assert (ran.status_code, ran.json()["status"], len(ran.json()["evidence"])) == (200, "running", 1)
        assert (await client.get(url)).json() == ran.json()
        listed = (await client.get("/v1/measures?status=running&horizon=short&department=branch_operations")).json()
        assert [item["id"] for item in listed["items"]] == [measure["id"]]
        assert (await client.get("/v1/measures?status=done")).json() == {"items": [], "next": None}
    async with bench.db.reading() as session:
        trail = store.tables.audit
        rows = (await session.execute(select(trail.c.action, trail.c.detail).order_by(trail.c.seq))).all()
    actions = [action for action, _ in rows if action.startswith("measure.")]
    steps = ("created", "task_added", "task_changed", "task_removed", "evidence_added", "changed")
    assert actions == [f"measure.{step}" for step in steps]
    assert not any("Counter opened" in detail or "noon" in detail for _, detail in rows), "words stay out of the trail"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"horizon": "long"}, "/horizon", "wrong_horizon"),
        ({"status": "done"}, "/started_on", "start_missing"),
        ({"status": "running", "started_on": "2025-07-01"}, "/started_on", "in_the_future"),
        ({"dimension": None, "code": None}, "/comparable", "dimension_missing"),
        ({"budget": {"amount": "1", "currency": "XXY"}}, "/budget/currency", "currency"),
        ({"budget": {"amount": "1e30", "currency": "HKD"}}, "/budget/amount", "decimal_max_digits"),
        ({"budget": {"amount": "-1", "currency": "HKD"}}, "/budget/amount", "greater_than_equal"),
    ],
)
async def test_what_is_wrong_is_told_by_field(bench: Any, changes: dict[str, Any], pointer: str, code: str) -> None:
    async with await bench.client("manager") as client:
        answer = await client.post("/v1/measures", json=MEASURE | changes)
        assert answer.status_code == 422
        assert (pointer, code) in [(e["pointer"], e["code"]) for e in answer.json()["errors"]]


async def test_an_effect_is_told_beside_others_with_its_uncertainty_and_in_words(bench: Any) -> None:
    await weeks_of_complaints(bench, before=20, after=8, elsewhere=15)
    async with await bench.client("manager") as client:
        id = (await client.post("/v1/measures", json=RUNNING)).json()["id"]
        answer = await client.get(f"/v1/measures/{id}/effect", headers={"accept-language": "en"})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["verdict"], found["compares"], found["compared_with"]) == ("fewer", "rate_ratio", 2)
        assert found["low"] < 0.4 < found["high"] < 1
        assert (found["before"], found["after"], found["since"]) == (20, 17, "2024-10-14")
        assert sum(found["weeks"][:20]) > sum(found["weeks"][20:])
        assert len(found["weeks"]) == len(found["compared_weeks"]) == 37
        assert "fewer than would have been expected" in found["sentence"]
        assert found["caveats"]
        chinese = await client.get(f"/v1/measures/{id}/effect", headers={"accept-language": "zh-HK"})
        assert chinese.headers["content-language"] == "zh-Hant"
        assert "預期" in chinese.json()["sentence"]


async def test_no_effect_is_claimed_where_nothing_changed(bench: Any) -> None:
    await weeks_of_complaints(bench, before=15, after=15, elsewhere=15)
    async with await bench.client("auditor") as reader, await bench.client("manager") as client:
        alone: list[str] = []
        for comparable in (MEASURE["comparable"], alone):
            id = (await client.post("/v1/measures", json={**RUNNING, "comparable": comparable})).json()["id"]
            found = (await reader.get(f"/v1/measures/{id}/effect")).json()
            assert found["verdict"] == "no_clear_effect"
            assert found["low"] < 1 < found["high"]


async def test_an_effect_on_satisfaction_is_a_difference(bench: Any) -> None:
    chance = random.Random(4)
    for week in range(-20, 17):
        at = START + timedelta(weeks=week, days=1)
        events = []
        for _ in range(15):
            one = complaint("central", at)
            rating = min(5, max(1, chance.choice([2, 3, 3, 4]) + (week >= 0)))
            events += [one, ComplaintRated(complaint_id=one.complaint_id, overall=rating, rated_at=at)]
        await bench.hear(*events)
    body = {**RUNNING, "figure": "satisfaction_overall", "comparable": []}
    async with await bench.client("manager") as client:
        id = (await client.post("/v1/measures", json=body)).json()["id"]
        found = (await client.get(f"/v1/measures/{id}/effect")).json()
        assert (found["verdict"], found["compares"]) == ("more", "difference")
        assert found["low"] < 1 < found["high"]
        assert found["of_weeks"] == [15] * 36, "the first week is not whole: nobody had rated on its Monday"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_where_no_effect_can_be_told_the_reason_is(bench: Any) -> None:
    await bench.hear(complaint("central", START))
    async with await bench.client("manager") as client:
        for changes in ({"status": "planned", "started_on": None}, {"figure": "median_days_to_close"}):
            id = (await client.post("/v1/measures", json=RUNNING | changes)).json()["id"]
            answer = await client.get(f"/v1/measures/{id}/effect")
            assert (answer.status_code, answer.json()["code"]) == (422, "effect_unknown")
        id = (await client.post("/v1/measures", json=RUNNING)).json()["id"]
        found = (await client.get(f"/v1/measures/{id}/effect")).json()
        assert (found["verdict"], found["estimate"]) == ("too_little_data", None)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_measures_are_for_those_who_lead_to_plan_and_for_staff_to_read(bench: Any) -> None:
    async with await bench.client("admin") as client:
        id = (await client.post("/v1/measures", json=MEASURE)).json()["id"]
    task = {"title": "Find a room", "due_on": "2025-03-01", "owner_role": "manager"}
    for role, reads, writes in (("officer", 200, 403), ("auditor", 200, 403), ("agent", 403, 403)):
        async with await bench.client(role) as client:
            assert (await client.get(f"/v1/measures/{id}")).status_code == reads
            assert (await client.get("/v1/measures")).status_code == reads
            assert (await client.post("/v1/measures", json=MEASURE)).status_code == writes
            assert (await client.put(f"/v1/measures/{id}", json=MEASURE)).status_code == writes
            assert (await client.post(f"/v1/measures/{id}/tasks", json=task)).status_code == writes
            assert (await client.post(f"/v1/measures/{id}/evidence", json={"note": "x"})).status_code == writes
