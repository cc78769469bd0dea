"""What is due: found by index, claimed by whoever comes first."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.domain.firing import Due
from services.sla.store.base import CLOCK, COMPLAINT, STEP
from services.sla.store.mapping import NEEDED, fired_step


async def next_due(session: AsyncSession, now: datetime) -> datetime | None:
    """When the longest overdue action should have been done; None when nothing is due."""
    query = select(STEP.c.next_at).where(STEP.c.next_at <= now).order_by(STEP.c.next_at).limit(1)
    found: datetime | None = (await session.execute(query)).scalar_one_or_none()
    return found


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


async def claim_due(tx: AsyncSession, now: datetime, limit: int) -> list[Due]:
    """The `limit` longest overdue steps that no other transaction holds, locked for this one, the oldest first. Of the
    rule, the steps have only what firing asks for."""
    query = (
        select(*_ABOUT, *_STEP)
        .join(CLOCK, CLOCK.c.clock_id == STEP.c.clock_id)
        .join(COMPLAINT, COMPLAINT.c.complaint_id == STEP.c.complaint_id)
        .where(STEP.c.next_at <= now)
        .order_by(STEP.c.next_at, STEP.c.complaint_id, STEP.c.due_at)
        .limit(limit)
        .with_for_update(of=STEP, skip_locked=True)
    )
    connection = await tx.connection()
    found = []
    for id, clock_id, kind, primary, department, branch, assignee, reference, *values in await connection.execute(
        query
    ):
        step = fired_step(values)
        found.append(Due(id, clock_id, kind, primary, step, department, branch, assignee, reference))
    return found


async def set_aside(tx: AsyncSession, now: datetime, until: datetime) -> str | None:
    """Look at the longest overdue step that nobody holds again only `until` then; its complaint's id."""
    key = (STEP.c.clock_id, STEP.c.name)
    query = select(*key, STEP.c.complaint_id).where(STEP.c.next_at <= now)
    query = query.order_by(STEP.c.next_at, STEP.c.complaint_id, STEP.c.due_at).limit(1)
    found = (await tx.execute(query.with_for_update(skip_locked=True))).first()
    if found is None:
        return None
    clock_id, name, complaint_id = found
    await tx.execute(update(STEP).where(key[0] == clock_id, key[1] == name).values(next_at=until))
    return str(complaint_id)
