"""Cases: their table and queries."""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Index, Numeric, Text, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.routing.store.base import Base, time


class ComplaintCase(Base, table=True):
    """One case for each complaint. `version` rises with each change and is the case's ETag.

    `narrative` is the redacted one of the event. `sort_key` orders lists: receipt, then id. `decided_by` says whether
    rules, a model (`model`: its version) or a person named the category. `proposed`, `about`, `explanation` are JSON.
    `next_due_at` and `next_step` are what sla's clocks ask for next; `due_key` orders the queue by them, then by id.
    """

    __tablename__ = "complaint_case"

    complaint_id: str = Field(primary_key=True, max_length=36)
    version: int
    reference: str = Field(max_length=20)
    channel: str = Field(max_length=20)
    received_at: datetime = time(nullable=False)
    sort_key: str = Field(max_length=70)
    state: str = Field(max_length=20)
    department: str = Field(max_length=40)
    routing_reason: str = Field(max_length=500)
    category: str = Field(max_length=40)
    severity: str = Field(max_length=20)
    confidence: float
    rules: str = Field(sa_column=Column(Text, nullable=False))
    narrative: str = Field(sa_column=Column(Text, nullable=False))
    product: str | None = Field(default=None, max_length=64)
    branch: str | None = Field(default=None, max_length=64)
    language: str | None = Field(default=None, max_length=10)
    amount: Decimal | None = Field(default=None, sa_column=Column(Numeric(18, 4)))
    currency: str | None = Field(default=None, max_length=3)
    desired_outcome: str | None = Field(default=None, sa_column=Column(Text))
    imported: bool = False
    assignee: str | None = Field(default=None, max_length=100)
    assigned_at: datetime | None = time()
    acknowledged_at: datetime | None = time()
    holding_response_at: datetime | None = time()
    final_response_at: datetime | None = time()
    resolved_at: datetime | None = time()
    closed_at: datetime | None = time()
    outcome: str | None = Field(default=None, max_length=20)
    root_cause: str | None = Field(default=None, max_length=40)
    redress_value: Decimal | None = Field(default=None, sa_column=Column(Numeric(18, 4)))
    redress_currency: str | None = Field(default=None, max_length=3)
    no_redress_reason: str | None = Field(default=None, max_length=40)
    escalation_level: int = 0
    escalation_role: str | None = Field(default=None, max_length=20)
    decided_by: str = Field(default="rules", max_length=10)
    model: str | None = Field(default=None, max_length=80)
    explanation: str = Field(default="{}", sa_column=Column(Text, nullable=False))
    customer_ref: str | None = Field(default=None, max_length=80)
    vulnerable: bool = False
    about: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    waiting_since: datetime | None = time()
    proposed: str | None = Field(default=None, sa_column=Column(Text))
    proposed_by: str | None = Field(default=None, max_length=100)
    proposed_at: datetime | None = time()
    approved_by: str | None = Field(default=None, max_length=100)
    approved_at: datetime | None = time()
    delivered_via: str | None = Field(default=None, max_length=20)
    delivered_at: datetime | None = time()
    rights_told: bool = False
    reopened: int = 0
    withdrawn_at: datetime | None = time()
    disputed_at: datetime | None = time()
    incident_id: str | None = Field(default=None, max_length=36)
    jurisdiction: str | None = Field(default=None, max_length=20)
    next_due_at: datetime | None = time()
    next_step: str | None = Field(default=None, max_length=20)
    due_key: str = Field(max_length=70)


Row = dict[str, Any]
"""Columns of `complaint_case` and their values."""

table: Any = ComplaintCase.__table__  # type: ignore[attr-defined]
OPEN = text("complaint_case.state <> 'closed'")
"""What the queue's indexes hold; a query that says it word for word may use them."""
_OPEN = text("state <> 'closed'")
CLOSED = text("complaint_case.state = 'closed'")
_CLOSED = text("state = 'closed'")
# what a queue may be narrowed by is in the index: a filter that hardly anything meets need not look at all rows
_BY = [table.c[name] for name in ("state", "category", "severity", "channel", "branch", "language", "vulnerable")]
Index("complaint_case_due", table.c.due_key, *_BY, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index(
    "complaint_case_due_department",
    table.c.department,
    table.c.due_key,
    *_BY,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)
Index("complaint_case_due_assignee", table.c.assignee, table.c.due_key, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index("complaint_case_closed", table.c.sort_key, *_BY[1:], sqlite_where=_CLOSED, postgresql_where=_CLOSED)
Index("complaint_case_reference", table.c.reference)
Index("complaint_case_list", table.c.sort_key)
Index("complaint_case_queue", table.c.department, table.c.state, table.c.sort_key)
Index("complaint_case_assignee", table.c.assignee, table.c.sort_key)
Index("complaint_case_customer", table.c.customer_ref)
Index("complaint_case_incident", table.c.incident_id)
# Spelt out, not bound: a database uses an index of part of a table only where it sees that the query is of that part.
UNFINISHED = text("state NOT IN ('closed', 'resolved')")
"""Cases that somebody still has to decide."""
_PERSONS_TURN = text("state = 'triage' OR state = 'proposed'")
Index(
    "complaint_case_load",
    table.c.assignee,
    table.c.department,
    table.c.state,
    sqlite_where=UNFINISHED,
    postgresql_where=UNFINISHED,
)
Index(
    "complaint_case_turn",
    table.c.state,
    table.c.sort_key,
    sqlite_where=_PERSONS_TURN,
    postgresql_where=_PERSONS_TURN,
)
# For compliance checks. The first holds what can be amiss with a closed case, which is next to nothing.
AMISS = """closed_at IS NOT NULL AND (final_response_at IS NULL OR delivered_at IS NULL OR NOT rights_told
OR outcome IS NULL OR root_cause IS NULL OR approved_by = proposed_by OR about <> '[]')"""
ALONE = "closed_at IS NOT NULL AND approved_by IS NULL"
Index(
    "complaint_case_amiss",
    table.c.closed_at,
    table.c.complaint_id,
    sqlite_where=text(AMISS),
    postgresql_where=text(AMISS),
)
Index(
    "complaint_case_alone",
    table.c.closed_at,
    table.c.complaint_id,
    table.c.outcome,
    table.c.severity,
    table.c.redress_currency,
    table.c.redress_value,
    sqlite_where=text(ALONE),
    postgresql_where=text(ALONE),
)


class EarlyEscalation(Base, table=True):
    """An escalation heard of before the complaint itself; applied when the case opens."""

    __tablename__ = "early_escalation"

    complaint_id: str = Field(primary_key=True, max_length=36)
    level: int
    role: str = Field(max_length=20)


async def cases(tx: AsyncSession, ids: Collection[str], *, locked: bool = False) -> dict[str, ComplaintCase]:
    """Those of `ids` that have a case; `locked`: kept from others until the unit of work ends, in one order always."""
    query = select(ComplaintCase).where(table.c.complaint_id.in_(ids)).order_by(table.c.complaint_id)
    if locked:  # and read anew: what this unit of work has read before may have changed until it had the lock
        query = query.with_for_update().execution_options(populate_existing=True)
    return {c.complaint_id: c for c in await tx.scalars(query)}


async def insert(tx: AsyncSession, rows: Sequence[Row]) -> None:
    """Many new cases in one statement, past the ORM: constructing its objects would take half of the whole time."""
    if rows:
        await tx.execute(table.insert(), rows)


async def overtaken(tx: AsyncSession, limit: int) -> Sequence[EarlyEscalation]:
    """Escalations that still wait although their case is open by now."""
    early: Any = EarlyEscalation.__table__  # type: ignore[attr-defined]
    query = select(EarlyEscalation).join(table, table.c.complaint_id == early.c.complaint_id)
    return (await tx.scalars(query.order_by(early.c.complaint_id).limit(limit))).all()


async def early_escalations(tx: AsyncSession, ids: Collection[str]) -> dict[str, EarlyEscalation]:
    early: Any = EarlyEscalation.__table__  # type: ignore[attr-defined]
    found = await tx.scalars(select(EarlyEscalation).where(early.c.complaint_id.in_(ids)))
    return {e.complaint_id: e for e in found}


async def page(
    tx: AsyncSession,
    *,
    department: str | None,
    state: str | None,
    assignee: str | None,
    incident: str | None = None,
    after: str | None,
    limit: int,
) -> Sequence[ComplaintCase]:
    """Cases newest first, from the one after `after` (a sort key) on."""
    query = select(ComplaintCase)
    wanted = {"department": department, "state": state, "assignee": assignee, "incident_id": incident}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(table.c[name] == value)
    if after is not None:
        query = query.where(table.c.sort_key < after)
    return (await tx.scalars(query.order_by(table.c.sort_key.desc()).limit(limit))).all()


async def loads(tx: AsyncSession, officers: Collection[str]) -> dict[str, int]:
    """Officer -> how many cases they work on that are not closed."""
    query = select(table.c.assignee, func.count()).where(table.c.assignee.in_(officers), UNFINISHED)
    query = query.group_by(table.c.assignee)
    found = {str(officer): int(n) for officer, n in (await tx.execute(query)).all()}
    return {officer: found.get(officer, 0) for officer in officers}


async def earlier(tx: AsyncSession, refs: Collection[str], since: datetime) -> dict[str, int]:
    """Person (`customer_ref`) -> how many complaints of theirs came in since then."""
    query = (
        select(table.c.customer_ref, func.count())
        .where(table.c.customer_ref.in_(refs), table.c.received_at >= since)
        .group_by(table.c.customer_ref)
    )
    return {str(ref): int(n) for ref, n in (await tx.execute(query)).all()}
