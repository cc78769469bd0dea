"""Reports are ordered, made in the background with progress, and kept."""

import asyncio
from datetime import date, datetime
from pathlib import Path

import structlog
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting import store
from services.reporting.domain import selection as periods
from services.reporting.domain.selection import Selection
from services.reporting.figures import reading
from services.reporting.reports import document, pdf, xlsx
from services.reporting.store import reports
from services.reporting.store.reports import DONE, FAILED, RUNNING, ReportRow
from shared import audit, i18n
from shared.clock import Clock
from shared.db import Database, is_outage
from shared.errors import FieldError, Invalid
from shared.i18n import Translator
from shared.ids import uuid7
from shared.settings import Settings

log = structlog.get_logger()
LOCALE = Path(__file__).parent.parent / "locale"
SCHEDULE = "schedule"
"""Who orders the reports that nobody has to order."""


class MonthNotOver(Invalid):
    """A report is of a month that is over."""

    code = "month_not_over"


def order(tx: AsyncSession, month: date, language: str, *, by: str, now: datetime, today: date) -> ReportRow:
    """Have a report made of the month in which `month` lies. Raises MonthNotOver."""
    first = month.replace(day=1)
    if periods.following(first, "month") > today:
        raise MonthNotOver(errors=(FieldError("month", "this month is not over"),))
    row = ReportRow(
        id=uuid7(), month=first, language=language, ordered_by=by, ordered_at=now, moved_at=now, state=reports.QUEUED
    )
    tx.add(row)
    detail = {"month": f"{first:%Y-%m}", "language": language}
    audit.add(tx, by, "report.ordered", row.id, now=now, detail=detail)
    return row


async def order_due(db: Database, clock: Clock, settings: Settings) -> int:
    """Order last month's report in each of the bank's languages, where nobody has; how many were ordered."""
    now = clock()
    today = now.astimezone(settings.zone).date()
    month = periods.following(today, "month", -1)
    async with db.reading() as session:
        await reading.agree(session)
        first = await reading.over_time(session, "received", "month", Selection(until=today))
        missing = (set(settings.languages) & set(i18n.LANGUAGES)) - await reports.of_month(session, month)
    if not missing or not any(key <= periods.name(month, "month") for key in first):
        return 0  # before its first complaint a desk has nothing to report
    async with db.transaction() as tx:
        await store.slots(tx, alone=True)  # of several workers that find it lacking, one orders it
        for language in sorted(missing - await reports.of_month(tx, month)):
            order(tx, month, language, by=SCHEDULE, now=now, today=today)
    return len(missing)


async def make_next(db: Database, clock: Clock, settings: Settings) -> bool:
    """Make the report that has been waiting longest; whether there was one. One that fails says so and stays."""
    async with db.transaction() as tx:
        row = await reports.claim(tx, clock())
        if row is None:
            return False
        row.state, row.progress, row.moved_at = RUNNING, 0, clock()
        id, month, language = row.id, row.month, row.language
    try:
        await _make(db, clock, settings, id, month, i18n.translator(language, settings.zone, LOCALE))
    except Exception as error:
        if is_outage(error):
            raise
        log.error("report.failed", report=id, error=type(error).__name__)
        await _note(db, id, state=FAILED, error=type(error).__name__[:100], moved_at=clock())
    return True


async def _make(db: Database, clock: Clock, settings: Settings, id: str, month: date, t: Translator) -> None:
    async def progress(percent: int) -> None:
        await _note(db, id, progress=percent, moved_at=clock())

    now = clock()
    async with db.reading() as session:
        await reading.agree(session)
        made = await document.make(
            session,
            month,
            t,
            bank=settings.bank_name,
            made=t.date(now),
            today=now.astimezone(settings.zone).date(),
            progress=progress,
        )
    typeset = await asyncio.to_thread(pdf.render, made, t)
    await progress(85)
    sheets = await asyncio.to_thread(xlsx.render, made, t)
    await _note(db, id, state=DONE, progress=100, moved_at=clock(), document=made.dump(), pdf=typeset, xlsx=sheets)
    log.info("report.made", report=id, pdf=len(typeset), xlsx=len(sheets))


async def _note(db: Database, id: str, **values: object) -> None:
    async with db.transaction() as tx:
        await tx.execute(update(reports.table).where(reports.table.c.id == id).values(**values))
