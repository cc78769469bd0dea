"""What is due next, as sla tells: kept beside each case, so that a queue can be in the order of the time left."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store
from services.routing.domain.deadlines import CaseClock, Next, next_of
from services.routing.store import ComplaintCase
from services.routing.store.queue import CaseClock as Row
from shared.clock import rfc3339
from shared.events import (
    ClockExtended,
    ClockMet,
    ClockMoved,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    DeadlineMissed,
    DeadlineWarned,
    Event,
)

HEARD = (
    ClockStarted, ClockMoved, ClockPaused, ClockResumed, ClockExtended, ClockMet, DeadlineWarned, DeadlineMissed
)  # fmt: skip
_NEVER = "9999-12-31T23:59:59.000Z"


def due_key(complaint_id: str, next: Next) -> str:
    """What a queue is ordered by: the next deadline, then the age. Cases that nothing is due of come last."""
    return f"{rfc3339(next.due_at) if next.due_at else _NEVER}|{complaint_id}"


async def hear(
    tx: AsyncSession,
    told: Sequence[Event],
    cases: Mapping[str, ComplaintCase],
    opened: Mapping[str, store.Row],
    *,
    fresh: Collection[str],
    now: datetime,
) -> None:
    """Apply what sla has told, in its order, to the clocks, and bring the cases up to them; clocks whose case is not
    there yet wait for it. `opened`: cases that are about to be inserted; `fresh`: all that are new."""
    ids = {event.complaint_id for event in told} | set(fresh)
    if not ids:
        return
    rows = {row.clock_id: row for row in await store.queue.clocks(tx, ids)}
    clocks = {id: _clock(row) for id, row in rows.items()}
    owner = {id: row.complaint_id for id, row in rows.items()}
    for event in told:
        assert isinstance(event, HEARD)
        if isinstance(event, ClockStarted) and event.primary:
            for id in [id for id, whose in owner.items() if whose == event.complaint_id and clocks[id].primary]:
                clocks[id].steps = {}  # a later primary clock takes the place of the one before
        found = _after(clocks.get(event.clock_id), event)
        if found is not None:
            clocks[event.clock_id], owner[event.clock_id] = found, event.complaint_id
    touched = {event.clock_id for event in told if isinstance(event, HEARD)}
    new: list[dict[str, Any]] = []
    for id, clock in clocks.items():
        values = {
            "primary": clock.primary,
            "paused": clock.paused,
            "steps": orjson.dumps({step: rfc3339(due) for step, due in clock.steps.items()}).decode(),
            "waiting": owner[id] not in cases and owner[id] not in opened,
        }
        if id not in rows:
            new.append({"clock_id": id, "complaint_id": owner[id], "changed_at": now, **values})
            continue
        for name, value in values.items():
            if getattr(rows[id], name) != value:
                setattr(rows[id], name, value)
        if id in touched:
            rows[id].changed_at = now
    if new:
        await tx.execute(store.queue.clock.insert(), new)
    by_case: dict[str, list[CaseClock]] = {id: [] for id in ids}
    for id, clock in clocks.items():
        by_case[owner[id]].append(clock)
    for complaint_id, its in by_case.items():
        if its:
            _bring_up(complaint_id, next_of(its), cases, opened)


def _bring_up(
    complaint_id: str, next: Next, cases: Mapping[str, ComplaintCase], opened: Mapping[str, store.Row]
) -> None:
    values = {"next_due_at": next.due_at, "next_step": next.step, "due_key": due_key(complaint_id, next)}
    if complaint_id in opened:
        opened[complaint_id].update(values)
    elif complaint_id in cases:
        for name, value in values.items():
            setattr(cases[complaint_id], name, value)  # the version stays: an officer's work is not in its way


def _clock(row: Row) -> CaseClock:
    steps = {step: datetime.fromisoformat(due) for step, due in orjson.loads(row.steps).items()}
    return CaseClock(row.primary, row.paused, steps)


def _after(clock: CaseClock | None, event: Event) -> CaseClock | None:
    """A clock after an event; None: nothing is known of it and the event does not tell."""
    match event:
        case ClockStarted() | ClockMoved() | ClockResumed():
            paused = clock.paused if clock is not None and isinstance(event, ClockMoved) else False
            return CaseClock(event.primary, paused, {step.name: step.due_at for step in event.steps})
        case DeadlineWarned() | DeadlineMissed() if clock is None:  # it began before routing listened
            return CaseClock(event.primary, False, {event.step: event.due_at})
        case ClockPaused() if clock is not None:
            clock.paused = True
        case ClockExtended() if clock is not None and event.step in clock.steps:
            clock.steps[event.step] = event.due_at
        case ClockMet() if clock is not None:
            clock.steps.pop(event.step, None)
    return clock


async def catch_up(tx: AsyncSession, *, now: datetime, limit: int = 500) -> int:
    """Cases that opened while another worker heard of their clocks: neither saw what the other was about to commit."""
    ids = await store.queue.overtaken(tx, limit)
    if ids:
        cases = await store.cases(tx, ids, locked=True)
        for row in await store.queue.clocks(tx, ids):
            row.waiting, row.changed_at = False, now
        its: dict[str, list[CaseClock]] = {}
        for row in await store.queue.clocks(tx, ids):
            its.setdefault(row.complaint_id, []).append(_clock(row))
        for id, clocks in its.items():
            _bring_up(id, next_of(clocks), cases, {})
    return len(ids)
