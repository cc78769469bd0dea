"""A department's deadlines as a calendar that office software subscribes to. Such software can send no key, so each
feed has an address that cannot be guessed; only its digest is kept."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from icalendar import Alarm, Calendar, Event
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.store.base import FEED, FeedRow
from shared import audit
from shared.errors import NotFound
from shared.i18n import translator
from shared.ids import uuid7
from shared.security.principal import Principal

LONGEST = 2000
LOCALE = Path(__file__).parent.parent / "locale"
_SOON = timedelta(hours=24)


class FeedNotFound(NotFound):
    """There is no such calendar."""

    code = "feed_not_found"


async def make(tx: AsyncSession, department: str, *, by: Principal, now: datetime) -> tuple[FeedRow, str]:
    """A feed of a department and its secret, which is shown this once."""
    secret = secrets.token_urlsafe(32)
    row = FeedRow(id=uuid7(), hash=_hash(secret), department=department, created_by=by.id, created_at=now)
    tx.add(row)
    audit.add(tx, by.id, "feed.made", row.id, now=now, detail={"department": department})
    return row, secret


async def revoke(tx: AsyncSession, id: str, *, by: Principal, now: datetime) -> None:
    """Raises FeedNotFound."""
    row = await tx.get(FeedRow, id)
    if row is None:
        raise FeedNotFound
    if row.revoked_at is None:
        row.revoked_at = now
        audit.add(tx, by.id, "feed.revoked", id, now=now)


async def listed(session: AsyncSession, limit: int) -> Sequence[FeedRow]:
    """The feeds that are switched on, the newest first."""
    query = select(FeedRow).where(FEED.c.revoked_at.is_(None)).order_by(FEED.c.id.desc()).limit(limit)
    return (await session.scalars(query)).all()


async def of_secret(session: AsyncSession, secret: str) -> str:
    """The department whose feed it is. Raises FeedNotFound."""
    query = select(FEED.c.department).where(FEED.c.hash == _hash(secret), FEED.c.revoked_at.is_(None))
    found: str | None = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise FeedNotFound
    return found


async def calendar(
    session: AsyncSession, department: str, *, language: str, zone: ZoneInfo, case_url: str, now: datetime
) -> bytes:
    """The open deadlines of a department (RFC 5545), each with an alarm a day before. References and steps alone: a
    calendar is shown on many screens."""
    t = translator(language, zone, LOCALE)
    found = Calendar()
    found.add("prodid", "-//Redress//Deadlines//EN")
    found.add("version", "2.0")
    found.add("name", t.gettext("Deadlines: {department}", department=t.label("department", department)))
    found.add("x-wr-calname", t.gettext("Deadlines: {department}", department=t.label("department", department)))
    found.add("refresh-interval", timedelta(minutes=15), parameters={"value": "DURATION"})
    for one in await store.of_department(session, department, LONGEST):
        event = Event()
        event.add("uid", f"{one.clock_id}-{one.step.name}@redress")
        event.add("dtstamp", now)
        event.add("dtstart", one.step.due_at.replace(microsecond=0))
        event.add("summary", f"{one.reference or one.complaint_id}: {t.label('step', one.step.name)}")
        event.add("url", case_url.format(complaint_id=one.complaint_id))
        if one.step.line.provisional:
            event.add("status", "TENTATIVE")
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", t.label("step", one.step.name))
        alarm.add("trigger", -_SOON)
        event.add_component(alarm)
        found.add_component(event)
    content: bytes = found.to_ical()
    return content


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
