"""What is due: found by index, claimed by whoever comes first."""

from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.domain.firing import Due
from services.sla.store.base import CLOCK, COMPLAINT, STEP, as_due
from services.sla.store.mapping import NEEDED, fired_step


async def next_due(session: AsyncSession, now: datetime) -> datetime | None:
    """When the longest overdue action should have been done; None when nothing is due."""
    query = select(STEP.c.next_at).where(STEP.c.next_at <= now).order_by(STEP.c.next_at).limit(1)
    found: datetime | None = (await session.execute(query)).scalar_one_or_none()
    return found


StepKey = tuple[str, str]
"""A step by its clock's id and its own name."""
_STEP = [STEP.c[name] for name in NEEDED]
_ABOUT = (
    STEP.c.complaint_id,
    STEP.c.clock_id,
    CLOCK.c.kind,
    CLOCK.c.is_primary,
    COMPLAINT.c.department,
    COMPLAINT.c.branch,
    COMPLAINT.c.assignee,
    COMPLAINT.c.reference,
)


async def due_steps(session: AsyncSession, now: datetime, limit: int) -> list[StepKey]:
    """Which the `limit` longest overdue steps are, the oldest first."""
    query = select(STEP.c.clock_id, STEP.c.name).where(STEP.c.next_at <= now).order_by(*as_due).limit(limit)
    return [(clock_id, name) for clock_id, name in await session.execute(query)]


async def claim_due(tx: AsyncSession, now: datetime, limit: int, only: StepKey | None = None) -> list[Due]:
    """The `limit` longest overdue steps that no other transaction holds, locked for this one, the oldest first; or
    `only` this one, where it is still due. Of the rule, the steps have only what firing asks for."""
    query = (
        select(*_ABOUT, *_STEP)
        .join(CLOCK, CLOCK.c.clock_id == STEP.c.clock_id)
        .join(COMPLAINT, COMPLAINT.c.complaint_id == STEP.c.complaint_id)
        .where(STEP.c.next_at <= now)
        .order_by(*as_due)
        .limit(limit)
        .with_for_update(of=STEP, skip_locked=True)
    )
    if only is not None:
        query = query.where(*_is(only))
    connection = await tx.connection()
    found = []
    for id, clock_id, kind, primary, department, branch, assignee, reference, *values in await connection.execute(
        query
    ):
        step = fired_step(values)
        found.append(Due(id, clock_id, kind, primary, step, department, branch, assignee, reference))
    return found


async def set_aside(tx: AsyncSession, key: StepKey, now: datetime, until: datetime) -> bool:
    """Look at a step that is due again only `until` then. False where another transaction has done it meanwhile."""
    aside = update(STEP).where(*_is(key), STEP.c.next_at <= now).values(next_at=until).returning(STEP.c.name)
    return (await tx.execute(aside)).first() is not None


def _is(key: StepKey) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    clock_id, name = key
    return STEP.c.clock_id == clock_id, STEP.c.name == name
