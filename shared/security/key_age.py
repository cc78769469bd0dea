"""Since when a service encrypts with its present key: entered into the audit trail on its first use, so that the age is
known after every restart, and an auditor sees when keys were changed."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.clock import Clock
from shared.db import Database, SystemTables

ACTION = "encryption_key.first_used"
_ACTOR = "system"


def _subject(key_id: str) -> str:
    return f"encryption-key:{key_id}"[:64]


async def since(session: AsyncSession, tables: SystemTables, key_id: str) -> datetime | None:
    """When key `key_id` was first used; None while nobody has noted it."""
    entry = tables.audit.c
    query = select(func.min(entry.at)).where(entry.subject == _subject(key_id), entry.action == ACTION)
    found: datetime | None = (await session.execute(query)).scalar_one_or_none()
    return found


async def note(db: Database, key_id: str, clock: Clock) -> None:
    """Enter the first use of `key_id`, unless it is known."""
    async with db.transaction() as tx:
        if await since(tx, db.tables, key_id) is None:
            audit.add(tx, _ACTOR, ACTION, _subject(key_id), now=clock())
