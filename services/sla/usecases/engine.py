"""Doing what is due: warn, record misses, escalate. Each once, however many engines run on one database."""

import heapq
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.domain.clock import SYSTEM, Step
from services.sla.domain.firing import Due, Reach, fire
from services.sla.domain.notice import Kind, NewNotice, Setup
from services.sla.domain.post import Directory, Reached, resolve, resolve_officer
from services.sla.usecases import notices, posts
from shared import audit, outbox
from shared.clock import Clock
from shared.db import Database, is_outage
from shared.events import ComplaintEscalated, DeadlineMissed, DeadlineWarned, Event

log = structlog.get_logger()
BATCH = 500
ASIDE = timedelta(minutes=5)
"""For which a step is set aside that cannot be done."""
fired_total = Counter("redress_sla_fired", "Warnings, misses and escalations published", ["event"])
stuck_total = Counter("redress_sla_stuck", "Steps set aside for a while because doing what was due about them failed")
behind_seconds = Gauge("redress_sla_behind_seconds", "Age of the longest overdue action, 0 when none is due")


async def fire_due(db: Database, clock: Clock, setup: Setup, *, batch: int = BATCH) -> int:
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
        try:
            claimed, published = await _fire(db, now, setup, batch)
        except Exception as error:
            if is_outage(error):
                raise
            # one step that cannot be done must not hold up the others
            log.warning("deadlines.batch_failed", size=batch, error=type(error).__name__)
            claimed, published = await _one_by_one(db, now, setup, batch)
        if not claimed:
            return done
        for one in published:
            fired_total.labels(type(one).__name__).inc()
        missed = sum(isinstance(one, DeadlineMissed) for one in published)
        log.info("deadlines.fired", events=len(published), missed=missed)
        done += len(published)


async def _fire(
    db: Database, now: datetime, setup: Setup, limit: int, only: store.StepKey | None = None
) -> tuple[int, list[Event]]:
    async with db.transaction() as tx:
        return await fire_batch(tx, now=now, limit=limit, setup=setup, only=only)


async def _one_by_one(db: Database, now: datetime, setup: Setup, limit: int) -> tuple[int, list[Event]]:
    """As `_fire`, each step by itself. One that fails is set aside for a while, said so, and counted."""
    handled, published = 0, list[Event]()
    async with db.reading() as session:
        steps = await store.due_steps(session, now, limit)
    for key in steps:
        try:
            claimed, events = await _fire(db, now, setup, 1, key)
        except Exception as error:
            if is_outage(error):
                raise
            async with db.transaction() as tx:
                aside = await store.set_aside(tx, key, now, now + ASIDE)
            if aside:
                log.error("deadline.stuck", clock_id=key[0], step=key[1], error=type(error).__name__)
                stuck_total.inc()
            claimed, events = 1, []
        handled += claimed
        published += events
    return handled, published


async def fire_batch(
    tx: AsyncSession, *, now: datetime, limit: int, setup: Setup, only: store.StepKey | None = None
) -> tuple[int, list[Event]]:
    """Do what is due about the `limit` longest overdue steps, or about `only` this one, in the order in which it fell
    due; how many were claimed, and the events.

    A step whose warning and miss are both overdue gets both, each at its place in that order. Where more steps are due
    than were claimed, nothing is done out of turn: what fell due behind the last one claimed is left to the next batch.
    """
    claimed = await store.claim_due(tx, now, limit, only)
    if not claimed:
        return 0, []
    last = claimed[-1].step.next_at
    horizon = last if last is not None and len(claimed) == limit else now
    directory = await posts.directory(tx, setup)
    fired, told = _fire_all(claimed, _reaching(directory, now), horizon, now)
    notified: list[NewNotice] = []
    for due, event, reached in told:
        outbox.add(tx, event, now=now)
        _enter(tx, event, now)
        if (one := _notice(due, event, reached, now)) is not None:
            notified.append(one)
    await store.save_fired(tx, fired)
    await notices.add(tx, notified, setup, directory=directory)
    return len(claimed), [event for _, event, _ in told]


def _reaching(directory: Directory, now: datetime) -> Reach:
    @cache  # a thousand steps lie in a few places
    def found(role: str, assignee: str | None, department: str | None, branch: str | None) -> Reached:
        if role == "officer":
            return resolve_officer(directory, assignee, department, branch, now)
        return resolve(directory, role, department, branch, now, assignee=assignee)

    return lambda due, role: found(role, due.assignee, due.department, due.branch)


def _fire_all(
    claimed: Sequence[Due], reach: Reach, horizon: datetime, now: datetime
) -> tuple[list[tuple[str, Step]], list[tuple[Due, Event, Reached | None]]]:
    """Where the steps have come to, and what was done, in the order in which it fell due."""
    dues = list(claimed)
    waiting = [(_when(due.step), due.complaint_id, i) for i, due in enumerate(dues)]
    heapq.heapify(waiting)
    told: list[tuple[Due, Event, Reached | None]] = []
    while waiting and waiting[0][0] <= horizon:
        _, complaint_id, i = heapq.heappop(waiting)
        due = dues[i]
        step, events = fire(due, reach=reach, now=now)
        told.extend((due, event, reached) for event, reached in events)
        dues[i] = due.with_step(step)
        if step.next_at is not None and step.next_at <= horizon:
            heapq.heappush(waiting, (step.next_at, complaint_id, i))
    return [(due.clock_id, due.step) for due in dues], told


def _when(step: Step) -> datetime:
    assert step.next_at is not None
    return step.next_at


def _enter(tx: AsyncSession, event: Event, now: datetime) -> None:
    if isinstance(event, ComplaintEscalated):
        detail = {"step": event.step, "level": event.level, "role": event.role, "reason": event.reason}
        audit.add(tx, SYSTEM, "complaint.escalated", event.complaint_id, now=now, detail=detail)
    elif isinstance(event, DeadlineMissed):
        detail = {"step": event.step, "historic": event.historic}
        audit.add(tx, SYSTEM, "deadline.missed", event.complaint_id, now=now, detail=detail)


def _notice(due: Due, event: Event, reached: Reached | None, now: datetime) -> NewNotice | None:
    kind: Kind
    level = 0
    match event:
        case DeadlineWarned():
            kind = "warning"
        case DeadlineMissed(historic=False):
            kind = "missed"
        case ComplaintEscalated():
            kind, level = "escalation", event.level
        case _:
            return None
    step = due.step
    return NewNotice(
        kind=kind,
        complaint_id=due.complaint_id,
        step=step.name,
        level=level,
        due_at=step.due_at,
        department=due.department,
        branch=due.branch,
        reached=reached,
        urgent=kind != "warning" and step.name == "final" and due.kind == "regulatory",
        at=now,
        reference=due.reference,
    )
