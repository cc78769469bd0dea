"""How far behind SLA is, for its health: asked of the database, so it is known too while no worker runs."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.store import notices
from services.sla.usecases import engine, sending


async def behind(session: AsyncSession, now: datetime) -> dict[str, dict[str, Any]]:
    """Seconds for which the longest overdue action and the longest due notice have waited; 0 when nothing does."""
    action = await store.next_due(session, now)
    notice = await notices.longest_due(session, now)
    found = {}
    for name, oldest, gauge in (
        ("deadlines", action, engine.behind_seconds),
        ("notices", notice, sending.behind_seconds),
    ):
        seconds = (now - oldest).total_seconds() if oldest else 0.0
        gauge.set(seconds)
        found[name] = {"behind_seconds": round(seconds, 1)}
    return found
