"""Every complaint gets exactly one clock, whatever comes first, and each step is settled once."""

import asyncio
from datetime import datetime
from typing import Any

import orjson
import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import select

from services.sla import store
from shared import audit, parking
from shared.db import Database

RECEIVED = datetime.fromisoformat("2026-03-01T02:00:00Z")


async def test_a_received_complaint_starts_one_clock_with_its_deadlines(sla: Any, make: Any) -> None:
    await sla.hear(make.received(jurisdiction="hk"), correlation="req-1")

    (started,) = await sla.published()
    data = started["data"]
    assert started["type"] == "com.redress.clock.started.v1"
    assert started["correlationid"] == "req-1"
    assert (data["pack"], data["pack_version"]) == ("hk-hkma", "2023-01-06")
    assert datetime.fromisoformat(data["started_at"]) == RECEIVED
    assert {s["name"]: datetime.fromisoformat(s["due_at"]).isoformat() for s in data["steps"]} == {
        "acknowledge": "2026-03-08T15:59:59.999000+00:00",
        "interim": "2026-03-31T15:59:59.999000+00:00",
        "final": "2026-04-30T15:59:59.999000+00:00",
    }
    assert await sla.scalar("SELECT count(*) FROM clock") == 1
    assert await sla.scalar("SELECT count(*) FROM step") == 3


async def test_an_event_delivered_again_starts_no_second_clock(sla: Any, make: Any, wrap: Any) -> None:
    received = wrap(make.received())
    await sla.deliver([received, received])
    await sla.deliver([received])
    assert await sla.told() == [("clock.started", "")]


async def test_casework_meets_its_steps_once(sla: Any, make: Any) -> None:
    await sla.hear(make.received())
    await sla.hear(make.routed(day=0.1), make.acknowledged(day=2))
    await sla.hear(make.responded(day=20, final=False), make.responded(day=40), make.closed(day=41))

    assert await sla.told() == [
        ("clock.started", ""),
        ("clock.met", "acknowledge"),
        ("clock.met", "interim"),
        ("clock.met", "final"),
    ]
    met = {e["data"]["step"]: e["data"] for e in (await sla.published())[1:]}
    assert {name: datetime.fromisoformat(d["met_at"]).day for name, d in met.items()} == {
        "acknowledge": 3,
        "interim": 21,
        "final": 10,
    }
    assert met["acknowledge"]["in_time"]
    assert met["final"]["in_time"]
    assert await sla.engine(day=100) == 0


async def test_the_acknowledgement_may_be_heard_of_before_the_complaint(sla: Any, make: Any) -> None:
    await sla.hear(make.routed(), make.acknowledged(day=0.5))
    assert await sla.published() == []
    assert await sla.scalar("SELECT count(*) FROM clock WHERE clock_id IS NOT NULL") == 0
    assert await sla.engine(day=30) == 0

    await sla.hear(make.received())

    assert await sla.told() == [("clock.started", ""), ("clock.met", "acknowledge")]
    assert (await sla.step("acknowledge"))["state"] == "met"


async def test_a_complaint_may_be_closed_before_we_hear_that_it_was_received(sla: Any, make: Any) -> None:
    await sla.hear(make.acknowledged(day=1))
    await sla.hear(make.responded(day=2), make.resolved(day=2))
    await sla.hear(make.closed(day=3))
    await sla.hear(make.received())

    assert await sla.told() == [
        ("clock.started", ""),
        ("clock.met", "acknowledge"),
        ("clock.met", "interim"),
        ("clock.met", "final"),
    ]
    assert [(await sla.step(s))["state"] for s in ("acknowledge", "interim", "final")] == ["met"] * 3
    assert await sla.engine(day=100) == 0


async def test_a_late_record_of_a_timely_acknowledgement_counts_as_in_time(sla: Any, make: Any) -> None:
    await sla.hear(make.received())
    await sla.engine(day=8)
    await sla.hear(make.acknowledged(day=3))

    step = await sla.step("acknowledge")
    assert step["state"] == "met"
    assert step["missed_at"] is not None
    assert (await sla.told())[1:] == [
        ("deadline.warned", "acknowledge"),
        ("deadline.missed", "acknowledge"),
        ("complaint.escalated", "acknowledge"),
        ("clock.met", "acknowledge"),
    ]
    assert (await sla.published())[-1]["data"]["in_time"]


async def test_a_jurisdiction_without_a_pack_gets_the_banks_own_and_says_so(sla: Any, make: Any) -> None:
    await sla.hear(make.received(1, jurisdiction="nz"), make.received(2))
    rows = await _clocks(sla.db)
    assert {r["pack"] for r in rows} == {"hk-hkma"}
    assert "No pack covers jurisdiction nz" in rows[0]["reason"]
    assert "names no jurisdiction" in rows[1]["reason"]


async def test_the_start_is_in_the_audit_trail_with_the_packs_version(sla: Any, make: Any) -> None:
    await sla.hear(make.received(), make.received(2))
    entries = [e async for e in audit.export(sla.db)]

    assert [e["action"] for e in entries] == ["clock.started"] * 2
    assert orjson.loads(entries[0]["detail"])["version"] == "2023-01-06"
    assert entries[0]["actor"] == "system:sla"
    assert audit.verify(entries, expected_head=await audit.head(sla.db)).broken_at is None


async def test_a_batch_of_500_costs_as_many_statements_as_one_of_50(sla: Any, make: Any) -> None:
    """Clocks begun, steps met, and departments changed, all in one transaction without a query for each event."""
    small = await _statements(sla, [e for n in range(10) for e in _life(make, n)])
    large = await _statements(sla, [e for n in range(10, 110) for e in _life(make, n)])
    few = await _statements(sla, [make.responded(n, day=5) for n in range(10)])
    many = await _statements(sla, [make.responded(n, day=5) for n in range(10, 110)])

    assert await sla.scalar("SELECT count(*) FROM step WHERE state = 'met'") == 330
    assert large == small
    assert many == few
    assert max(small, few) < 20


def _life(make: Any, n: int) -> list[Any]:
    """Five events, the complaint itself in the middle."""
    return [
        make.routed(n),
        make.acknowledged(n, day=0.5),
        make.received(n),
        make.responded(n, day=1, final=False),
        make.routed(n, day=2, department="loans"),
    ]


async def _statements(sla: Any, events: list[Any]) -> int:
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    engine = sla.db.engine.sync_engine
    sqlalchemy_event.listen(engine, "before_cursor_execute", note)
    try:
        await sla.hear(*events)
    finally:
        sqlalchemy_event.remove(engine, "before_cursor_execute", note)
    return len(seen)


async def test_an_event_that_cannot_be_counted_is_parked_and_harms_no_neighbour(sla: Any, make: Any) -> None:
    absurd = make.received(1, received_at=datetime.fromisoformat("2600-01-01T00:00:00Z"))
    await sla.hear(absurd, make.received(2), make.received(3))

    assert sorted(r["complaint_id"][-1] for r in await _clocks(sla.db)) == ["2", "3"]
    async with sla.db.reading() as session:
        (parked,) = await parking.unsettled(session, sla.db.tables)
    assert parked["reason"] == "handler_failed"
    assert "UncountableTime" in parked["error"]


@pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_two_consumers_that_hear_of_a_complaint_at_once_miss_nothing(start: Any, make: Any) -> None:
    """Its events lie on two topics, so two processes may take the first of each at the same moment."""
    one, other = start(), start()
    for n in range(40):
        events = [make.received(n)], [make.routed(n), make.acknowledged(n, day=1)]
        await asyncio.gather(one.hear(*events[0]), other.hear(*events[1]))

    assert (
        await one.scalar("SELECT count(*) FROM clock JOIN complaint USING (complaint_id) WHERE department = 'cards'")
        == 40
    )
    assert await one.scalar("SELECT count(*) FROM step WHERE name = 'acknowledge' AND state = 'met'") == 40
    for n in range(40):
        assert await one.told(n) == [("clock.started", ""), ("clock.met", "acknowledge")]


@pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_two_consumers_that_hear_more_of_a_known_complaint_at_once_miss_nothing(start: Any, make: Any) -> None:
    one, other = start(), start()
    await one.hear(*(make.routed(n) for n in range(40)))
    for n in range(40):
        await asyncio.gather(one.hear(make.received(n)), other.hear(make.acknowledged(n, day=1)))

    for n in range(40):
        assert await one.told(n) == [("clock.started", ""), ("clock.met", "acknowledge")]
    assert (
        await one.scalar("SELECT count(*) FROM clock JOIN complaint USING (complaint_id) WHERE department = 'cards'")
        == 40
    )


@pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_large_batches_about_the_same_complaints_do_not_deadlock(start: Any, make: Any) -> None:
    one, other = start(), start()
    await asyncio.gather(
        one.hear(*(make.received(n) for n in range(200))),
        other.hear(*(make.acknowledged(n, day=1) for n in reversed(range(200)))),
    )
    assert await one.scalar("SELECT count(*) FROM step WHERE name = 'acknowledge' AND state = 'met'") == 200
    assert await one.scalar("SELECT count(*) FROM parked") == 0


async def _clocks(db: Database) -> list[Any]:
    async with db.reading() as session:
        query = select(store.CLOCK).where(store.CLOCK.c.clock_id.is_not(None)).order_by(store.CLOCK.c.complaint_id)
        return list((await session.execute(query)).mappings())
