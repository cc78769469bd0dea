"""Answering questions about clocks and packs; changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.domain.clock import State, Step, Watch
from services.sla.domain.policy import TICK, Count, Pack, Policies, Rule, count, warn_at
from services.sla.store import OpenStep
from shared.errors import NotFound
from shared.events import StepName

AT_RISK_CURSOR = r"^\d{1,13}_[A-Za-z0-9._-]{1,64}_(acknowledge|interim|final)$"
"""A deadline in milliseconds since 1970, the complaint and the step."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ClockNotFound(NotFound):
    """No clock runs for this complaint, or none yet."""

    code = "clock_not_found"


@dataclass(frozen=True, slots=True)
class Planned:
    """A deadline as it would be: its rule, the count that leads to it, and when a warning would come."""

    rule: Rule
    count: Count
    warn_at: datetime | None


@dataclass(frozen=True, slots=True)
class Plan:
    pack: Pack
    reason: str
    deadlines: tuple[Planned, ...]


async def clock_of(session: AsyncSession, complaint_id: str) -> Watch:
    """The complaint with its clock. Raises ClockNotFound."""
    found = await store.watch(session, complaint_id)
    if found is None:
        raise ClockNotFound
    return found


async def clocks(
    session: AsyncSession, *, state: State | None, step: StepName | None, cursor: str | None, limit: int
) -> tuple[Sequence[Watch], str | None]:
    """A page of clocks, the newest complaints first, and the cursor of the next page, None on the last."""
    found = await store.page(session, state=state, step=step, after=cursor, limit=limit + 1)
    return found[:limit], found[limit - 1].complaint_id if len(found) > limit else None


async def at_risk(
    session: AsyncSession, *, department: str | None, cursor: str | None, limit: int
) -> tuple[Sequence[OpenStep], str | None]:
    """A page of open steps, the least time left first; `cursor` fits AT_RISK_CURSOR."""
    after = _place(cursor) if cursor else None
    found = await store.at_risk(session, department=department, after=after, limit=limit + 1)
    return found[:limit], _cursor(found[limit - 1]) if len(found) > limit else None


def simulate(policies: Policies, received_at: datetime, jurisdiction: str | None) -> Plan:
    """Every deadline that a complaint received then would get. Raises UncountableTime."""
    pack, reason = policies.choose(jurisdiction, received_at)
    deadlines = []
    for rule in pack.rules:
        counted = count(rule.limit, received_at, pack.zone)
        deadlines.append(Planned(rule, counted, warn_at(rule.warn, received_at, counted.due_at)))
    return Plan(pack, reason, tuple(deadlines))


def recount(watch: Watch, step: Step) -> Count:
    """The count that led to a step's deadline, from the copy of the rule that the step keeps."""
    assert watch.clock is not None
    assert watch.facts.start is not None
    return count(step.limit, watch.facts.start, ZoneInfo(watch.clock.zone))


def _cursor(last: OpenStep) -> str:
    return f"{(last.step.due_at - _EPOCH) // TICK}_{last.complaint_id}_{last.step.name}"


def _place(cursor: str) -> tuple[datetime, str, str]:
    millis, rest = cursor.split("_", 1)
    complaint_id, step = rest.rsplit("_", 1)
    return _EPOCH + int(millis) * TICK, complaint_id, step
