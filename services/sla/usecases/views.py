"""Answering questions about clocks, packs and calendars; changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.domain import ledger
from services.sla.domain.calendar import Calendar
from services.sla.domain.clock import Clock, Step, StepState, Watch
from services.sla.domain.counting import TICK, Count, Pause, count, warn_at
from services.sla.domain.ledger import Entry, State
from services.sla.domain.policy import Choice, Policies, Rule, Subject
from services.sla.store import OpenStep, Window
from shared.errors import NotFound
from shared.events import StepName

CURSOR = r"^\d{1,14}_[A-Za-z0-9-]{1,36}(_[a-z_]{1,24})?$"
"""A moment in milliseconds since 1970, the clock and the step."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ClockNotFound(NotFound):
    """No clock runs for this complaint, or none yet."""

    code = "clock_not_found"


@dataclass(frozen=True, slots=True)
class Planned:
    """A deadline as it would be: its rule, the count that leads to it, when warnings would come and who would be told
    when it is missed."""

    rule: Rule
    count: Count
    warn_ats: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    choice: Choice
    calendar: Calendar
    deadlines: tuple[Planned, ...]


@dataclass(frozen=True, slots=True)
class AsOf:
    """What a clock's ledger came to at a moment, and the rows up to then."""

    clock: Clock
    state: State
    entries: tuple[Entry, ...]


async def clock_of(session: AsyncSession, complaint_id: str) -> Watch:
    """The complaint with its clocks. Raises ClockNotFound."""
    found = await store.watch(session, complaint_id)
    if found is None:
        raise ClockNotFound
    return found


async def as_of(
    session: AsyncSession, complaint_id: str, moment: datetime | None, calendars: Mapping[str, Calendar]
) -> list[AsOf]:
    """What was known of each clock at `moment` (None: now), from its ledger alone. Raises ClockNotFound."""
    watch = await clock_of(session, complaint_id)
    rows = await store.ledger(session, [c.id for c in watch.clocks])
    found = []
    for clock in watch.clocks:
        known = tuple(e for e in rows[clock.id] if moment is None or e.recorded_at <= moment)
        if known:
            found.append(AsOf(clock, ledger.replay(known, calendars), known))
    if not found:
        raise ClockNotFound
    return found


async def clocks(
    session: AsyncSession, *, state: StepState | None, step: StepName | None, cursor: str | None, limit: int
) -> tuple[Sequence[Watch], str | None]:
    """A page of complaints' clocks, the newest complaints first, and the cursor of the next page, None on the last."""
    found = await store.page(session, state=state, step=step, after=cursor, limit=limit + 1)
    return found[:limit], found[limit - 1].complaint_id if len(found) > limit else None


async def at_risk(
    session: AsyncSession, *, department: str | None, assignee: str | None, cursor: str | None, limit: int
) -> tuple[Sequence[OpenStep], str | None]:
    """A page of open steps, those first whose work must begin first; `cursor` fits CURSOR."""
    after = _place(cursor) if cursor else None
    found = await store.at_risk(session, department=department, assignee=assignee, after=after, limit=limit + 1)
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        following = f"{_millis(last.step.act_by or last.step.due_at)}_{last.clock_id}_{last.step.name}"
    return found[:limit], following


async def by_due(
    session: AsyncSession,
    *,
    department: str | None,
    step: StepName | None,
    window: Window,
    cursor: str | None,
    limit: int,
) -> tuple[Sequence[OpenStep], str | None]:
    """A page of open steps that fall due in `window`, the next first; `cursor` fits CURSOR."""
    after = _place(cursor) if cursor else None
    found = await store.by_due(session, department=department, step=step, window=window, after=after, limit=limit + 1)
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        following = f"{_millis(last.step.due_at)}_{last.clock_id}_{last.step.name}"
    return found[:limit], following


async def escalations(
    session: AsyncSession, *, department: str | None, level: int | None, cursor: str | None, limit: int
) -> tuple[Sequence[OpenStep], str | None]:
    """A page of escalated steps, the longest told first."""
    after = _place(cursor)[:2] if cursor else None
    found = await store.escalations(session, department=department, level=level, after=after, limit=limit + 1)
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        following = f"{_millis(last.step.told_at or _EPOCH)}_{last.clock_id}"
    return found[:limit], following


def simulate(policies: Policies, received_at: datetime, subject: Subject) -> list[Plan]:
    """Every deadline that such a complaint received then would get, clock by clock, the primary one first. Raises
    UncountableTime."""
    return [_plan(policies, choice, received_at) for choice in policies.choose(subject, received_at)]


def simulate_pack(policies: Policies, received_at: datetime, id: str) -> list[Plan]:
    """Every deadline under the pack `id` of a complaint received then. A regulator's pack is named as the jurisdiction,
    so what runs beside it is told too; a service standard is told alone. Raises UncountableTime."""
    if any(p.id == id and p.kind == "regulatory" for p in policies.packs):
        return simulate(policies, received_at, Subject(jurisdiction=id))
    choice = policies.standard(id, received_at)
    return [_plan(policies, choice, received_at)] if choice else []


def _plan(policies: Policies, choice: Choice, received_at: datetime) -> Plan:
    calendar = policies.calendar(choice.pack)
    deadlines = []
    for rule in choice.pack.rules:
        counted = count(rule.limit, received_at, calendar)
        moments = (warn_at(w, received_at, counted.due_at) for w in rule.warnings)
        deadlines.append(Planned(rule, counted, tuple(sorted(m for m in moments if m is not None))))
    return Plan(choice, calendar, tuple(deadlines))


def recount(clock: Clock, step: Step, calendars: Mapping[str, Calendar]) -> tuple[Count, tuple[Pause, ...]]:
    """The count that led to a step's deadline, from the copy of the rule that the step keeps, and the pauses in it."""
    pauses = tuple(p for p in clock.pauses if p.until is None or p.until > step.line.since)
    return count(step.line.limit, step.line.since, calendars[clock.calendar], pauses), pauses


def _millis(moment: datetime) -> int:
    return (moment - _EPOCH) // TICK


def _place(cursor: str) -> tuple[datetime, str, str]:
    millis, clock_id, *step = cursor.split("_", 2)
    return _EPOCH + min(int(millis), 9_999_999_999_999) * TICK, clock_id, step[0] if step else ""
