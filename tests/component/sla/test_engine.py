"""What falls due is done: each warning, miss and escalation once, in order, however many engines run."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text

from services.sla.settings import SlaSettings
from services.sla.usecases import engine
from services.sla.worker import create_worker
from shared import audit
from shared.bus import Message
from shared.bus.local import LocalBus
from shared.cloudevents import Envelope, encode
from shared.errors import Unavailable
from shared.worker import run_until_cancelled

SETUP = SlaSettings().notice_setup()
MILLISECOND = timedelta(milliseconds=1)
LADDER = ["deadline.warned", "deadline.missed", "complaint.escalated"]


async def test_start_warning_miss_and_escalation_happen_once_each(sla: Any, make: Any) -> None:
    await sla.hear(make.received(), make.routed())
    step = await sla.step("acknowledge")

    sla.now[0] = step["warn_at"] - MILLISECOND
    assert await sla.engine() == 0
    sla.now[0] = step["warn_at"]
    assert await sla.engine() == 1
    assert (await sla.step("acknowledge"))["state"] == "warned"
    sla.now[0] = step["due_at"]
    assert await sla.engine() == 0
    sla.now[0] = step["due_at"] + MILLISECOND
    assert await sla.engine() == 2
    for day in (8.0, 9.0, 10.0):
        assert await sla.engine(day=day) == 0

    assert await sla.told() == [("clock.started", ""), *((name, "acknowledge") for name in LADDER)]
    missed, escalated = (e["data"] for e in (await sla.published())[2:])
    assert datetime.fromisoformat(missed["missed_at"]) == step["due_at"] + MILLISECOND
    assert missed["historic"] is False
    assert (escalated["level"], escalated["role"], escalated["reason"]) == (1, "supervisor", "deadline_missed")
    after = await sla.step("acknowledge")
    assert after["state"] == "missed"
    assert after["missed_at"] == after["escalated_at"] == step["due_at"] + MILLISECOND
    assert after["next_at"] is None


async def test_all_three_steps_climb_the_ladder_in_the_order_of_their_deadlines(sla: Any, make: Any) -> None:
    await sla.hear(make.received())
    for tenth in range(0, 700, 5):
        await sla.engine(day=tenth / 10)
    assert (await sla.told())[1:] == [(name, step) for step in ("acknowledge", "interim", "final") for name in LADDER]


async def test_misses_and_escalations_are_in_the_audit_trail(sla: Any, make: Any) -> None:
    await sla.hear(make.received())
    await sla.engine(day=8)
    entries = [e async for e in audit.export(sla.db)]
    assert [e["action"] for e in entries] == ["clock.started", "deadline.missed", "complaint.escalated"]
    assert orjson.loads(entries[2]["detail"]) == {
        "step": "acknowledge",
        "level": 1,
        "role": "supervisor",
        "reason": "deadline_missed",
    }
    assert audit.verify(entries, expected_head=await audit.head(sla.db)).broken_at is None


async def test_after_three_days_of_silence_all_is_caught_up_in_the_order_in_which_it_fell_due(
    start: Callable[[], Any], make: Any
) -> None:
    before = start()
    for n in reversed(range(30)):  # the last to fall due is the first in the table
        await before.hear(make.received(n, day=n / 10))
    assert await before.engine(day=5) == 0
    await before.db.close()

    after = start()  # another process on the same data, three days later: all are to be warned of, some are missed
    await after.engine(day=8.1, batch=7)

    due: dict[str, datetime] = {}
    for n in range(30):
        step = await after.step("acknowledge", n)
        due |= {f"deadline.warned {n}": step["warn_at"], f"deadline.missed {n}": step["due_at"] + MILLISECOND}
    fired = [
        f"{e['type'][12:-3]} {int(e['subject'][-12:])}"
        for e in await after.published()
        if e["type"][12:-3] in ("deadline.warned", "deadline.missed")
    ]
    assert Counter(fired) == dict.fromkeys((name for name, at in due.items() if at <= after.now[0]), 1)
    assert len([f for f in fired if f.startswith("deadline.missed")]) == 6  # received on 1 March in Hong Kong
    moments = [due[f] for f in fired]
    assert moments == sorted(moments)
    assert await after.engine() == 0


async def test_a_clock_set_back_fires_nothing_twice(sla: Any, make: Any) -> None:
    await sla.hear(make.received(1), make.received(2))
    await sla.engine(day=8)
    told = await sla.told()
    for day in (1, 5.6, 8, 7.9, 8.1):
        assert await sla.engine(day=day) == 0
    assert await sla.told() == told


async def test_two_engines_on_one_database_fire_each_action_once(start: Callable[[], Any], make: Any) -> None:
    one, other = start(), start()
    await one.hear(*(make.received(n, day=n / 1000) for n in range(120)))
    one.now[0] += timedelta(days=100)

    counts = [0, 0]

    async def run(i: int, sla: Any) -> None:
        while fired := await engine.fire_due(sla.db, lambda: sla.now[0], SETUP, batch=5):
            counts[i] += fired

    await asyncio.gather(run(0, one), run(1, other), run(0, one))
    await run(0, one)

    told = Counter((e["subject"], e["type"], e["data"].get("step")) for e in await one.published())
    assert set(told.values()) == {1}
    assert len(told) == 120 * (1 + 3 * 3)
    assert sum(counts) == 120 * 9
    assert await one.scalar("SELECT count(*) FROM step WHERE state = 'missed' AND next_at IS NULL") == 360


@pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_an_engine_passes_over_what_another_holds_and_does_the_rest(start: Callable[[], Any], make: Any) -> None:
    one, other = start(), start()
    await one.hear(make.received(1), make.received(2))
    one.now[0] += timedelta(days=6)

    async with one.db.transaction() as tx:
        await tx.execute(text("SELECT 1 FROM step WHERE complaint_id LIKE '%1' FOR UPDATE"))
        assert await asyncio.wait_for(other.engine(), 5) == 1
    assert await other.engine() == 1
    assert await one.scalar("SELECT count(*) FROM step WHERE state = 'warned'") == 2


async def test_a_step_met_while_its_miss_is_being_fired_ends_with_both_on_record_or_no_miss_at_all(
    start: Callable[[], Any], make: Any
) -> None:
    one, other = start(), start()
    await one.hear(*(make.received(n) for n in range(30)))
    one.now[0] += timedelta(days=8)

    await asyncio.gather(other.engine(batch=2), *(one.hear(make.acknowledged(n, day=1)) for n in range(30)))
    await other.engine()

    for n in range(30):
        step = await one.step("acknowledge", n)
        told = await one.told(n)
        assert step["state"] == "met"
        assert step["next_at"] is None
        assert told.count(("clock.met", "acknowledge")) == 1
        assert told.count(("deadline.missed", "acknowledge")) == (step["missed_at"] is not None)
        assert told.count(("complaint.escalated", "acknowledge")) == (step["escalated_at"] is not None)


async def test_nothing_of_a_batch_is_published_when_its_state_cannot_be_kept(
    sla: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sla.hear(make.received())
    sla.now[0] += timedelta(days=8)

    def fail(*_: Any) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("services.sla.store.save_fired", fail)
        with pytest.raises(Unavailable):
            await sla.engine()
    assert await sla.told() == [("clock.started", "")]
    assert await sla.engine() == 3


async def test_a_step_that_cannot_be_done_holds_up_nobody_else(
    sla: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sla.hear(*(make.received(n, day=n / 100) for n in range(10)))
    real = engine.fire

    def broken(due: Any, **how: Any) -> Any:
        if due.complaint_id.endswith("3"):
            raise ZeroDivisionError
        return real(due, **how)

    with monkeypatch.context() as patch:
        patch.setattr(engine, "fire", broken)
        before = engine.stuck_total._value.get()
        await sla.engine(day=8.2)
        assert engine.stuck_total._value.get() == before + 1
    missed = {e["subject"][-1] for e in await sla.published() if e["type"].endswith("deadline.missed.v1")}
    assert missed == set("012456789")
    sla.now[0] += engine.ASIDE
    await sla.engine()
    assert [name for name, step in await sla.told(3) if step == "acknowledge"] == LADDER


async def test_no_step_is_set_aside_in_place_of_one_that_another_engine_has_done_meanwhile(
    sla: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sla.hear(*(make.received(n, day=n / 100) for n in range(3)))
    real, claims = engine._fire, 0

    async def overtaken(*args: Any) -> Any:
        nonlocal claims
        claims += 1
        if claims == 1:
            raise ZeroDivisionError  # the batch
        if claims == 2:
            while (await real(*args))[0]:  # the other engine, at the same moment
                pass
            raise ZeroDivisionError
        return await real(*args)

    monkeypatch.setattr(engine, "_fire", overtaken)
    before = engine.stuck_total._value.get()
    await sla.engine(day=8.2)
    assert engine.stuck_total._value.get() == before
    missed = [e["subject"][-1] for e in await sla.published() if e["type"].endswith("deadline.missed.v1")]
    assert sorted(missed) == ["0", "1", "2"]


async def test_imported_history_is_recorded_as_missed_without_any_alarm(sla: Any, make: Any) -> None:
    await sla.engine(day=40)
    await sla.hear(make.received(1, imported=True), make.received(2, imported=True))
    assert await sla.engine() == 0
    sla.now[0] += timedelta(seconds=59)
    await sla.hear(make.routed(1), make.acknowledged(1, day=1), make.responded(1, day=29, final=False))
    assert await sla.engine() == 0
    sla.now[0] += timedelta(seconds=1)
    assert await sla.engine() == 2

    assert (await sla.told(1))[1:] == [("clock.met", "acknowledge"), ("clock.met", "interim")]
    assert (await sla.told(2))[1:] == [("deadline.missed", "acknowledge"), ("deadline.missed", "interim")]
    missed = [e["data"] for e in await sla.published() if e["type"].endswith("missed.v1")]
    assert all(m["historic"] for m in missed)
    await sla.engine(day=61)  # what lay in the future is watched as usual
    assert (await sla.told(2))[3:] == [(name, "final") for name in LADDER]


async def test_with_nothing_due_an_engine_only_reads_once_from_an_index(sla: Any, make: Any) -> None:
    await sla.hear(*(make.received(n) for n in range(50)))
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    target = sla.db.engine.sync_engine
    sqlalchemy_event.listen(target, "before_cursor_execute", note)
    try:
        assert await sla.engine() == 0
    finally:
        sqlalchemy_event.remove(target, "before_cursor_execute", note)
    selects = [s for s in seen if "BEGIN" not in s]
    assert len(selects) == 1
    assert "LIMIT" in selects[0]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT next_at FROM step WHERE next_at <= '2026-01-01' ORDER BY next_at LIMIT 1", "step_next"),
        (
            "SELECT * FROM step WHERE next_at <= '2026-01-01' ORDER BY next_at, complaint_id, due_at LIMIT 500",
            "step_next",
        ),
        (
            "SELECT * FROM step WHERE met_at IS NULL AND historic IS 0 AND ended IS 0 ORDER BY act_by LIMIT 50",
            "step_open",
        ),
        ("SELECT DISTINCT complaint_id FROM step WHERE state = 'missed' ORDER BY complaint_id DESC", "step_state"),
    ],
)
async def test_the_questions_asked_often_are_answered_by_an_index_without_sorting(
    sla: Any, query: str, index: str
) -> None:
    async with sla.db.reading() as session:
        plan = " ".join(r[3] for r in await session.execute(text(f"EXPLAIN QUERY PLAN {query}")))
    assert index in plan
    assert "TEMP B-TREE" not in plan


async def test_the_metrics_say_what_was_fired_and_how_far_behind_the_engine_is(sla: Any, make: Any) -> None:
    await sla.hear(make.received())
    fired = engine.fired_total.labels("DeadlineMissed")
    before = fired._value.get()
    behind: list[float] = []
    original = engine.behind_seconds.set
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.behind_seconds, "set", lambda v: (behind.append(v), original(v)))
        await sla.engine(day=8)
    assert fired._value.get() == before + 1
    assert behind[0] == pytest.approx((timedelta(days=2) + timedelta(hours=8.5)).total_seconds(), abs=3600)
    assert behind[-1] == 0


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_the_worker_hears_fires_and_relays_by_itself(
    sla: Any, make: Any, wrap: Callable[..., Envelope], tmp_path: Path, eventually: Any
) -> None:
    bus = LocalBus()
    heard: list[str] = []

    async def listener(messages: Any) -> None:
        heard.extend(orjson.loads(m.value)["type"] for m in messages)

    bus.subscribe("listener", ["redress.sla.v1"], listener)
    worker = create_worker(SlaSettings(home=tmp_path), sla.db, bus, clock=lambda: sla.now[0])
    running = asyncio.create_task(run_until_cancelled([worker], bus))
    try:
        received = wrap(make.received())
        message = Message("redress.intake.v1", received.subject, encode(received).encode())
        assert await bus.publish([message]) == [True]
        sla.now[0] += timedelta(days=8)
        assert await eventually(lambda: "com.redress.complaint.escalated.v1" in heard)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    told = [h.split(".", 2)[2].removesuffix(".v1") for h in heard]
    assert told[:2] == ["clock.started", "clock.started"], "the regulator's, and the bank's own service standard"
    assert set(LADDER) < set(told)
