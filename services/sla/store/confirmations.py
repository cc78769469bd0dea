"""What the bank has confirmed of packs and calendars. Never commits."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.store.base import CONFIRMATION, ConfirmationRow


async def of(session: AsyncSession, kind: str, editions: Collection[str]) -> dict[tuple[str, str], ConfirmationRow]:
    """The confirmations of these editions, by (name, edition)."""
    query = select(ConfirmationRow).where(CONFIRMATION.c.kind == kind, CONFIRMATION.c.edition.in_(list(editions)))
    return {(row.name, row.edition): row for row in (await session.scalars(query)).all()}


async def add(tx: AsyncSession, kind: str, name: str, edition: str, *, by: str, at: datetime, note: str) -> bool:
    """Keep a confirmation; False where that edition is confirmed already, which then stays as it is."""
    insert = sqlite.insert if tx.get_bind().dialect.name == "sqlite" else postgresql.insert
    values = {"kind": kind, "name": name, "edition": edition, "by": by, "at": at, "note": note}
    kept = insert(CONFIRMATION).values(values).on_conflict_do_nothing().returning(CONFIRMATION.c.name)
    return (await tx.execute(kept)).first() is not None
