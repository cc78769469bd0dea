"""Doing what is due: warn, record misses, escalate. Each once, however many engines run on one database."""

import heapq
from datetime import datetime

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.domain.clock import Step, fire
from services.sla.usecases.casework import ACTOR
from shared import audit, outbox
from shared.clock import Clock
from shared.db import Database
from shared.events import ComplaintEscalated, DeadlineMissed, Event

log = structlog.get_logger()
BATCH = 200
fired_total = Counter("redress_sla_fired", "Warnings, misses and escalations published", ["event"])
behind_seconds = Gauge("redress_sla_behind_seconds", "Age of the longest overdue action, 0 when none is due")


async def fire_due(db: Database, clock: Clock, *, batch: int = BATCH) -> int:
    """Do everything that is due now, batch by batch, and say how many actions were done.

    When nothing is due this costs one look into an index. Steps that another engine or a consumer holds are passed
    over: the one has them in hand, and after the other's commit the next call finds what is left.
    """
    done = 0
    while True:
        now = clock()
        async with db.reading() as session:
            oldest = await store.next_due(session, now)
        behind_seconds.set((now - oldest).total_seconds() if oldest else 0)
        if oldest is None:
            return done
        async with db.transaction() as tx:
            published = await fire_batch(tx, now=now, limit=batch)
        if not published:
            return done
        for one in published:
            fired_total.labels(type(one).__name__).inc()
        missed = sum(isinstance(one, DeadlineMissed) for one in published)
        log.info("deadlines.fired", events=len(published), missed=missed)
        done += len(published)


async def fire_batch(tx: AsyncSession, *, now: datetime, limit: int) -> list[Event]:
    """Do what is due about the `limit` longest overdue steps, in the order in which it fell due; returns the events.

    A step whose warning and miss are both overdue gets both, each at its place in that order. Where more steps are due
    than were claimed, nothing is done out of turn: what fell due behind the last one claimed is left to the next batch.
    """
    claimed = await store.claim_due(tx, now, limit)
    if not claimed:
        return []
    last = claimed[-1].step.next_at
    horizon = last if last is not None and len(claimed) == limit else now
    waiting = [(_when(due.step), due.complaint_id, i) for i, due in enumerate(claimed)]
    steps = [due.step for due in claimed]
    heapq.heapify(waiting)
    published: list[Event] = []
    while waiting and waiting[0][0] <= horizon:
        _, complaint_id, i = heapq.heappop(waiting)
        steps[i], events = fire(complaint_id, claimed[i].clock_id, steps[i], now=now)
        published.extend(events)
        if steps[i].next_at is not None:
            heapq.heappush(waiting, (_when(steps[i]), complaint_id, i))
    for event in published:
        outbox.add(tx, event, now=now)
        if isinstance(event, DeadlineMissed | ComplaintEscalated):
            _enter(tx, event, now)
    await store.save_steps(tx, ((due.complaint_id, step) for due, step in zip(claimed, steps, strict=True)))
    return published


def _when(step: Step) -> datetime:
    assert step.next_at is not None
    return step.next_at


def _enter(tx: AsyncSession, event: DeadlineMissed | ComplaintEscalated, now: datetime) -> None:
    if isinstance(event, ComplaintEscalated):
        detail = {"step": event.step, "level": event.level, "role": event.role, "reason": event.reason}
        audit.add(tx, ACTOR, "complaint.escalated", event.complaint_id, now=now, detail=detail)
    else:
        detail = {"step": event.step, "historic": event.historic}
        audit.add(tx, ACTOR, "deadline.missed", event.complaint_id, now=now, detail=detail)
