"""Goals are set, changed, given up and settled; a missed one is told of once."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from services.reporting import store
from services.reporting.domain.figure import BOUNDS, FIGURES
from services.reporting.domain.selection import Selection
from services.reporting.figures.current import current
from services.reporting.usecases.goals import settle
from shared.clock import Clock
from shared.events import ComplaintClassified, ComplaintReceived
from shared.ids import uuid7

GOAL: dict[str, Any] = {
    "title": "Fewer complaints about fees, ask 9123 4567",
    "figure": "received",
    "dimension": "category",
    "code": "fees",
    "direction": "down",
    "baseline": 10,
    "target": 4,
    "starts_on": "2025-04-01",
    "due_on": "2025-05-31",
    "owner_department": "cards",
}
LATER = {**GOAL, "due_on": "2025-12-31"}
HONG_KONG = ZoneInfo("Asia/Hong_Kong")


def at(day: str) -> Clock:
    return lambda: datetime.fromisoformat(f"{day}T04:00:00").replace(tzinfo=UTC)


async def published(bench: Any) -> list[dict[str, Any]]:
    """What was published, as data."""
    async with bench.db.reading() as session:
        rows = (await session.scalars(select(store.tables.outbox.c.payload))).all()
    return [json.loads(row)["data"] for row in rows]


async def actions(bench: Any) -> list[tuple[str, str]]:
    async with bench.db.reading() as session:
        table = store.tables.audit
        rows = (await session.execute(select(table.c.actor, table.c.action).order_by(table.c.seq))).all()
    return [(actor, action) for actor, action in rows if not action.startswith("key.")]


async def received(bench: Any, count: int, day: str) -> None:
    """So many complaints about fees come in on `day`."""
    at = datetime.fromisoformat(f"{day}T02:00:00").replace(tzinfo=UTC)
    for _ in range(count):
        id = uuid7()
        came = ComplaintReceived(
            complaint_id=id, reference="250304-0000-00000", channel="phone", narrative="…", received_at=at
        )
        known = ComplaintClassified(
            complaint_id=id, category="fees", severity="normal", confidence=0.9, classified_at=at
        )
        await bench.hear(came, known)


async def test_a_goal_is_set_read_changed_and_given_up(bench: Any) -> None:
    async with await bench.client("manager") as client:
        made = await client.post("/v1/goals", json=LATER)
        assert made.status_code == 201, made.text
        goal = made.json()
        assert goal["title"] == "Fewer complaints about fees, ask [phone]"
        assert (goal["period"], goal["version"], goal["settled_as"]) == ("month", 1, None)
        url = f"/v1/goals/{goal['id']}"

        read = await client.get(url)
        assert read.json() == goal
        assert read.headers["etag"] == '"1"'

        same = await client.put(url, json=LATER, headers={"if-match": '"1"'})
        assert same.json() == goal
        changed = await client.put(url, json={**LATER, "target": 5}, headers={"if-match": '"1"'})
        assert (changed.status_code, changed.headers["etag"], changed.json()["target"]) == (200, '"2"', 5)
        stale = await client.put(url, json=LATER, headers={"if-match": '"1"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "goal_changed")

        gone = await client.post(f"{url}/withdraw", json={"reason": "The fees are gone."})
        assert gone.json()["withdrawn_because"] == "The fees are gone."
        over = await client.put(url, json=LATER)
        assert (over.status_code, over.json()["code"]) == (409, "goal_over")
        assert (await client.get("/v1/goals?state=withdrawn")).json()["items"] == [gone.json()]
        assert (await client.get("/v1/goals?state=open")).json()["items"] == []
    made_so = ["goal.created", "goal.changed", "goal.withdrawn"]
    assert [action for _, action in await actions(bench)] == made_so


async def test_goals_come_in_pages_newest_first(bench: Any) -> None:
    async with await bench.client("supervisor") as client:
        ids = [(await client.post("/v1/goals", json={**LATER, "target": n})).json()["id"] for n in range(5)]
        seen, cursor = [], ""
        for _ in range(3):
            page = (await client.get(f"/v1/goals?limit=2{cursor}")).json()
            seen += [item["id"] for item in page["items"]]
            cursor = f"&cursor={page['next']}"
        assert page["next"] is None
        assert seen == ids[::-1]
        assert (await client.get("/v1/goals?department=lending")).json()["items"] == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_goals_are_for_those_who_lead_to_set_and_for_staff_to_read(bench: Any) -> None:
    async with await bench.client("admin") as client:
        id = (await client.post("/v1/goals", json=LATER)).json()["id"]
    for role, reads, writes in (
        ("officer", 200, 403),
        ("auditor", 200, 403),
        ("agent", 403, 403),
        ("manager", 200, 201),
    ):
        async with await bench.client(role) as client:
            for path in ("", f"/{id}", f"/{id}/standing"):
                assert (await client.get(f"/v1/goals{path}")).status_code == reads, role
            assert (await client.post("/v1/goals", json=LATER)).status_code == writes, role
    async with await bench.client() as client:
        assert (await client.get("/v1/goals")).status_code == 401


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"figure": "happiness"}, "/figure", "unknown_figure"),
        ({"code": None}, "/code", "filter_incomplete"),
        ({"owner_department": None}, "/owner_department", "owner_missing"),
        ({"direction": "up"}, "/target", "wrong_direction"),
        ({"due_on": "2025-04-02"}, "/due_on", "goal_too_short"),
        ({"due_on": "9999-12-31"}, "/due_on", "day"),
        ({"starts_on": "0001-01-01"}, "/starts_on", "day"),
        ({"starts_on": 20250401}, "/starts_on", "day"),
        ({"title": "a\x00b"}, "/title", "string_pattern_mismatch"),
        ({"title": "   "}, "/title", "blank"),
        ({"target": 1e300}, "/target", "less_than_equal"),
        ({"owner": "Ms Chan"}, "/owner", "extra_forbidden"),
    ],
)
async def test_what_is_wrong_is_told_by_field(bench: Any, changes: dict[str, Any], pointer: str, code: str) -> None:
    async with await bench.client("manager") as client:
        answer = await client.post("/v1/goals", json=LATER | changes)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert (pointer, code) in [(e["pointer"], e["code"]) for e in answer.json()["errors"]]


async def test_a_goal_stands_by_the_figure_of_the_last_whole_month(bench: Any) -> None:
    await received(bench, 9, "2025-05-10")
    await received(bench, 30, "2025-06-10")  # this month is not over
    async with await bench.client("manager") as client:
        id = (await client.post("/v1/goals", json=LATER)).json()["id"]
        found = (await client.get(f"/v1/goals/{id}/standing")).json()
        assert found.pop("expected") == pytest.approx(10 - 6 * 60 / 274)
        assert found == {"standing": "behind", "value": 9, "since": "2025-05-01", "until": "2025-05-31"}
        await client.put(f"/v1/goals/{id}", json={**LATER, "baseline": 12})
        assert (await client.get(f"/v1/goals/{id}/standing")).json()["standing"] == "on_track"
        rated = {**LATER, "figure": "satisfaction_overall", "direction": "up", "baseline": 3, "target": 4}
        id = (await client.post("/v1/goals", json=rated)).json()["id"]
        assert (await client.get(f"/v1/goals/{id}/standing")).json()["standing"] == "no_data"


async def test_a_missed_goal_is_told_of_once(bench: Any) -> None:
    await received(bench, 5, "2025-05-10")
    async with await bench.client("manager") as client:
        id = (await client.post("/v1/goals", json=GOAL)).json()["id"]
        assert await settle(bench.db, at("2025-06-01"), HONG_KONG) == 0, "a day later what came in last is sorted"
        both = await asyncio.gather(*(settle(bench.db, at("2025-06-02"), HONG_KONG) for _ in range(2)))
        assert sum(both) == 1, "two workers do it once"
        assert await settle(bench.db, at("2025-06-03"), HONG_KONG) == 0
        found = (await client.get(f"/v1/goals/{id}")).json()
        assert (found["settled_as"], found["settled_value"], found["version"]) == ("missed", 5, 2)
        assert (await client.get(f"/v1/goals/{id}/standing")).json()["standing"] == "missed"
        assert (await client.put(f"/v1/goals/{id}", json=LATER)).status_code == 409
    (event,) = await published(bench)
    assert event.pop("missed_at").startswith("2025-06-02T04:00:00")
    assert event == {
        "complaint_id": id,
        **{name: GOAL[name] for name in ("figure", "dimension", "code", "direction", "due_on", "owner_department")},
        "baseline": 10,
        "target": 4,
        "value": 5,
    }
    assert ("reporting", "goal.missed") in await actions(bench)


async def test_a_reached_goal_is_settled_in_silence(bench: Any) -> None:
    await received(bench, 4, "2025-05-10")
    async with await bench.client("manager") as client:
        id = (await client.post("/v1/goals", json=GOAL)).json()["id"]
        assert await settle(bench.db, at("2025-06-02"), HONG_KONG) == 1
        assert (await client.get(f"/v1/goals/{id}")).json()["settled_as"] == "reached"
    assert await published(bench) == []


async def test_without_figures_nothing_is_settled(bench: Any) -> None:
    async with await bench.client("manager") as client:
        rated = {**GOAL, "figure": "satisfaction_overall", "direction": "up", "baseline": 3, "target": 4}
        await client.post("/v1/goals", json=rated)
        assert await settle(bench.db, at("2025-06-02"), HONG_KONG) == 0, "nobody has rated anything"
        await client.post("/v1/goals", json=GOAL)
        assert await settle(bench.db, at("2025-06-02"), HONG_KONG) == 0, "the desk had not begun: none is no success"
        await received(bench, 1, "2025-05-10")
        async with bench.db.transaction() as tx:
            await tx.execute(update(store.read_model).values(stale=True))
        assert await settle(bench.db, at("2025-06-02"), HONG_KONG) == 0, "the figures are known to lack something"
    assert await published(bench) == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_every_figure_has_a_value_or_none(bench: Any, told: Callable[[int], dict[str, Any]]) -> None:
    for messages in told(150).values():
        await bench.consumer().process(messages)
    async with await bench.client("admin") as client:
        await client.put("/v1/bases/customers/2025-01-01", json={"count": 5000})
    async with bench.db.reading() as session:
        for where in ({}, {"channel": "phone"}):
            chosen = Selection(date(2025, 1, 1), date(2025, 6, 30), where)
            values = {key: await current(session, key, chosen) for key in FIGURES}
            for key, value in values.items():
                least, most = BOUNDS[FIGURES[key].unit]
                assert value is None or least <= value <= most, key
            if not where:
                assert values["received"]
                assert values["received_per_1000_customers"] == values["received"] / 5
                none = {key for key, value in values.items() if value is None}
                assert none <= {"satisfied_share", *(k for k in FIGURES if k.startswith("satisfaction"))}
