"""Goals, measures and commendations. Never commits."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import Column, Index, Select, Table, Text, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.reporting.domain.goal import Goal
from services.reporting.domain.measure import Measure, Task
from services.reporting.store.base import Base, metadata
from shared.db import UtcDateTime


def _time(*, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=nullable))


def _long() -> Any:
    return Field(default=None, sa_column=Column(Text))


class GoalRow(Base, table=True):
    """See `domain.goal.Goal`. `version` rises with each change. `settled_as` (reached, missed) and `settled_value` are
    what came of it once its day was over; a goal that was given up is `withdrawn`."""

    __tablename__ = "goal"

    id: str = Field(primary_key=True, max_length=36)
    title: str = Field(max_length=200)
    figure: str = Field(max_length=60)
    dimension: str | None = Field(None, max_length=20)
    code: str | None = Field(None, max_length=64)
    direction: str = Field(max_length=4)
    baseline: float
    target: float
    period: str = Field(max_length=10)
    starts_on: date
    due_on: date
    owner_role: str | None = Field(None, max_length=20)
    owner_department: str | None = Field(None, max_length=64)
    note: str | None = _long()
    version: int = 1
    created_at: datetime = _time()
    updated_at: datetime = _time()
    settled_as: str | None = Field(None, max_length=10)
    settled_value: float | None = None
    settled_at: datetime | None = _time(nullable=True)
    withdrawn_because: str | None = _long()
    withdrawn_at: datetime | None = _time(nullable=True)


class MeasureRow(Base, table=True):
    """See `domain.measure.Measure`. `budget` is the decimal number as text, `comparable` a JSON list of codes.
    `version` rises with each change, also of its tasks and its evidence."""

    __tablename__ = "measure"

    id: str = Field(primary_key=True, max_length=36)
    title: str = Field(max_length=200)
    figure: str = Field(max_length=60)
    dimension: str | None = Field(None, max_length=20)
    code: str | None = Field(None, max_length=64)
    comparable: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    horizon: str = Field(max_length=10)
    owner_department: str = Field(max_length=64)
    budget: str | None = Field(None, max_length=30)
    currency: str | None = Field(None, max_length=3)
    status: str = Field(max_length=10)
    starts_on: date
    ends_on: date
    started_on: date | None = None
    ended_on: date | None = None
    note: str | None = _long()
    version: int = 1
    created_at: datetime = _time()
    updated_at: datetime = _time()


class TaskRow(Base, table=True):
    """See `domain.measure.Task`."""

    __tablename__ = "measure_task"
    __table_args__ = (Index("measure_task_measure", "measure_id", "id"),)

    id: str = Field(primary_key=True, max_length=36)
    measure_id: str = Field(max_length=36, foreign_key="measure.id")
    title: str = Field(max_length=200)
    due_on: date
    owner_role: str | None = Field(None, max_length=20)
    owner_department: str | None = Field(None, max_length=64)
    done_on: date | None = None


class EvidenceRow(Base, table=True):
    """What shows that a measure was taken, or what came of it. Evidence is only added. `added_by` is a subject of the
    bank's directory."""

    __tablename__ = "measure_evidence"
    __table_args__ = (Index("measure_evidence_measure", "measure_id", "id"),)

    id: str = Field(primary_key=True, max_length=36)
    measure_id: str = Field(max_length=36, foreign_key="measure.id")
    note: str = Field(sa_column=Column(Text, nullable=False))
    link: str | None = Field(None, max_length=500)
    added_by: str = Field(max_length=200)
    added_at: datetime = _time()


class CommendationRow(Base, table=True):
    """Praise for a team. Who gave it the audit trail knows; here it would only count persons."""

    __tablename__ = "commendation"

    id: str = Field(primary_key=True, max_length=36)
    department: str | None = Field(None, max_length=64)
    branch: str | None = Field(None, max_length=64)
    occurred_on: date
    text: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = _time()


GOAL: Table = metadata.tables["goal"]
MEASURE: Table = metadata.tables["measure"]
TASK: Table = metadata.tables["measure_task"]
EVIDENCE: Table = metadata.tables["measure_evidence"]
COMMENDATION: Table = metadata.tables["commendation"]
_UNSETTLED = GOAL.c.settled_at.is_(None) & GOAL.c.withdrawn_at.is_(None)
Index("goal_due", GOAL.c.due_on, postgresql_where=_UNSETTLED, sqlite_where=_UNSETTLED)
Index("commendation_department", COMMENDATION.c.department, COMMENDATION.c.id)
Index("commendation_branch", COMMENDATION.c.branch, COMMENDATION.c.id)

_GOAL_STATES = {
    "open": _UNSETTLED,
    "settled": GOAL.c.settled_at.is_not(None),
    "withdrawn": GOAL.c.withdrawn_at.is_not(None),
}
_GOAL = tuple(Goal.__dataclass_fields__)
_MEASURE = tuple(name for name in Measure.__dataclass_fields__ if name not in ("comparable", "budget"))
_TASK = tuple(Task.__dataclass_fields__)


# --- goals ---


async def goal(tx: AsyncSession, id: str, *, lock: bool = False) -> GoalRow | None:
    """One goal; with `lock`, kept from others until the unit of work ends."""
    query = select(GoalRow).where(GOAL.c.id == id)
    return (await tx.scalars(query.with_for_update() if lock else query)).first()


async def goals(
    session: AsyncSession,
    *,
    state: str | None,
    figure: str | None,
    department: str | None,
    after: str | None,
    limit: int,
) -> Sequence[GoalRow]:
    """Goals, newest first, from behind `after` on."""
    query = _page(select(GoalRow), GOAL, after, limit)
    query = _having(query, (GOAL.c.figure, figure), (GOAL.c.owner_department, department))
    if state is not None:
        query = query.where(_GOAL_STATES[state])
    return (await session.scalars(query)).all()


async def overdue(session: AsyncSession, today: date) -> Sequence[str]:
    """The goals whose day is over and of which it is not yet said what came of them."""
    query = select(GOAL.c.id).where(GOAL.c.due_on < today, _UNSETTLED).order_by(GOAL.c.due_on, GOAL.c.id)
    return (await session.scalars(query)).all()


def write_goal(row: GoalRow, goal: Goal) -> None:
    for name in _GOAL:
        setattr(row, name, getattr(goal, name))


def goal_of(row: GoalRow) -> Goal:
    return Goal(**{name: getattr(row, name) for name in _GOAL})


# --- measures ---


async def measure(tx: AsyncSession, id: str, *, lock: bool = False) -> MeasureRow | None:
    """One measure; with `lock`, kept from others until the unit of work ends."""
    query = select(MeasureRow).where(MEASURE.c.id == id)
    return (await tx.scalars(query.with_for_update() if lock else query)).first()


async def measures(
    session: AsyncSession,
    *,
    status: str | None,
    horizon: str | None,
    figure: str | None,
    department: str | None,
    after: str | None,
    limit: int,
) -> Sequence[MeasureRow]:
    """Measures, newest first, from behind `after` on."""
    query = _page(select(MeasureRow), MEASURE, after, limit)
    query = _having(
        query,
        (MEASURE.c.status, status),
        (MEASURE.c.horizon, horizon),
        (MEASURE.c.figure, figure),
        (MEASURE.c.owner_department, department),
    )
    return (await session.scalars(query)).all()


async def task(tx: AsyncSession, measure_id: str, id: str) -> TaskRow | None:
    return (await tx.scalars(select(TaskRow).where(TASK.c.measure_id == measure_id, TASK.c.id == id))).first()


async def tasks(session: AsyncSession, measures: Collection[str]) -> Sequence[TaskRow]:
    """The tasks of these measures, as they were set."""
    return (await session.scalars(select(TaskRow).where(TASK.c.measure_id.in_(measures)).order_by(TASK.c.id))).all()


async def evidence(session: AsyncSession, measures: Collection[str]) -> Sequence[EvidenceRow]:
    """The evidence of these measures, oldest first."""
    query = select(EvidenceRow).where(EVIDENCE.c.measure_id.in_(measures)).order_by(EVIDENCE.c.id)
    return (await session.scalars(query)).all()


def write_measure(row: MeasureRow, measure: Measure) -> None:
    for name in _MEASURE:
        setattr(row, name, getattr(measure, name))
    row.comparable = orjson.dumps(measure.comparable).decode()
    row.budget = None if measure.budget is None else f"{measure.budget:f}"


def measure_of(row: MeasureRow) -> Measure:
    return Measure(
        **{name: getattr(row, name) for name in _MEASURE},
        comparable=tuple(orjson.loads(row.comparable)),
        budget=None if row.budget is None else Decimal(row.budget),
    )


def write_task(row: TaskRow, task: Task) -> None:
    for name in _TASK:
        setattr(row, name, getattr(task, name))


def task_of(row: TaskRow) -> Task:
    return Task(**{name: getattr(row, name) for name in _TASK})


# --- commendations ---


async def commendation(tx: AsyncSession, id: str) -> CommendationRow | None:
    return (await tx.scalars(select(CommendationRow).where(COMMENDATION.c.id == id).with_for_update())).first()


async def commendations(
    session: AsyncSession, *, department: str | None, branch: str | None, after: str | None, limit: int
) -> Sequence[CommendationRow]:
    """Commendations, newest first, from behind `after` on."""
    query = _page(select(CommendationRow), COMMENDATION, after, limit)
    query = _having(query, (COMMENDATION.c.department, department), (COMMENDATION.c.branch, branch))
    return (await session.scalars(query)).all()


def _page(query: Select[Any], table: Table, after: str | None, limit: int) -> Select[Any]:
    """Newest first: ids rise with time."""
    query = query.order_by(table.c.id.desc()).limit(limit)
    return query if after is None else query.where(table.c.id < after)


def _having(query: Select[Any], *wanted: tuple[Any, str | None]) -> Select[Any]:
    for column, value in wanted:
        if value is not None:
            query = query.where(column == value)
    return query
