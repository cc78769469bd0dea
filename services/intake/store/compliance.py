"""What compliance checks ask. Each query rests on an index that holds little else than what it looks for."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import RowMapping, and_, column, func, or_, select, text, values
from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.store.base import READS, tables
from services.intake.store.complaint import Complaint, Progress
from services.intake.store.privacy import Hold, Vulnerability
from shared.db import UtcDateTime

Spans = Sequence[tuple[datetime, datetime]]
_audit = tables.audit
_complaint: Any = Complaint.__table__  # type: ignore[attr-defined]
_progress: Any = Progress.__table__  # type: ignore[attr-defined]
_hold: Any = Hold.__table__  # type: ignore[attr-defined]
_vulnerability: Any = Vulnerability.__table__  # type: ignore[attr-defined]


async def many_reads(tx: AsyncSession, days: Spans, least: int) -> Sequence[RowMapping]:
    """Who looked at personal data at least so often on which of these days: since, actor, reads."""
    day = _spans(days)
    query = (
        select(day.c.since, _audit.c.actor, func.count().label("reads"))
        .join(_audit, and_(_audit.c.at >= day.c.since, _audit.c.at < day.c.until, text(READS)))
        .group_by(day.c.since, _audit.c.actor)
        .having(func.count() >= least)
    )
    return (await tx.execute(query)).mappings().all()


async def reads_within(
    tx: AsyncSession, nights: Spans, after: tuple[datetime, int] | None, limit: int
) -> Sequence[RowMapping]:
    """Each look at personal data within one of these spans, newest first: seq, at, actor, action, subject."""
    night = _spans(nights)
    query = select(_audit.c.seq, _audit.c.at, _audit.c.actor, _audit.c.action, _audit.c.subject).join(
        night, and_(_audit.c.at >= night.c.since, _audit.c.at < night.c.until, text(READS))
    )
    if after is not None:
        at, seq = after
        query = query.where(or_(_audit.c.at < at, and_(_audit.c.at == at, _audit.c.seq < seq)))
    query = query.order_by(_audit.c.at.desc(), _audit.c.seq.desc()).limit(limit)
    return (await tx.execute(query)).mappings().all()


async def unheard(tx: AsyncSession, first_id: str, end_id: str, limit: int) -> Sequence[RowMapping]:
    """Complaints with ids from `first_id` until before `end_id` of which no other service has told anything."""
    known = select(_progress.c.complaint_id).where(_progress.c.complaint_id == _complaint.c.id).exists()
    query = select(_complaint.c.id, _complaint.c.reference, _complaint.c.channel, _complaint.c.created_at)
    query = query.where(_complaint.c.id >= first_id, _complaint.c.id < end_id, ~known)
    return (await tx.execute(query.order_by(_complaint.c.id.desc()).limit(limit))).mappings().all()


async def holds(tx: AsyncSession, since: datetime, until: datetime) -> Sequence[RowMapping]:
    """Holds placed in that time that are still there. They are few, so their complaints are looked up one by one: a
    join may begin at the complaints."""
    reference = select(_complaint.c.reference).where(_complaint.c.id == _hold.c.complaint_id).scalar_subquery()
    query = select(_hold.c.complaint_id, _hold.c.placed_at, _hold.c.placed_by, reference.label("reference"))
    query = query.where(_hold.c.placed_at >= since, _hold.c.placed_at < until)
    return (await tx.execute(query)).mappings().all()


async def unreviewed(tx: AsyncSession, since: date, until: date, limit: int) -> Sequence[RowMapping]:
    """Vulnerabilities that were to be looked at again in that time, both days included, and were not."""
    found = _vulnerability.c
    query = select(found.id, found.complaint_id, found.review_on, found.noted_by, _complaint.c.reference)
    query = query.join(_complaint, _complaint.c.id == found.complaint_id)
    query = query.where(found.review_on >= since, found.review_on <= until, found.lifted_at.is_(None))
    return (await tx.execute(query.order_by(found.review_on.desc(), found.id.desc()).limit(limit))).mappings().all()


def _spans(spans: Spans) -> Any:
    return values(column("since", UtcDateTime), column("until", UtcDateTime), name="span").data(list(spans)).cte("span")
