"""Reports as they are ordered and kept. Never commits."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Column, LargeBinary, Table, Text, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import Field

from services.reporting.store.base import Base
from shared.db import UtcDateTime

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"
ABANDONED = timedelta(minutes=10)
"""Who has not moved a report on for so long is taken to be dead."""


class ReportRow(Base, table=True):
    """A management report of the month that begins with `month`, in one language. `progress` is 0 to 100; `document` is
    what it says, as JSON; `pdf` and `xlsx` are the files. Once done it is never changed."""

    __tablename__ = "report"

    id: str = Field(primary_key=True, max_length=36)
    month: date
    language: str = Field(max_length=10)
    state: str = Field(QUEUED, max_length=10, index=True)
    progress: int = 0
    ordered_by: str = Field(max_length=100)
    ordered_at: datetime = Field(sa_type=UtcDateTime)
    moved_at: datetime = Field(sa_type=UtcDateTime)
    error: str | None = Field(default=None, max_length=100)
    document: str | None = Field(default=None, sa_column=Column(Text))
    pdf: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    xlsx: bytes | None = Field(default=None, sa_column=Column(LargeBinary))


table: Table = ReportRow.__table__  # type: ignore[attr-defined]
_LIGHT = (defer(ReportRow.document), defer(ReportRow.pdf), defer(ReportRow.xlsx))  # type: ignore[arg-type]


async def claim(tx: AsyncSession, now: datetime) -> ReportRow | None:
    """The longest waiting report that nobody makes, locked for this unit of work; one that was left half made too."""
    waits = or_(table.c.state == QUEUED, and_(table.c.state == RUNNING, table.c.moved_at < now - ABANDONED))
    query = select(ReportRow).options(*_LIGHT).where(waits).order_by(table.c.ordered_at, table.c.id).limit(1)
    return (await tx.scalars(query.with_for_update(skip_locked=True))).first()


async def latest(session: AsyncSession, *, before: str | None, limit: int) -> Sequence[ReportRow]:
    """Reports without their contents, the latest ordered first; of those whose id comes before `before`."""
    query = select(ReportRow).options(*_LIGHT).order_by(table.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.id < before)
    return (await session.scalars(query)).all()


async def of_month(session: AsyncSession, month: date) -> set[str]:
    """The languages in which a report of a month has been ordered; one that failed is for people to order again."""
    query = select(table.c.language).where(table.c.month == month)
    return set((await session.scalars(query)).all())
