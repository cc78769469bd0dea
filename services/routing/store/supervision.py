"""What those who head departments look at: loads, what waits for a second person, transfers, questions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing.store.case import UNFINISHED, ComplaintCase
from services.routing.store.case import table as case
from services.routing.store.staff import Officer, officer
from services.routing.store.work import Consult, Entry, consult, entry

# Spelt out, not bound, for the indexes of part of the table (`store.case`, `store.work`).
_TURN = {"triage": text("complaint_case.state = 'triage'"), "proposed": text("complaint_case.state = 'proposed'")}
_MOVED = text("case_entry.kind = 'transfer'")


@dataclass(frozen=True, slots=True)
class Load:
    """How many open cases there are in one state of one department with one officer (None: nobody yet)."""

    assignee: str | None
    department: str
    state: str
    cases: int


async def loads(tx: AsyncSession) -> list[Load]:
    """All open cases, counted. Of one department alone it would be slower: the index that begins with the department
    knows neither the officer nor what is open."""
    columns = (case.c.assignee, case.c.department, case.c.state)
    query = select(*columns, func.count()).where(UNFINISHED).group_by(*columns)
    return [Load(a, d, s, int(n)) for a, d, s, n in (await tx.execute(query)).all()]


async def waiting(
    tx: AsyncSession, state: str, department: str | None, *, after: str | None, limit: int
) -> Sequence[ComplaintCase]:
    """Cases in `state`, triage or proposed, the oldest first, from the one after `after` (a sort key) on."""
    query = select(ComplaintCase).where(_TURN[state])
    if department is not None:
        query = query.where(case.c.department == department)
    if after is not None:
        query = query.where(case.c.sort_key > after)
    return (await tx.scalars(query.order_by(case.c.sort_key).limit(limit))).all()


async def questions(tx: AsyncSession, departments: Collection[str], limit: int) -> Sequence[tuple[Consult, str]]:
    """What `departments` were asked and have not answered, the oldest first, each with its case's reference."""
    query = (
        select(Consult, case.c.reference)
        .join(case, case.c.complaint_id == consult.c.complaint_id)
        .where(consult.c.department.in_(departments), consult.c.answered_at.is_(None))
        .order_by(consult.c.id)
        .limit(limit)
    )
    return [(one, str(reference)) for one, reference in (await tx.execute(query)).all()]


async def transfers(tx: AsyncSession, since: datetime, limit: int) -> Sequence[tuple[Entry, str]]:
    """Transfers since then, the newest first, each with its case's reference."""
    query = (
        select(Entry, case.c.reference)
        .join(case, case.c.complaint_id == entry.c.complaint_id)
        .where(_MOVED, entry.c.at >= since)
        .order_by(entry.c.at.desc())
        .limit(limit)
    )
    return [(line, str(reference)) for line, reference in (await tx.execute(query)).all()]


async def states(tx: AsyncSession, incident: str) -> dict[str, int]:
    """State -> how many of an incident's complaints are there."""
    query = select(case.c.state, func.count()).where(case.c.incident_id == incident).group_by(case.c.state)
    return {str(state): int(n) for state, n in (await tx.execute(query)).all()}


async def members(tx: AsyncSession, incident: str, *, after: str | None, limit: int) -> Sequence[ComplaintCase]:
    """Cases of an incident, by complaint id."""
    query = select(ComplaintCase).where(case.c.incident_id == incident).order_by(case.c.complaint_id).limit(limit)
    return (await tx.scalars(query.where(case.c.complaint_id > after) if after else query)).all()


async def named(tx: AsyncSession, references: Collection[str]) -> dict[str, str]:
    """Reference -> the complaint's id, of those that are known."""
    query = select(case.c.reference, case.c.complaint_id).where(case.c.reference.in_(references))
    return {str(reference): str(id) for reference, id in (await tx.execute(query)).all()}


async def officers(tx: AsyncSession, department: str | None, *, after: str | None, limit: int) -> Sequence[Officer]:
    """Officers of a department (None: of all) by name, from the one after `after` on."""
    query = select(Officer).order_by(officer.c.id).limit(limit)
    if department is not None:
        query = query.where(officer.c.department == department)
    return (await tx.scalars(query.where(officer.c.id > after) if after else query)).all()


async def last_line(tx: AsyncSession, complaint_id: str) -> Any:
    """The newest line of a case's history, None where it has none."""
    query = select(Entry).where(entry.c.complaint_id == complaint_id).order_by(entry.c.id.desc()).limit(1)
    return (await tx.scalars(query)).one_or_none()
