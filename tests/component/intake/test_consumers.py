"""What intake has heard from routing and sla shows in one read, whatever order it came in."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from services.intake import consumers
from shared.bus import Message
from shared.cloudevents import Envelope, encode
from shared.events import (
    TOPICS,
    ClockMet,
    ClockStarted,
    ClockStep,
    ComplaintAcknowledged,
    ComplaintAssigned,
    ComplaintClassified,
    ComplaintClosed,
    ComplaintEscalated,
    ComplaintReceived,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintRouted,
    DeadlineMissed,
    Event,
)
from shared.ids import uuid7
from shared.inbox import Consumer

Make = Callable[..., dict[str, Any]]
AT = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def _message(event: Event, *, minute: int = 0) -> Message:
    moment = AT + timedelta(minutes=minute)
    envelope = Envelope(uuid7(), event.source, event.type, event.complaint_id, moment, event)
    return Message(TOPICS[event.source.rsplit("/", 1)[-1]], event.complaint_id, encode(envelope).encode())


def _consumer(desk: Any) -> Consumer:
    return Consumer(desk.db, consumers.progress.handle, consumers.progress.PART.types, lambda: AT)


def _routing(id: str) -> list[Event]:
    return [
        ComplaintClassified(complaint_id=id, category="fees", severity="high", confidence=0.9, classified_at=AT),
        ComplaintRouted(complaint_id=id, department="cards", reason="rule", routed_at=AT),
        ComplaintAssigned(complaint_id=id, assignee="staff:7", assigned_at=AT),
        ComplaintAcknowledged(complaint_id=id, acknowledged_at=AT),
        ComplaintResponded(complaint_id=id, responded_at=AT, final=False),
        ComplaintResponded(complaint_id=id, responded_at=AT, final=True),
        ComplaintResolved(complaint_id=id, outcome="upheld", root_cause="system", resolved_at=AT),
        ComplaintClosed(complaint_id=id, closed_at=AT),
    ]


def _sla(id: str) -> list[Event]:
    steps = (
        ClockStep(name="acknowledge", due_at=AT + timedelta(days=7)),
        ClockStep(name="final", due_at=AT + timedelta(days=30)),
    )
    return [
        ClockStarted(complaint_id=id, clock_id="c", pack="hk", pack_version="1", started_at=AT, steps=steps),
        ClockMet(complaint_id=id, clock_id="c", step="acknowledge", due_at=steps[0].due_at, met_at=AT, in_time=True),
        DeadlineMissed(complaint_id=id, clock_id="c", step="final", due_at=steps[1].due_at, missed_at=AT),
        ComplaintEscalated(
            complaint_id=id, clock_id="c", step="final", level=1, role="supervisor", reason="late", escalated_at=AT
        ),
    ]


async def _take(desk: Any, complaint: Make) -> str:
    return str((await desk.post(complaint())).json()["id"])


def _braid(one: Sequence[Event], other: Sequence[Event], *, seed: int) -> list[Event]:
    """Both in their own order, interleaved at random."""
    picks = [0] * len(one) + [1] * len(other)
    random.Random(seed).shuffle(picks)
    sources = (iter(one), iter(other))
    return [next(sources[p]) for p in picks]


async def test_the_whole_story_reads_the_same_however_the_services_interleave(desk: Any, complaint: Make) -> None:
    views = []
    for seed in range(6):
        id = await _take(desk, complaint)
        events = [_message(e, minute=n) for n, e in enumerate(_braid(_routing(id), _sla(id), seed=seed))]
        consumer = _consumer(desk)
        if seed % 2:
            await consumer.process(events)
        else:
            for event in events:
                await consumer.process([event])
        found = (await desk.get(f"/v1/complaints/{id}")).json()
        views.append({k: v for k, v in found.items() if k not in ("id", "reference")})

    assert all(v == views[0] for v in views)
    seen = views[0]
    assert (seen["status"], seen["type"], seen["severity"]) == ("closed", "fees", "high")
    assert (seen["department"], seen["outcome"], seen["escalation_level"]) == ("cards", "upheld", 1)
    assert [(d["step"], d["state"]) for d in seen["deadlines"]] == [("acknowledge", "met"), ("final", "missed")]
    assert seen["deadlines"][0]["met_at"] == "2026-11-23T11:00:00Z"


@SQLITE
@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_slas_own_events_even_out_of_order_lose_no_deadline(
    desk: Any, complaint: Make, order: tuple[int, ...]
) -> None:
    id = await _take(desk, complaint)
    events = _sla(id)
    await _consumer(desk).process([_message(events[n]) for n in order])

    found = (await desk.get(f"/v1/complaints/{id}")).json()
    assert [(d["step"], d["state"]) for d in found["deadlines"]] == [("acknowledge", "met"), ("final", "missed")]


@SQLITE
async def test_a_step_met_after_it_was_missed_is_late(desk: Any, complaint: Make) -> None:
    id = await _take(desk, complaint)
    late = ClockMet(
        complaint_id=id,
        clock_id="c",
        step="final",
        due_at=AT + timedelta(days=30),
        met_at=AT + timedelta(days=31),
        in_time=False,
    )
    await _consumer(desk).process([_message(e) for e in [*_sla(id), late]])
    found = (await desk.get(f"/v1/complaints/{id}")).json()
    assert [d["state"] for d in found["deadlines"]] == ["met", "late"]


async def test_what_is_heard_before_the_complaint_itself_is_kept(desk: Any, complaint: Make) -> None:
    """On Kafka the worker may be ahead of nothing, but a restored database may be behind its own events."""
    unknown = "01900000-0000-7000-8000-000000000000"
    await _consumer(desk).process([_message(e) for e in _routing(unknown)[:2]])
    assert await desk.scalar(f"SELECT department FROM progress WHERE complaint_id = '{unknown}'") == "cards"


@SQLITE
async def test_its_own_and_unknown_events_are_passed_over(desk: Any, complaint: Make) -> None:
    id = await _take(desk, complaint)
    own = ComplaintReceived(complaint_id=id, reference="r", channel="phone", narrative="n", received_at=AT)
    await _consumer(desk).process([_message(own)])
    assert await desk.scalar("SELECT count(*) FROM progress") == 0
    assert await desk.scalar("SELECT count(*) FROM inbox") == 0
    assert await desk.scalar("SELECT count(*) FROM parked") == 0


async def test_repeats_and_many_complaints_in_one_batch(desk: Any, complaint: Make) -> None:
    ids = [await _take(desk, complaint) for _ in range(20)]
    events = [_message(e) for id in ids for e in _routing(id)]
    random.Random(1).shuffle(ids)
    consumer = _consumer(desk)
    await consumer.process(events)
    await asyncio.gather(*(consumer.process(events) for _ in range(3)))

    assert await desk.scalar("SELECT count(*) FROM progress WHERE status = 'closed'") == 20
    assert await desk.scalar("SELECT count(*) FROM inbox") == len(events)


@SQLITE
async def test_the_complainant_sees_the_progress(desk: Any, complaint: Make) -> None:
    receipt = (await desk.post(complaint())).json()
    await _consumer(desk).process([_message(e) for e in _routing(receipt["id"])[:3] + _sla(receipt["id"])[:1]])
    path = f"/v1/track/{receipt['reference']}"
    found = (await desk.get(path, who=None, **{"X-Tracking-Token": receipt["tracking"]["token"]})).json()
    assert found["status"] == "in_progress"
    assert [d["step"] for d in found["deadlines"]] == ["acknowledge", "final"]
    assert "staff:7" not in str(found)
