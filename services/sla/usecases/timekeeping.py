"""What people do to clocks: pause, resume, extend, restart, record a step, answer an escalation. Each is audited with
what was before and after, and published."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.domain import commands
from services.sla.domain.clock import Clock, Watch
from services.sla.domain.foresight import foreseen
from services.sla.domain.watching import Heard
from services.sla.usecases.current import Current
from services.sla.usecases.views import ClockNotFound
from shared import audit, outbox
from shared.clock import rfc3339
from shared.errors import PreconditionFailed
from shared.events import StepName
from shared.security.principal import Principal

Command = Callable[[Watch, Clock], Heard]


@dataclass(frozen=True, slots=True)
class Place:
    """Which clock of which complaint; `version`: how many rows its ledger had when it was looked at, None not to
    ask."""

    complaint_id: str
    clock_id: str
    version: int | None = None


async def pause(
    tx: AsyncSession, place: Place, current: Current, *, code: str, at: datetime | None, by: Principal, now: datetime
) -> Watch:
    """Raises ClockNotFound, PreconditionFailed and what `commands.pause` raises; so do the others."""
    return await _do(
        tx,
        place,
        current,
        lambda watch, clock: commands.pause(
            watch, clock, current.policies, code=code, at=at or now, actor=by.id, now=now
        ),
        "clock.paused",
        by=by,
        now=now,
        detail={"reason": code},
    )


async def resume(
    tx: AsyncSession, place: Place, current: Current, *, at: datetime | None, by: Principal, now: datetime
) -> Watch:
    return await _do(
        tx,
        place,
        current,
        lambda watch, clock: commands.resume(watch, clock, current.policies, at=at or now, actor=by.id, now=now),
        "clock.resumed",
        by=by,
        now=now,
    )


async def extend(
    tx: AsyncSession,
    place: Place,
    current: Current,
    *,
    step: StepName,
    until: date,
    reason: str,
    code: str | None,
    by: Principal,
    now: datetime,
) -> Watch:
    roles = frozenset(str(role) for role in by.roles)
    return await _do(
        tx,
        place,
        current,
        lambda watch, clock: commands.extend(
            watch,
            clock,
            current.policies,
            step=step,
            until=until,
            reason=reason,
            code=code,
            roles=roles,
            actor=by.id,
            now=now,
        ),
        "clock.extended",
        by=by,
        now=now,
        detail={"step": step},
    )


async def restart(
    tx: AsyncSession, place: Place, current: Current, *, at: datetime | None, reason: str, by: Principal, now: datetime
) -> Watch:
    return await _do(
        tx,
        place,
        current,
        lambda watch, clock: commands.restart(
            watch, clock, current.policies, at=at or now, reason=reason, actor=by.id, now=now
        ),
        "clock.restarted",
        by=by,
        now=now,
    )


async def record(
    tx: AsyncSession,
    place: Place,
    current: Current,
    *,
    step: StepName,
    at: datetime | None,
    by: Principal,
    now: datetime,
) -> Watch:
    return await _do(
        tx,
        place,
        current,
        lambda watch, clock: commands.record(
            watch, clock, current.policies, step=step, at=at or now, actor=by.id, now=now
        ),
        "clock.step_recorded",
        by=by,
        now=now,
        detail={"step": step},
    )


async def answer(
    tx: AsyncSession,
    place: Place,
    current: Current,
    *,
    step: StepName,
    hand_back: bool,
    reason: str | None,
    by: Principal,
    now: datetime,
) -> Watch:
    return await _do(
        tx,
        place,
        current,
        lambda watch, clock: commands.answer(
            watch, clock, step=step, hand_back=hand_back, reason=reason, actor=by.id, now=now
        ),
        "escalation.handed_back" if hand_back else "escalation.acknowledged",
        by=by,
        now=now,
        detail={"step": step},
    )


async def _do(
    tx: AsyncSession,
    place: Place,
    current: Current,
    command: Command,
    action: str,
    *,
    by: Principal,
    now: datetime,
    detail: dict[str, Any] | None = None,
) -> Watch:
    watch = await store.locked(tx, place.complaint_id)
    clock = next((c for c in watch.clocks if c.id == place.clock_id), None) if watch else None
    if watch is None or clock is None:
        raise ClockNotFound
    if place.version is not None and place.version != clock.seq:
        raise PreconditionFailed("The clock has changed since; look at it again.")
    heard = command(watch, clock)
    after = foreseen(heard.watch, watch, current.estimates)
    await current.keep(tx, {entry.calendar for _, entry in heard.entries}, now)
    await store.save(tx, {watch.complaint_id: watch}, {watch.complaint_id: after}, heard.entries)
    for event in heard.events:
        outbox.add(tx, event, now=now)
    changed = next(c for c in after.clocks if c.id == clock.id)
    moved = {"before": _deadlines(clock), "after": _deadlines(changed)}
    audit.add(tx, by.id, action, watch.complaint_id, now=now, detail={"clock": clock.id, **(detail or {}), **moved})
    return after


def _deadlines(clock: Clock) -> dict[str, str]:
    return {step.name: rfc3339(step.due_at) for step in clock.steps if step.open}
