"""What compliance checks ask: what was made, published and planned, and when."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy import RowMapping, Table, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.store.base import tables
from services.reporting.store.goals import MeasureRow
from services.reporting.store.publications import PUBLICATION
from services.reporting.store.reports import DONE
from services.reporting.store.reports import table as report

_measure: Table = MeasureRow.__table__  # type: ignore[attr-defined]
_audit = tables.audit


async def made(session: AsyncSession, months: Collection[date]) -> dict[tuple[date, str], datetime]:
    """When the report of a month was first there in a language."""
    query = (
        select(report.c.month, report.c.language, func.min(report.c.moved_at))
        .where(report.c.month.in_(months), report.c.state == DONE)
        .group_by(report.c.month, report.c.language)
    )
    return {(month, language): at for month, language, at in (await session.execute(query)).all()}


async def published(session: AsyncSession) -> dict[str, datetime]:
    """When each summary was published, by its period's code; a few a year."""
    rows = await session.execute(select(PUBLICATION.c.period, PUBLICATION.c.published_at))
    return {str(row.period): row.published_at for row in rows}


async def returns_made(session: AsyncSession, names: Collection[str], limit: int) -> Sequence[RowMapping]:
    """When these returns were made, the last ones: name (`subject`), `at`, `detail`."""
    query = select(_audit.c.subject, _audit.c.at, _audit.c.detail)
    query = query.where(_audit.c.subject.in_(names), _audit.c.action == "return.made")
    return (await session.execute(query.order_by(_audit.c.seq.desc()).limit(limit))).mappings().all()


async def overdue(session: AsyncSession, since: date, until: date) -> Sequence[RowMapping]:
    """Measures that were to end in that time, both days included, and are neither done nor dropped; a plan is short."""
    columns = (_measure.c.id, _measure.c.title, _measure.c.owner_department, _measure.c.ends_on, _measure.c.status)
    query = select(*columns).where(_measure.c.ends_on >= since, _measure.c.ends_on <= until)
    return (await session.execute(query.where(_measure.c.status.in_(("planned", "running"))))).mappings().all()
