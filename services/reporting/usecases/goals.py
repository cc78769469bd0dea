"""Goals: set, changed, given up, and settled once their day is over."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain.goal import Goal, as_good, expected, flaws, measured, standing
from services.reporting.domain.selection import Selection
from services.reporting.figures.current import current
from services.reporting.figures.reading import agree
from services.reporting.store import goals as store
from services.reporting.store import stale
from services.reporting.store.goals import GoalRow
from shared import audit, outbox
from shared.clock import Clock, rfc3339
from shared.db import Database
from shared.errors import Conflict, Invalid, NotFound, PreconditionFailed
from shared.events import GoalMissed
from shared.ids import uuid7
from shared.redaction import redact

ValueOf = Callable[[AsyncSession, str, Selection], Awaitable[float | None]]
GRACE = timedelta(days=1)
"""How long after a goal's day it is settled: what came in on its last evening must be sorted, and events arrive."""
log = structlog.get_logger()


class GoalNotFound(NotFound):
    """No goal has this id."""

    code = "goal_not_found"


class GoalInvalid(Invalid):
    """This goal cannot be kept as it is."""

    code = "goal_invalid"


class GoalChanged(PreconditionFailed):
    """The goal has changed since it was read."""

    code = "goal_changed"


class GoalOver(Conflict):
    """The goal is settled or withdrawn and stays as it is; set another."""

    code = "goal_over"


async def find(session: AsyncSession, id: str) -> GoalRow:
    """Raises GoalNotFound."""
    if (row := await store.goal(session, id)) is None:
        raise GoalNotFound
    return row


async def create(tx: AsyncSession, goal: Goal, *, actor: str, now: datetime) -> GoalRow:
    """Set a goal. Raises GoalInvalid."""
    goal = _checked(goal)
    row = GoalRow(id=uuid7(), created_at=now, updated_at=now)  # type: ignore[call-arg]
    store.write_goal(row, goal)
    tx.add(row)
    audit.add(tx, actor, "goal.created", row.id, now=now, detail=_detail(row))
    return row


async def change(tx: AsyncSession, id: str, goal: Goal, *, version: int | None, actor: str, now: datetime) -> GoalRow:
    """Put `goal` in the place of the one there is; the same again changes nothing. `version`: the one that the caller
    has seen, None for whichever. Raises GoalNotFound, GoalChanged, GoalOver, GoalInvalid."""
    row = await _open(tx, id, version)
    goal = _checked(goal)
    if store.goal_of(row) == goal:
        return row
    before = _detail(row)
    store.write_goal(row, goal)
    row.version += 1
    row.updated_at = now
    after = _detail(row)
    moved = {name: value for name, value in before.items() if after[name] != value}
    audit.add(tx, actor, "goal.changed", id, now=now, detail={**after, "before": moved})
    return row


async def withdraw(
    tx: AsyncSession, id: str, reason: str, *, version: int | None, actor: str, now: datetime
) -> GoalRow:
    """Give a goal up; it stays to be seen. Raises GoalNotFound, GoalChanged, GoalOver."""
    row = await _open(tx, id, version)
    row.withdrawn_because, row.withdrawn_at = redact(reason), now
    row.version += 1
    row.updated_at = now
    audit.add(tx, actor, "goal.withdrawn", id, now=now, detail={"version": row.version})
    return row


async def standing_of(session: AsyncSession, id: str, today: date) -> dict[str, Any]:
    """How the goal stands; nothing may have been read in `session` before. Raises GoalNotFound."""
    await agree(session)
    return await stand(session, await find(session, id), today)


async def stand(session: AsyncSession, row: GoalRow, today: date, *, value_of: ValueOf = current) -> dict[str, Any]:
    """How a goal stands: what it was settled as, or what its figure says today."""
    goal = store.goal_of(row)
    since, until = measured(goal, today)
    if row.settled_as is not None:
        found, value = row.settled_as, row.settled_value
    elif since < goal.starts_on:  # no whole period is over yet since it began
        found, value = "no_data", None
    else:
        value = await value_of(session, goal.figure, _chosen(goal, since, until))
        found = standing(goal, value, today)
    return {
        "standing": found,
        "value": value,
        "expected": expected(goal, until),
        "since": since.isoformat(),
        "until": until.isoformat(),
    }


async def settle(db: Database, clock: Clock, zone: ZoneInfo, *, value_of: ValueOf = current) -> int:
    """Say of each goal whose day is over, and GRACE with it, whether it was reached, and publish `goal.missed` of those
    that were not, each once; how many were settled. A goal whose figure there is not yet is looked at again next time,
    and while the figures are known to be incomplete none is."""
    today = clock().astimezone(zone).date() - GRACE
    async with db.reading() as session:
        if await stale(session):
            return 0
        waiting = await store.overdue(session, today)
    settled = 0
    for id in waiting:
        async with db.transaction() as tx:
            settled += await _settle(tx, id, today, clock(), value_of)
    return settled


async def _settle(tx: AsyncSession, id: str, today: date, now: datetime, value_of: ValueOf) -> bool:
    row = await store.goal(tx, id, lock=True)
    if row is None or row.settled_at is not None or row.withdrawn_at is not None or row.due_on >= today:
        return False
    goal = store.goal_of(row)
    value = await value_of(tx, goal.figure, _chosen(goal, *measured(goal, today)))
    if value is None:
        return False
    reached = as_good(goal, value, goal.target)
    row.settled_as, row.settled_value, row.settled_at = "reached" if reached else "missed", value, now
    row.version += 1
    audit.add(tx, "reporting", f"goal.{row.settled_as}", id, now=now, detail={"value": value, "target": goal.target})
    if not reached:
        missed = GoalMissed(
            complaint_id=id,
            figure=goal.figure,
            dimension=goal.dimension,
            code=goal.code,
            direction=goal.direction,
            baseline=goal.baseline,
            target=goal.target,
            value=value,
            owner_role=goal.owner_role,
            owner_department=goal.owner_department,
            due_on=goal.due_on,
            missed_at=now,
        )
        outbox.add(tx, missed, now=now)
    log.info("goal.settled", goal_id=id, settled_as=row.settled_as)
    return True


async def _open(tx: AsyncSession, id: str, version: int | None) -> GoalRow:
    row = await store.goal(tx, id, lock=True)
    if row is None:
        raise GoalNotFound
    if version is not None and row.version != version:
        raise GoalChanged
    if row.settled_at is not None or row.withdrawn_at is not None:
        raise GoalOver
    return row


def _checked(goal: Goal) -> Goal:
    if wrong := flaws(goal):
        raise GoalInvalid(errors=tuple(wrong))
    return replace(goal, title=redact(goal.title), note=None if goal.note is None else redact(goal.note))


def _chosen(goal: Goal, since: date, until: date) -> Selection:
    where = {} if goal.dimension is None or goal.code is None else {goal.dimension: goal.code}
    return Selection(since, until, where)


def _detail(row: GoalRow) -> dict[str, Any]:
    """For the audit trail: all but the words."""
    plain = ("figure", "dimension", "code", "direction", "baseline", "target", "period", "owner_role")
    return {name: getattr(row, name) for name in (*plain, "owner_department", "version")} | {
        "starts_on": row.starts_on.isoformat(),
        "due_on": row.due_on.isoformat(),
    }


def view(row: GoalRow) -> dict[str, Any]:
    plain = ("id", "title", "figure", "dimension", "code", "direction", "baseline", "target", "period", "owner_role")
    more = ("owner_department", "note", "version", "settled_as", "settled_value", "withdrawn_because")
    return {name: getattr(row, name) for name in (*plain, *more)} | {
        "starts_on": row.starts_on.isoformat(),
        "due_on": row.due_on.isoformat(),
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "settled_at": None if row.settled_at is None else rfc3339(row.settled_at),
        "withdrawn_at": None if row.withdrawn_at is None else rfc3339(row.withdrawn_at),
    }
