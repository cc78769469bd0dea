"""SLA's tables and queries. Never commits.

Two kinds of transaction meet in these tables: consumers, who bring facts, and engines, who do what is due. A consumer
locks its complaints' clocks in order of their ids, then their steps, and waits; an engine takes only steps that nobody
holds, and waits for nobody. So neither blocks the other for good, and each sees what the other has done. On SQLite the
one write transaction does the same.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Column, Date, ForeignKey, Index, MetaData, String, Table, Text, bindparam, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel

from services.sla.domain.clock import Clock, Facts, State, Step, Watch
from services.sla.domain.policy import Authority, Escalation, Limit
from shared.db import SystemTables, UtcDateTime
from shared.db.bulk import bulk_insert
from shared.events import StepName

metadata = MetaData()
tables = SystemTables(metadata)


class Base(SQLModel):
    metadata = metadata


def _moment(*, nullable: bool = True) -> Any:
    return Field(None, sa_column=Column(UtcDateTime, nullable=nullable))


class ClockRow(Base, table=True):
    """One complaint: what is known of it, from whichever event came first, and its clock once that has begun."""

    __tablename__ = "clock"

    complaint_id: str = Field(primary_key=True, max_length=64)
    received_at: datetime | None = _moment()
    jurisdiction: str | None = Field(None, max_length=100)
    imported: bool
    department: str | None = Field(None, max_length=100, index=True)
    routed_at: datetime | None = _moment()
    assignee: str | None = Field(None, max_length=200)
    assigned_at: datetime | None = _moment()
    acknowledged_at: datetime | None = _moment()
    responded_at: datetime | None = _moment()
    final_response_at: datetime | None = _moment()
    resolved_at: datetime | None = _moment()
    withdrawn_at: datetime | None = _moment()
    closed_at: datetime | None = _moment()
    last_closed_at: datetime | None = _moment()
    governs_from: datetime | None = _moment()
    clock_id: str | None = Field(None, max_length=36, unique=True)
    pack: str | None = Field(None, max_length=40)
    pack_version: str | None = Field(None, max_length=40)
    pack_reason: str | None = Field(None, sa_column=Column(Text))
    zone: str | None = Field(None, max_length=64)
    opened_at: datetime | None = _moment()


class StepRow(Base, table=True):
    """One deadline, with a copy of its rule, so that it stays explained whatever becomes of the pack.

    `next_at`: see `domain.clock.Step`. `state` repeats what the times say, for queries.
    """

    __tablename__ = "step"

    complaint_id: str = Field(sa_column=Column(String(64), ForeignKey("clock.complaint_id"), primary_key=True))
    name: str = Field(primary_key=True, max_length=20)
    length: int
    unit: str = Field(max_length=20)
    count_from: str = Field(max_length=20)
    source: str = Field(sa_column=Column(Text, nullable=False))
    article: str = Field(sa_column=Column(Text, nullable=False))
    confirmed: bool
    effective_from: date = Field(sa_column=Column(Date, nullable=False))
    escalation_level: int | None = None
    escalation_role: str | None = Field(None, max_length=20)
    due_at: datetime = _moment(nullable=False)
    warn_at: datetime | None = _moment()
    next_at: datetime | None = _moment()
    historic: bool
    state: str = Field(max_length=10)
    warned_at: datetime | None = _moment()
    missed_at: datetime | None = _moment()
    escalated_at: datetime | None = _moment()
    met_at: datetime | None = _moment()


CLOCK: Table = metadata.tables["clock"]
STEP: Table = metadata.tables["step"]
_acts = STEP.c.next_at.is_not(None)
Index("step_next", STEP.c.next_at, postgresql_where=_acts, sqlite_where=_acts)
_open = STEP.c.met_at.is_(None) & STEP.c.historic.is_(False)
Index("step_open", STEP.c.due_at, STEP.c.complaint_id, STEP.c.name, postgresql_where=_open, sqlite_where=_open)
Index("step_state", STEP.c.state, STEP.c.complaint_id, STEP.c.name)

_FACTS = (
    "received_at",
    "jurisdiction",
    "imported",
    "department",
    "routed_at",
    "assignee",
    "assigned_at",
    "acknowledged_at",
    "responded_at",
    "final_response_at",
    "resolved_at",
    "withdrawn_at",
    "closed_at",
    "last_closed_at",
    "governs_from",
)
_HEADER = ("pack", "pack_version", "pack_reason", "zone", "opened_at")
_MOVING = ("due_at", "warn_at", "next_at", "state", "warned_at", "missed_at", "escalated_at", "met_at")
_STEP_COLUMNS = tuple(STEP.columns.keys())

_UPDATE_CLOCK = (
    update(CLOCK)
    .where(CLOCK.c.complaint_id == bindparam("its_id"))
    .values({name: bindparam(f"new_{name}") for name in (*_FACTS, "clock_id", *_HEADER)})
)
_UPDATE_STEP = (
    update(STEP)
    .where(STEP.c.complaint_id == bindparam("its_id"), STEP.c.name == bindparam("its_name"))
    .values({name: bindparam(f"new_{name}") for name in _MOVING})
)


@dataclass(frozen=True, slots=True)
class Due:
    """A step about which something is due, with the clock that it belongs to."""

    complaint_id: str
    clock_id: str
    step: Step


@dataclass(frozen=True, slots=True)
class OpenStep:
    """A step not yet taken, and who is in charge of it."""

    complaint_id: str
    department: str | None
    assignee: str | None
    step: Step


async def take(tx: AsyncSession, complaint_ids: Collection[str]) -> dict[str, Watch]:
    """These complaints, locked for this unit of work; one that is new here begins with nothing known.

    Three statements, however many complaints. First every row is made that is not there: whoever brings the first
    event of a complaint at the same moment waits here for the other, so that neither misses the other's fact.
    """
    ids = sorted(complaint_ids)
    insert = sqlite.insert if tx.get_bind().dialect.name == "sqlite" else postgresql.insert
    blank = [{"complaint_id": id, "imported": False} for id in ids]
    await tx.execute(insert(CLOCK).on_conflict_do_nothing(), blank)
    clocks = select(CLOCK).where(CLOCK.c.complaint_id.in_(ids)).order_by(CLOCK.c.complaint_id)
    steps = select(STEP).where(STEP.c.complaint_id.in_(ids)).order_by(STEP.c.complaint_id, STEP.c.name)
    heads = (await tx.execute(clocks.with_for_update())).mappings().all()
    return _watches(heads, (await tx.execute(steps.with_for_update())).mappings().all())


async def save(tx: AsyncSession, before: Mapping[str, Watch], after: Mapping[str, Watch]) -> None:
    """Write what has changed between `before`, as taken, and `after`: at most three statements."""
    changed = [w for id, w in after.items() if w is not before[id]]
    heads = [_head(w) for w in changed if w.facts != before[w.complaint_id].facts]  # a clock begins with a new fact
    if heads:
        await tx.execute(_UPDATE_CLOCK, heads)
    fresh: list[tuple[Any, ...]] = []
    moved: list[tuple[str, Step]] = []
    for watch in changed:
        if watch.clock is None:
            continue
        old = before[watch.complaint_id].clock
        if old is None:
            fresh.extend(_step_values(watch.complaint_id, step) for step in watch.clock.steps)
        else:
            pairs = zip(old.steps, watch.clock.steps, strict=True)
            moved.extend((watch.complaint_id, new) for known, new in pairs if new is not known)
    await bulk_insert(await tx.connection(), STEP, _STEP_COLUMNS, fresh)
    await save_steps(tx, moved)


async def next_due(session: AsyncSession, now: datetime) -> datetime | None:
    """When the longest overdue action should have been done; None when nothing is due."""
    query = select(STEP.c.next_at).where(STEP.c.next_at <= now).order_by(STEP.c.next_at).limit(1)
    found: datetime | None = (await session.execute(query)).scalar_one_or_none()
    return found


async def claim_due(tx: AsyncSession, now: datetime, limit: int) -> list[Due]:
    """The `limit` longest overdue steps that no other transaction holds, locked for this one, the oldest first."""
    query = (
        select(STEP, CLOCK.c.clock_id)
        .join(CLOCK, CLOCK.c.complaint_id == STEP.c.complaint_id)
        .where(STEP.c.next_at <= now)
        .order_by(STEP.c.next_at, STEP.c.complaint_id)
        .limit(limit)
        .with_for_update(of=STEP, skip_locked=True)
    )
    return [Due(r["complaint_id"], r["clock_id"], _step(r)) for r in (await tx.execute(query)).mappings()]


async def save_steps(tx: AsyncSession, moved: Iterable[tuple[str, Step]]) -> None:
    """Write where steps, each with its complaint's id, have come to."""
    rows = [
        {"its_id": id, "its_name": step.name, **{f"new_{name}": getattr(step, name) for name in _MOVING}}
        for id, step in moved
    ]
    if rows:
        await tx.execute(_UPDATE_STEP, rows)


def clock_ids() -> Any:
    """A column with the complaint of every clock that has begun, once each; for reconciling."""
    return select(CLOCK.c.complaint_id).where(CLOCK.c.clock_id.is_not(None)).subquery("begun").c.complaint_id


async def watch(session: AsyncSession, complaint_id: str) -> Watch | None:
    """One complaint whose clock has begun."""
    found = await _read(session, [complaint_id])
    return found[0] if found and found[0].clock else None


async def page(
    session: AsyncSession, *, state: State | None, step: StepName | None, after: str | None, limit: int
) -> Sequence[Watch]:
    """Complaints whose clock has begun, the newest ids first, beginning below `after`.

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
    ids = (await session.scalars(query)).all()
    return await _read(session, ids)


async def at_risk(
    session: AsyncSession, *, department: str | None, after: tuple[datetime, str, str] | None, limit: int
) -> Sequence[OpenStep]:
    """Steps not yet taken, the least time left first, beginning behind `after` (due_at, complaint id, step).

    Deadlines that had lapsed before a complaint was imported are left out: nobody can act on them.
    """
    query = (
        select(STEP, CLOCK.c.department, CLOCK.c.assignee)
        .join(CLOCK, CLOCK.c.complaint_id == STEP.c.complaint_id)
        .where(_open)
        .order_by(STEP.c.due_at, STEP.c.complaint_id, STEP.c.name)
        .limit(limit)
    )
    if department is not None:
        query = query.where(CLOCK.c.department == department)
    if after is not None:
        query = query.where(tuple_(STEP.c.due_at, STEP.c.complaint_id, STEP.c.name) > after)
    rows = (await session.execute(query)).mappings()
    return [OpenStep(r["complaint_id"], r["department"], r["assignee"], _step(r)) for r in rows]


async def _read(session: AsyncSession, ids: Sequence[str]) -> list[Watch]:
    """These complaints in this order, without locking them."""
    clocks = (await session.execute(select(CLOCK).where(CLOCK.c.complaint_id.in_(ids)))).mappings().all()
    steps = (await session.execute(select(STEP).where(STEP.c.complaint_id.in_(ids)))).mappings().all()
    found = _watches(clocks, steps)
    return [found[id] for id in ids if id in found]


def _watches(heads: Sequence[Mapping[Any, Any]], steps: Sequence[Mapping[Any, Any]]) -> dict[str, Watch]:
    by_complaint: dict[str, list[Step]] = {}
    for row in steps:
        by_complaint.setdefault(row["complaint_id"], []).append(_step(row))
    found = {}
    for row in heads:
        id = row["complaint_id"]
        clock = None
        if row["clock_id"] is not None:
            ordered = sorted(by_complaint.get(id, ()), key=lambda s: (s.due_at, s.name))
            header = {name: row[name] for name in _HEADER}
            clock = Clock(id=row["clock_id"], **header, steps=tuple(ordered))
        found[id] = Watch(id, Facts(**{name: row[name] for name in _FACTS}), clock)
    return found


def _step(row: Mapping[Any, Any]) -> Step:
    level = row["escalation_level"]
    return Step(
        name=row["name"],
        limit=Limit(row["length"], row["unit"], row["count_from"]),
        authority=Authority(row["source"], row["article"], row["confirmed"], row["effective_from"]),
        escalation=Escalation(level, row["escalation_role"]) if level is not None else None,
        due_at=row["due_at"],
        warn_at=row["warn_at"],
        next_at=row["next_at"],
        historic=row["historic"],
        warned_at=row["warned_at"],
        missed_at=row["missed_at"],
        escalated_at=row["escalated_at"],
        met_at=row["met_at"],
    )


def _head(watch: Watch) -> dict[str, Any]:
    clock = watch.clock
    return {
        "its_id": watch.complaint_id,
        **{f"new_{name}": getattr(watch.facts, name) for name in _FACTS},
        "new_clock_id": clock.id if clock else None,
        **{f"new_{name}": getattr(clock, name) if clock else None for name in _HEADER},
    }


def _step_values(complaint_id: str, step: Step) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    escalation = step.escalation
    known = {
        "complaint_id": complaint_id,
        "length": step.limit.length,
        "unit": step.limit.unit,
        "count_from": step.limit.count_from,
        "source": step.authority.source,
        "article": step.authority.article,
        "confirmed": step.authority.confirmed,
        "effective_from": step.authority.effective_from,
        "escalation_level": escalation.level if escalation else None,
        "escalation_role": escalation.role if escalation else None,
    }
    return tuple(known[name] if name in known else getattr(step, name) for name in _STEP_COLUMNS)
