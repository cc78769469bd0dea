"""Reporting's tables and how they are written. Never commits. `figures` reads the counters."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Integer, MetaData, Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel

from services.reporting.domain.counting import Cell, Deadline, Fact, Margin, Volume
from shared.db import SystemTables, UtcDateTime

metadata = MetaData()


class Base(SQLModel):
    metadata = metadata


tables = SystemTables(metadata)


def _time() -> Any:
    return Field(None, sa_type=UtcDateTime)


class ComplaintFact(Base, table=True):
    """One row a complaint: `domain.Fact`, and its status for whoever looks at the table."""

    __tablename__ = "complaint_fact"

    complaint_id: str = Field(primary_key=True, max_length=64)
    day: date | None = None
    received_at: datetime | None = _time()
    imported: bool = False
    channel: str | None = Field(None, max_length=64)
    product: str | None = Field(None, max_length=64)
    branch: str | None = Field(None, max_length=64)
    language: str | None = Field(None, max_length=35)
    category: str | None = Field(None, max_length=64)
    severity: str | None = Field(None, max_length=20)
    classified_at: datetime | None = _time()
    department: str | None = Field(None, max_length=64)
    routed_at: datetime | None = _time()
    assigned_at: datetime | None = _time()
    acknowledged_at: datetime | None = _time()
    responded_at: datetime | None = _time()
    outcome: str | None = Field(None, max_length=20)
    resolved_at: datetime | None = _time()
    closed_at: datetime | None = _time()
    escalation_level: int = 0
    steps: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    status: str = Field(max_length=20)


def _count() -> Any:
    return Field(sa_column=Column(BigInteger().with_variant(Integer(), "sqlite"), nullable=False))


class VolumeCount(Base, table=True):
    """How many complaints are in one cell (`domain.Volume`); the day comes first, as every figure is of a period."""

    __tablename__ = "volume"
    __table_args__ = {"sqlite_with_rowid": False}

    day: date = Field(primary_key=True)
    channel: str = Field(primary_key=True, max_length=64)
    category: str = Field(primary_key=True, max_length=64)
    department: str = Field(primary_key=True, max_length=64)
    outcome: str = Field(primary_key=True, max_length=20)
    count: int = _count()


class DeadlineCount(Base, table=True):
    """How many deadlines are in one cell (`domain.Deadline`)."""

    __tablename__ = "deadline_count"
    __table_args__ = {"sqlite_with_rowid": False}

    day: date = Field(primary_key=True)
    channel: str = Field(primary_key=True, max_length=64)
    category: str = Field(primary_key=True, max_length=64)
    department: str = Field(primary_key=True, max_length=64)
    step: str = Field(primary_key=True, max_length=20)
    result: str = Field(primary_key=True, max_length=20)
    count: int = _count()


class MarginCount(Base, table=True):
    """How many complaints, or deadlines, are in one cell of a single dimension (`domain.Margin`)."""

    __tablename__ = "margin"
    __table_args__ = {"sqlite_with_rowid": False}

    dimension: str = Field(primary_key=True, max_length=20)
    day: date = Field(primary_key=True)
    code: str = Field(primary_key=True, max_length=64)
    count: int = _count()


facts: Table = ComplaintFact.__table__  # type: ignore[attr-defined]
volume: Table = VolumeCount.__table__  # type: ignore[attr-defined]
deadlines: Table = DeadlineCount.__table__  # type: ignore[attr-defined]
margins: Table = MarginCount.__table__  # type: ignore[attr-defined]
COUNTERS: dict[type[Cell], Table] = {Volume: volume, Deadline: deadlines, Margin: margins}

_FIELDS = tuple(f.name for f in fields(Fact))


async def hold(tx: AsyncSession, ids: Collection[str]) -> dict[str, Fact]:
    """The facts of complaints `ids`, new where there were none, held for this transaction: whoever else would change
    one of them waits. All holders come by in the order of the ids, so none waits for another in a circle."""
    ordered = sorted(set(ids))
    blank = _insert(tx, facts).on_conflict_do_nothing()
    await tx.execute(blank, [_row(Fact(id)) for id in ordered])
    query = select(*(facts.c[name] for name in _FIELDS)).where(facts.c.complaint_id.in_(ordered))
    found = (await tx.execute(query.order_by(facts.c.complaint_id).with_for_update())).all()
    return {row.complaint_id: Fact(*row) for row in found}


async def save(tx: AsyncSession, changed: Sequence[Fact]) -> None:
    """Write `changed` facts, which are held."""
    if not changed:
        return
    statement = _insert(tx, facts)
    values = {c.name: c for c in statement.excluded if c.name != "complaint_id"}
    upsert = statement.on_conflict_do_update(index_elements=["complaint_id"], set_=values)
    await tx.execute(upsert, [_row(fact) for fact in changed])


async def move(tx: AsyncSession, changes: Mapping[Cell, int]) -> None:
    """Move the counters, cells in order: two that count at the same time never wait for each other in a circle."""
    for kind, table in COUNTERS.items():
        moved = sorted((cell, by) for cell, by in changes.items() if isinstance(cell, kind))
        if moved:
            rows = [{**cell._asdict(), "count": by} for cell, by in moved]
            statement = _insert(tx, table)
            added = {"count": table.c["count"] + statement.excluded["count"]}
            await tx.execute(statement.on_conflict_do_update(index_elements=[*table.primary_key], set_=added), rows)


def _row(fact: Fact) -> dict[str, Any]:
    return {**{name: getattr(fact, name) for name in _FIELDS}, "status": fact.status}


def _insert(tx: AsyncSession, table: Table) -> Any:
    """An INSERT that may say what to do on conflict; SQLite and PostgreSQL say it alike, SQLAlchemy does not."""
    dialect = sqlite if tx.get_bind().dialect.name == "sqlite" else postgresql
    return dialect.insert(table)
