"""Compliance checks of what intake keeps: who looks at personal data, and what waits too long."""

from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.domain import compliance as rules
from services.intake.store import compliance as store
from shared.compliance import Check, Finding, Period, Place, cut
from shared.i18n import mark
from shared.ids import first_of

_ALL = 10_000  # rows of what is few by its nature


def checks() -> list[Check]:
    """Those of the service."""
    return [
        Check(
            "many_reads",
            mark("Unusually many looks at personal data"),
            mark("Nobody looks at personal data {n} times or more on one day."),
            _many_reads,
            {"n": rules.MANY_READS},
        ),
        Check(
            "night_reads",
            mark("Looks at personal data at night"),
            mark("Personal data is looked at between {begin} and {end}, not at night."),
            _night_reads,
            {"begin": f"{rules.NIGHT[1]:%H:%M}", "end": f"{rules.NIGHT[0]:%H:%M}"},
        ),
        Check(
            "unheard",
            mark("Taken in and not gone further"),
            mark("An hour after it was taken in, every complaint is with a department."),
            _unheard,
        ),
        Check(
            "old_holds",
            mark("Legal holds older than a year"),
            mark(
                "After a year it is decided anew whether a complaint must still be kept. By the day of the year's end."
            ),
            _old_holds,
        ),
        Check(
            "unreviewed",
            mark("Vulnerability not looked at again"),
            mark("What is known of a person's vulnerability is looked at again by the day that was set."),
            _unreviewed,
        ),
    ]


async def _many_reads(session: AsyncSession, period: Period, after: Place | None, limit: int) -> list[Finding]:
    days = period.spans(time(), time())
    rows = await store.many_reads(session, days, rules.MANY_READS) if days else []
    found = [Finding(row["since"], row["actor"], None, {"actor": row["actor"], "reads": row["reads"]}) for row in rows]
    return cut(found, after, limit)


async def _night_reads(session: AsyncSession, period: Period, after: Place | None, limit: int) -> list[Finding]:
    nights = period.spans(*rules.NIGHT)
    place = None if after is None else (after.at, int(after.key))
    rows = await store.reads_within(session, nights, place, limit) if nights else []
    return [
        Finding(row["at"], str(row["seq"]), row["subject"], {"actor": row["actor"], "action": row["action"]})
        for row in rows
    ]


async def _unheard(session: AsyncSession, period: Period, after: Place | None, limit: int) -> list[Finding]:
    until = min(period.end, period.now - rules.UNHEARD)
    end = first_of(until) if after is None else after.key
    rows = await store.unheard(session, first_of(period.start), end, limit)
    return [
        Finding(row["created_at"], row["id"], row["id"], {"reference": row["reference"], "channel": row["channel"]})
        for row in rows
    ]


async def _old_holds(session: AsyncSession, period: Period, after: Place | None, limit: int) -> list[Finding]:
    year = rules.LONGEST_HOLD
    rows = await store.holds(session, period.start - year, min(period.end, period.now) - year)
    found = [
        Finding(
            row["placed_at"] + year,
            row["complaint_id"],
            row["complaint_id"],
            {"reference": row["reference"], "placed_at": row["placed_at"], "by": row["placed_by"]},
        )
        for row in rows
    ]
    return cut(found, after, limit)


async def _unreviewed(session: AsyncSession, period: Period, after: Place | None, limit: int) -> list[Finding]:
    yesterday = period.now.astimezone(period.zone).date() - timedelta(days=1)
    rows = await store.unreviewed(session, period.since, min(period.until, yesterday), _ALL)
    ended = partial(_end_of, period)
    found = [
        Finding(
            ended(row["review_on"]),
            row["id"],
            row["complaint_id"],
            {"reference": row["reference"], "review_on": row["review_on"], "by": row["noted_by"]},
        )
        for row in rows
    ]
    return cut(found, after, limit)


def _end_of(period: Period, day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), period.zone).astimezone(UTC)
