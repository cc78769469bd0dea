"""What intake adds to the report of its health."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.intake import store
from shared import metrics
from shared.security import key_age
from shared.security.crypto import MasterKeys

Vital = Callable[[AsyncSession, datetime], Awaitable[dict[str, dict[str, Any]]]]


def encryption_key(keys: MasterKeys) -> Vital:
    """How long the present encryption key has been in use, as far as that was noted."""

    async def age(session: AsyncSession, now: datetime) -> dict[str, dict[str, Any]]:
        since = await key_age.since(session, store.tables, keys.current)
        if since is None:
            return {}
        seconds = max(0.0, (now - since).total_seconds())
        metrics.encryption_key_age.labels("intake").set(seconds)
        return {"keys": {"encryption": {"age_seconds": round(seconds)}}}

    return age
