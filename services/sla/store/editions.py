"""Calendars as they were, and how long complaints have taken."""

from collections.abc import Collection, Mapping
from datetime import datetime

import orjson
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.domain.calendar import Calendar
from services.sla.store.base import EDITION, HANDLING


async def known(session: AsyncSession) -> set[str]:
    return set((await session.scalars(select(EDITION.c.version))).all())


async def editions(session: AsyncSession, versions: Collection[str]) -> dict[str, Calendar]:
    """Kept calendars by version."""
    query = select(EDITION.c.content).where(EDITION.c.version.in_(versions))
    found = [Calendar.of(orjson.loads(content)) for content in (await session.scalars(query)).all()]
    return {calendar.version: calendar for calendar in found}


async def keep(tx: AsyncSession, calendars: Collection[Calendar], now: datetime) -> None:
    """Keep calendars whole; those that are there stay as they are."""
    insert = sqlite.insert if tx.get_bind().dialect.name == "sqlite" else postgresql.insert
    rows = [
        {
            "version": c.version,
            "calendar": c.id,
            "content": orjson.dumps(c.as_dict()).decode(),
            "first_used_at": now,
        }
        for c in sorted(calendars, key=lambda c: c.version)
    ]
    if rows:
        await tx.execute(insert(EDITION).on_conflict_do_nothing(), rows)


async def handled(tx: AsyncSession, taken: Mapping[tuple[str, str, int], int]) -> None:
    """Count complaints that came to their final response: (department, category, bucket) -> how many more."""
    insert = sqlite.insert if tx.get_bind().dialect.name == "sqlite" else postgresql.insert
    for (department, category, bucket), count in sorted(taken.items()):
        statement = insert(HANDLING).values(department=department, category=category, bucket=bucket, count=count)
        more = {"count": HANDLING.c["count"] + count}
        await tx.execute(statement.on_conflict_do_update(index_elements=list(HANDLING.primary_key), set_=more))


async def handling(session: AsyncSession) -> list[tuple[str, str, int, int]]:
    """Every (department, category, bucket, count)."""
    columns = (HANDLING.c.department, HANDLING.c.category, HANDLING.c.bucket, func.sum(HANDLING.c["count"]))
    rows = await session.execute(select(*columns).group_by(*columns[:3]))
    return [(department, category, bucket, int(count)) for department, category, bucket, count in rows]
