"""What people do to clocks (`domain.commands`): audited with what was before and after, published, and told."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.domain.clock import Clock, Watch
from services.sla.domain.foresight import foreseen
from services.sla.domain.notice import NewNotice, Setup
from services.sla.domain.policy import Policies
from services.sla.domain.post import resolve_officer
from services.sla.domain.watching import Heard
from services.sla.usecases import notices, posts
from services.sla.usecases.current import Current
from services.sla.usecases.views import ClockNotFound
from shared import audit, outbox
from shared.clock import rfc3339
from shared.errors import PreconditionFailed
from shared.events import ClockExtended, Event
from shared.security.principal import Principal


class Command(Protocol):
    """One of `domain.commands`, with what is special to it filled in."""

    def __call__(self, watch: Watch, clock: Clock, policies: Policies, *, actor: str, now: datetime) -> Heard: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Which clock of which complaint; `version`: how many rows its ledger had when it was looked at, None not to
    ask."""

    complaint_id: str
    clock_id: str
    version: int | None = None


async def act(
    tx: AsyncSession,
    place: Place,
    current: Current,
    setup: Setup,
    command: Command,
    action: str,
    *,
    by: Principal,
    now: datetime,
    **detail: Any,
) -> Watch:
    """Take a command on a clock; `action` and `detail` go into the audit trail. Raises ClockNotFound,
    PreconditionFailed and what the command raises."""
    watch = await store.locked(tx, place.complaint_id)
    clock = next((c for c in watch.clocks if c.id == place.clock_id), None) if watch else None
    if watch is None or clock is None:
        raise ClockNotFound
    if place.version is not None and place.version != clock.seq:
        raise PreconditionFailed("The clock has changed since; look at it again.")
    await current.recall(tx, {c.calendar for c in watch.clocks})
    heard = command(watch, clock, current.policies, actor=by.id, now=now)
    after = foreseen(heard.watch, watch, current.estimates)
    await current.keep(tx, {entry.calendar for _, entry in heard.entries}, now)
    await store.save(tx, {watch.complaint_id: watch}, {watch.complaint_id: after}, heard.entries)
    for event in heard.events:
        outbox.add(tx, event, now=now)
    changed = next(c for c in after.clocks if c.id == clock.id)
    moved = {"before": _deadlines(clock), "after": _deadlines(changed)}
    audit.add(tx, by.id, action, watch.complaint_id, now=now, detail={"clock": clock.id, **detail, **moved})
    await _tell(tx, after, heard.events, setup, now)
    return after


async def _tell(tx: AsyncSession, watch: Watch, events: Iterable[Event], setup: Setup, now: datetime) -> None:
    """An extension is told to whoever works on the complaint."""
    facts = watch.facts
    told = [
        NewNotice(
            kind="extension_decided",
            complaint_id=watch.complaint_id,
            step=event.step,
            level=0,
            due_at=event.due_at,
            was_due_at=event.was_due_at,
            granted=True,
            department=facts.department,
            branch=facts.branch,
            reached=None,
            urgent=False,
            at=now,
            reference=facts.reference,
        )
        for event in events
        if isinstance(event, ClockExtended)
    ]
    if told:
        directory = await posts.directory(tx, setup)
        reached = resolve_officer(directory, facts.assignee, facts.department, facts.branch, now)
        await notices.add(tx, [replace(one, reached=reached) for one in told], setup, directory=directory)


def _deadlines(clock: Clock) -> dict[str, str]:
    return {step.name: rfc3339(step.due_at) for step in clock.steps if step.open}
