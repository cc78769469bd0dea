"""Compliance checks of what the desk reports (`domain.compliance`): whether it was there in time."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain import compliance as rules
from services.reporting.domain import selection as periods
from services.reporting.domain.selection import Selection
from services.reporting.domain.summary import Span
from services.reporting.figures import reading
from services.reporting.store import compliance as store
from services.reporting.usecases.returns import PARTS, RETURNS
from shared import i18n
from shared.compliance import Check, Fact, Find, Finding, Period, Place, cut
from shared.i18n import mark

_RETURNS = 1000  # of the last ones


def checks(languages: Sequence[str], jurisdiction: str) -> list[Check]:
    """Those of the service. `languages`: in which reports are made; `jurisdiction`: whose returns the bank files."""
    return [
        Check(
            "report_late",
            mark("Monthly report late or missing"),
            mark("The management report of a month is there, in each of the bank's languages, {n} days after its end."),
            _reports([language for language in languages if language in i18n.LANGUAGES]),
            {"n": rules.REPORT_DAYS},
        ),
        Check(
            "return_late",
            mark("Regulator's return not made in time"),
            mark("A return to the bank's own regulator is made within {n} days of the end of its period."),
            _returns(jurisdiction),
            {"n": rules.RETURN_DAYS},
        ),
        Check(
            "summary_late",
            mark("Public summary late or missing"),
            mark("What customers may read of a quarter is published within {n} days of its end."),
            _summaries,
            {"n": rules.SUMMARY_DAYS},
        ),
        Check(
            "measure_overdue",
            mark("Measure past its end"),
            mark("An improvement measure is done or dropped by the day on which it was to end."),
            _measures,
        ),
    ]


async def _due(session: AsyncSession, period: Period, months: int, days: int) -> list[tuple[date, date, datetime]]:
    """What had to be there in the period: first and last day of what it is about, and the first moment too late.
    Before its first complaint a desk has nothing to report."""
    today = period.now.astimezone(period.zone).date()
    received = await reading.over_time(session, "received", "month", Selection(until=today))
    first = min(received, default=None)
    before = min(period.until + timedelta(days=1), today)
    return [
        (part.since, part.until, datetime.combine(last + timedelta(days=1), time(), period.zone).astimezone(UTC))
        for part, last in rules.due(months, days, period.since, before)
        if first is not None and first <= periods.name(part.until, "month")
    ]


def _late(since: date, until: date, end: datetime, at: datetime | None, key: str, **facts: Fact) -> Finding:
    return Finding(end, key, None, {**facts, "since": since, "until": until, "due_at": end, "made_at": at or "–"})


def _reports(languages: Sequence[str]) -> Find:
    async def find(session: AsyncSession, period: Period, after: Place | None, limit: int) -> list[Finding]:
        due = await _due(session, period, 1, rules.REPORT_DAYS)
        made = await store.made(session, [since for since, _, _ in due])
        found = []
        for since, until, end in due:
            for language in languages:
                at = made.get((since, language))
                if at is None or at >= end:
                    found.append(_late(since, until, end, at, f"{since}:{language}", language=language))
        return cut(found, after, limit)

    return find


def _returns(jurisdiction: str) -> Find:
    # a return whose halves begin when the firm's own year does has no date that we could know
    owed = [one for one in RETURNS.values() if jurisdiction in one.jurisdictions and "first_month" not in one.takes]

    async def find(session: AsyncSession, period: Period, after: Place | None, limit: int) -> list[Finding]:
        made: dict[tuple[str, int, int], list[datetime]] = {}
        for row in await store.returns_made(session, [one.name for one in owed], _RETURNS):
            detail = orjson.loads(row["detail"])
            made.setdefault((row["subject"], detail["year"], detail["part"]), []).append(row["at"])
        found = []
        for one in owed:
            months = 12 // PARTS[one.part]
            for since, until, end in await _due(session, period, months, rules.RETURN_DAYS):
                over = datetime.combine(until + timedelta(days=1), time(), period.zone)
                times = made.get((one.name, since.year, (since.month - 1) // months + 1), [])
                # made before the period was over, it was a draft
                at = min((moment for moment in times if moment >= over), default=None)
                if at is None or at >= end:
                    found.append(_late(since, until, end, at, f"{since}:{one.name}", title=one.title))
        return cut(found, after, limit)

    return find


async def _summaries(session: AsyncSession, period: Period, after: Place | None, limit: int) -> list[Finding]:
    published = await store.published(session)
    found = []
    for since, until, end in await _due(session, period, 3, rules.SUMMARY_DAYS):
        quarter = Span(since.year, "quarter", (since.month + 2) // 3)
        half = Span(since.year, "half", 1 if since.month < 7 else 2)
        at = min((published[one.code] for one in (quarter, half) if one.code in published), default=None)
        if at is None or at >= end:
            found.append(_late(since, until, end, at, quarter.code))
    return cut(found, after, limit)


async def _measures(session: AsyncSession, period: Period, after: Place | None, limit: int) -> list[Finding]:
    yesterday = period.now.astimezone(period.zone).date() - timedelta(days=1)
    rows = await store.overdue(session, period.since, min(period.until, yesterday))
    found = [
        Finding(
            datetime.combine(row["ends_on"] + timedelta(days=1), time(), period.zone).astimezone(UTC),
            row["id"],
            None,
            {"title": row["title"], "department": row["owner_department"], "ends_on": row["ends_on"]},
        )
        for row in rows
    ]
    return cut(found, after, limit)
