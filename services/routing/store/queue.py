"""What the officers' queue needs: the clocks of cases, the queue itself, saved views, what was done to many at once."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Text, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.routing.store.base import Base, tables, time
from services.routing.store.case import CLOSED, OPEN, table


class CaseClock(Base, table=True):
    """A clock of a complaint as sla told of it. `steps`: JSON, step -> deadline, those not taken. `waiting`: it was
    heard of before its case was there. `changed_at` lets open queues see that something moved."""

    __tablename__ = "case_clock"

    clock_id: str = Field(primary_key=True, max_length=64)
    complaint_id: str = Field(max_length=36, index=True)
    primary: bool
    paused: bool = False
    waiting: bool = False
    steps: str = Field(default="{}", sa_column=Column(Text, nullable=False))
    changed_at: datetime = time(nullable=False)


class QueueView(Base, table=True):
    """A person's own choice of filters under a name. `query` is that of the page's address."""

    __tablename__ = "queue_view"

    id: str = Field(primary_key=True, max_length=36)
    owner: str = Field(max_length=100, index=True)
    name: str = Field(max_length=60)
    query: str = Field(max_length=1000)
    made_at: datetime = time(nullable=False)


class BulkAction(Base, table=True):
    """What a person did to several cases at once, so that they can look at it and take it back. `items` is JSON."""

    __tablename__ = "bulk_action"

    id: str = Field(primary_key=True, max_length=36)
    actor: str = Field(max_length=100, index=True)
    verb: str = Field(max_length=20)
    items: str = Field(sa_column=Column(Text, nullable=False))
    done_at: datetime = time(nullable=False)
    undone_at: datetime | None = time()


clock: Any = CaseClock.__table__  # type: ignore[attr-defined]
view: Any = QueueView.__table__  # type: ignore[attr-defined]
bulk: Any = BulkAction.__table__  # type: ignore[attr-defined]
_WAITS = text("waiting")
Index("case_clock_waiting", clock.c.complaint_id, sqlite_where=_WAITS, postgresql_where=_WAITS)
Index("case_clock_changed", clock.c.changed_at)

FILTERS = ("state", "category", "severity", "channel", "branch", "language")
_SHOWN = (
    *("complaint_id", "reference", "version", "received_at", "state", "department", "category", "severity", "channel"),
    *("product", "branch", "language", "vulnerable", "assignee", "next_due_at", "next_step", "due_key", "sort_key"),
    *("escalation_level", "disputed_at", "withdrawn_at"),
)
_COLUMNS = [table.c[name] for name in _SHOWN]
_READS = ("case.read", "case.history_read", "case.consults_read", "case.letters_read")


async def listed(
    tx: AsyncSession,
    *,
    departments: Collection[str] | None = None,
    assignee: str | None = None,
    unassigned: bool = False,
    filters: Mapping[str, str],
    vulnerable: bool = False,
    after: str | None,
    limit: int,
) -> list[Any]:
    """Cases that are not closed, the most urgent first; closed ones (where `filters` ask for them) newest first.
    `after`: the `due_key`, or for closed ones the `sort_key`, of the last one seen."""
    closed = filters.get("state") == "closed"
    query = select(*_COLUMNS).limit(limit)
    query = query.where(CLOSED if closed else OPEN)  # word for word as the indexes have it
    if departments is not None:
        query = query.where(table.c.department.in_(departments))
    if assignee is not None:
        query = query.where(table.c.assignee == assignee)
    if unassigned:
        query = query.where(table.c.assignee.is_(None))
    for name, value in filters.items():
        query = query.where(table.c[name] == value)
    if vulnerable:
        query = query.where(table.c.vulnerable.is_(True))
    if closed:
        query = query.where(table.c.sort_key < after) if after else query
        return list((await tx.execute(query.order_by(table.c.sort_key.desc()))).all())
    query = query.where(table.c.due_key > after) if after else query
    return list((await tx.execute(query.order_by(table.c.due_key))).all())


async def referred(tx: AsyncSession, reference: str) -> str | None:
    """The complaint of a reference."""
    found: str | None = await tx.scalar(select(table.c.complaint_id).where(table.c.reference == reference).limit(1))
    return found


async def clocks(tx: AsyncSession, ids: Collection[str]) -> list[CaseClock]:
    """The clocks of these complaints."""
    query = select(CaseClock).where(clock.c.complaint_id.in_(ids)).order_by(clock.c.clock_id)
    return list((await tx.scalars(query)).all())


async def overtaken(tx: AsyncSession, limit: int) -> list[str]:
    """Complaints whose clocks still wait although their case is open by now."""
    query = (
        select(clock.c.complaint_id)
        .join(table, table.c.complaint_id == clock.c.complaint_id)
        .where(text("waiting"))
        .order_by(clock.c.complaint_id)
        .limit(limit)
    )
    return list(dict.fromkeys((await tx.scalars(query)).all()))


async def views(tx: AsyncSession, owner: str) -> Sequence[QueueView]:
    return (await tx.scalars(select(QueueView).where(view.c.owner == owner).order_by(view.c.id))).all()


async def old_actions(tx: AsyncSession, actor: str, before: datetime) -> Sequence[BulkAction]:
    return (await tx.scalars(select(BulkAction).where(bulk.c.actor == actor, bulk.c.done_at < before))).all()


async def head(tx: AsyncSession) -> int:
    """The number of the last thing that was done to any case."""
    return int(await tx.scalar(select(func.max(tables.audit_head.c.seq))) or 0)


async def done_since(tx: AsyncSession, seq: int, limit: int) -> list[Any]:
    """What was done to cases since then: number, complaint, detail. Reading one does nothing to it."""
    audit = tables.audit
    query = (
        select(audit.c.seq, audit.c.subject, audit.c.detail)
        .where(audit.c.seq > seq, audit.c.action.startswith("case."), audit.c.action.not_in(_READS))
        .order_by(audit.c.seq)
        .limit(limit)
    )
    return list((await tx.execute(query)).all())


async def moved_since(tx: AsyncSession, since: datetime, limit: int) -> list[str]:
    """Complaints a clock of which has changed since then."""
    query = select(clock.c.complaint_id).where(clock.c.changed_at >= since).order_by(clock.c.changed_at.desc())
    return list((await tx.scalars(query.limit(limit))).all())


async def owners(tx: AsyncSession, ids: Collection[str]) -> dict[str, tuple[str, str | None]]:
    """Complaint -> the department and the officer it belongs to."""
    query = select(table.c.complaint_id, table.c.department, table.c.assignee).where(table.c.complaint_id.in_(ids))
    return {id: (department, assignee) for id, department, assignee in (await tx.execute(query)).all()}
