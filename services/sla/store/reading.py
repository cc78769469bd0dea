"""Questions about clocks; nothing is locked, nothing changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.domain.clock import Step, StepState, Watch
from services.sla.store.base import CLOCK, COMPLAINT, STEP, escalated, open_step
from services.sla.store.mapping import step_of, watches
from shared.events import ClockKind, StepName


@dataclass(frozen=True, slots=True)
class OpenStep:
    """A step not yet taken, and who is in charge of it."""

    complaint_id: str
    reference: str | None
    clock_id: str
    pack: str
    kind: ClockKind
    department: str | None
    assignee: str | None
    category: str | None
    severity: str | None
    step: Step


def clock_ids() -> Any:
    """A column with the complaint of every primary clock, once each; for reconciling."""
    return select(CLOCK.c.complaint_id).where(CLOCK.c.is_primary.is_(True)).subquery("begun").c.complaint_id


async def watch(session: AsyncSession, complaint_id: str) -> Watch | None:
    """One complaint whose clocks have begun."""
    found = await _read(session, [complaint_id])
    return found[0] if found and found[0].clocks else None


async def page(
    session: AsyncSession, *, state: StepState | None, step: StepName | None, after: str | None, limit: int
) -> Sequence[Watch]:
    """Complaints whose clocks have begun, the newest ids first, beginning below `after`.

    With `state` or `step`: those that have a step of this name in this state.
    """
    id = STEP.c.complaint_id  # a clock that has begun has steps
    query = select(id).distinct().order_by(id.desc()).limit(limit)
    if state is not None:
        query = query.where(STEP.c.state == state)
    if step is not None:
        query = query.where(STEP.c.name == step)
    if after is not None:
        query = query.where(id < after)
    return await _read(session, (await session.scalars(query)).all())


async def at_risk(
    session: AsyncSession,
    *,
    department: str | None,
    assignee: str | None,
    after: tuple[datetime, str, str] | None,
    limit: int,
) -> Sequence[OpenStep]:
    """Steps not yet taken, those first whose work must begin first, behind `after` (act_by, clock's id, step).

    Deadlines that had lapsed before a complaint was imported are left out: nobody can act on them.
    """
    query = _open_steps().where(open_step).order_by(STEP.c.act_by, STEP.c.clock_id, STEP.c.name).limit(limit)
    if department is not None:
        query = query.where(COMPLAINT.c.department == department)
    if assignee is not None:
        query = query.where(COMPLAINT.c.assignee == assignee)
    if after is not None:
        query = query.where(tuple_(STEP.c.act_by, STEP.c.clock_id, STEP.c.name) > after)
    return _steps((await session.execute(query)).mappings().all())


Window = tuple[datetime | None, datetime | None]
"""Deadlines after the first and up to the second moment; None: no bound."""
_BY_DUE = (STEP.c.due_at, STEP.c.clock_id, STEP.c.name)
_WALKED = 2000


async def by_due(
    session: AsyncSession,
    *,
    department: str | None,
    step: StepName | None,
    window: Window,
    after: tuple[datetime, str, str] | None,
    limit: int,
) -> Sequence[OpenStep]:
    """Steps not yet taken in the order in which they fall due, behind `after` (due_at, clock's id, step). Lapsed
    deadlines of imports are left out."""

    def chosen(base: Any) -> Any:
        query = _within(base, window).order_by(*_BY_DUE).limit(limit)
        if step is not None:
            query = query.where(STEP.c.name == step)
        return query if after is None else query.where(tuple_(*_BY_DUE) > after)

    if department is None:
        return _steps((await session.execute(chosen(_open_steps()))).mappings().all())
    # Most departments have enough among the next few thousand; the index of departments helps with those that do not.
    next_few = chosen(select(STEP.c.clock_id, STEP.c.name)).limit(_WALKED).subquery()
    among = _open_steps().join(next_few, (next_few.c.clock_id == STEP.c.clock_id) & (next_few.c.name == STEP.c.name))
    among = among.where(_in_department(department)).order_by(*_BY_DUE).limit(limit)
    found = (await session.execute(among)).mappings().all()
    if len(found) < limit:
        whole = chosen(_open_steps()).where(COMPLAINT.c.department == department)
        found = (await session.execute(whole)).mappings().all()
    return _steps(found)


async def count_due(
    session: AsyncSession, *, department: str | None, step: StepName | None, window: Window, most: int
) -> tuple[int, bool]:
    """How many open steps fall due in `window`, and whether there may be more: it counts no further than `most`, and
    looks for those of a department among the next few thousand only."""
    query = _within(select(STEP.c.complaint_id, STEP.c.due_at), window).order_by(STEP.c.due_at)
    if step is not None:
        query = query.where(STEP.c.name == step)
    if department is None:
        counted = select(func.count()).select_from(query.limit(most + 1).subquery())
        n = int((await session.execute(counted)).scalar_one())
        return min(n, most), n > most
    few = query.limit(_WALKED).subquery()
    mine = func.count(case((_in_department(department), 1)))
    joined = few.join(COMPLAINT, COMPLAINT.c.complaint_id == few.c.complaint_id)
    n, walked = (await session.execute(select(mine, func.count()).select_from(joined))).one()
    return min(int(n), most), n > most or walked == _WALKED


def _in_department(department: str | None) -> ColumnElement[bool]:
    """Not by the index of departments: that would lead to all their complaints, and the order is by deadline."""
    return func.coalesce(COMPLAINT.c.department, "") == department


def _within(query: Any, window: Window) -> Any:
    since, until = window
    query = query.where(open_step)
    if since is not None:
        query = query.where(STEP.c.due_at > since)
    return query if until is None else query.where(STEP.c.due_at <= until)


async def escalations(
    session: AsyncSession, *, department: str | None, level: int | None, after: tuple[datetime, str] | None, limit: int
) -> Sequence[OpenStep]:
    """Steps that somebody above the officer was told of and that are not taken, the longest told first."""
    query = _open_steps().where(escalated).order_by(STEP.c.told_at, STEP.c.clock_id, STEP.c.name).limit(limit)
    if department is not None:
        query = query.where(COMPLAINT.c.department == department)
    if level is not None:
        query = query.where(STEP.c.rung >= level)
    if after is not None:
        query = query.where(tuple_(STEP.c.told_at, STEP.c.clock_id) > after)
    return _steps((await session.execute(query)).mappings().all())


async def of_department(session: AsyncSession, department: str, limit: int) -> Sequence[OpenStep]:
    """A department's open deadlines, the next first; for its calendar."""
    query = _open_steps().where(open_step, COMPLAINT.c.department == department).order_by(STEP.c.due_at).limit(limit)
    return _steps((await session.execute(query)).mappings().all())


async def provisional(session: AsyncSession, after: str, limit: int) -> list[str]:
    """Ids of complaints behind `after` with open deadlines that were counted with unpublished holidays, in order."""
    id = STEP.c.complaint_id
    query = select(id).distinct().where(STEP.c.provisional.is_(True), STEP.c.met_at.is_(None), id > after)
    return list((await session.scalars(query.order_by(id).limit(limit))).all())


def _open_steps() -> Any:
    about = ("reference", "department", "assignee", "category", "severity")
    return (
        select(STEP, CLOCK.c.pack, CLOCK.c.kind, *(COMPLAINT.c[name] for name in about))
        .join(CLOCK, CLOCK.c.clock_id == STEP.c.clock_id)
        .join(COMPLAINT, COMPLAINT.c.complaint_id == STEP.c.complaint_id)
    )


def _steps(rows: Sequence[Any]) -> list[OpenStep]:
    plain = ("complaint_id", "reference", "clock_id", "pack", "kind", "department", "assignee", "category", "severity")
    return [OpenStep(**{name: row[name] for name in plain}, step=step_of(row)) for row in rows]


async def _read(session: AsyncSession, ids: Sequence[str]) -> list[Watch]:
    """These complaints in this order, without locking them."""
    queries = (select(table).where(table.c.complaint_id.in_(ids)) for table in (COMPLAINT, CLOCK, STEP))
    found = watches(*[(await session.execute(query)).mappings().all() for query in queries])
    return [found[id] for id in ids if id in found]
