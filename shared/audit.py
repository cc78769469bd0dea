"""The audit trail: who did what to which complaint, when; each entry linked to the one before by its hash.

Whoever changes, removes or inserts an entry breaks every link after it. `verify` needs nothing but the rows, so an
auditor can run it offline on an export (`redress audit export`, `redress audit verify FILE`).
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import rfc3339
from shared.db import Database, pending
from shared.db.pending import GENESIS, AuditEntry

_CANONICAL = orjson.OPT_SORT_KEYS


def entry(actor: str, action: str, subject: str, *, now: datetime, detail: dict[str, Any] | None = None) -> AuditEntry:
    """An entry; `detail` must hold no personal data."""
    return AuditEntry(now, actor, action, subject, orjson.dumps(detail, option=_CANONICAL).decode() if detail else "{}")


def add(
    tx: AsyncSession, actor: str, action: str, subject: str, *, now: datetime, detail: dict[str, Any] | None = None
) -> None:
    """Enter into the chain what the unit of work `tx` does; it is written if, and only if, `tx` commits."""
    pending(tx).audit.append(entry(actor, action, subject, now=now, detail=detail))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found. `broken_at` is the first entry whose link does not hold, None when all hold."""

    entries: int
    head: str
    broken_at: int | None = None
    reason: str = ""


def verify(rows: Iterable[dict[str, Any]], *, expected_head: str | None = None) -> Verdict:
    """Recompute the chain over `rows` (`{seq, at, actor, action, subject, detail, hash}`, in order of seq).

    `expected_head`, where known from elsewhere (an earlier verification, the head row), also finds a cut-off tail.
    """
    previous, seq = GENESIS, 0
    for row in rows:
        if row["seq"] != seq + 1:
            return Verdict(seq, previous, seq + 1, f"entry {seq + 1} is missing")
        seq += 1
        at = row["at"] if isinstance(row["at"], datetime) else datetime.fromisoformat(row["at"])
        found = AuditEntry(at, row["actor"], row["action"], row["subject"], row["detail"])
        if found.hash(seq, previous) != row["hash"]:
            return Verdict(seq, previous, seq, f"entry {seq} does not fit the one before it")
        previous = row["hash"]
    if expected_head is not None and previous != expected_head:
        return Verdict(seq, previous, seq + 1, "the end of the chain is missing")
    return Verdict(seq, previous)


async def export(db: Database) -> AsyncIterator[dict[str, Any]]:
    """Every entry in order, as JSON-ready rows, read in slices."""
    table, last = db.tables.audit, 0
    while True:
        async with db.reading() as session:
            query = select(table).where(table.c.seq > last).order_by(table.c.seq).limit(5000)
            rows = (await session.execute(query)).mappings().all()
        for row in rows:
            # plain texts for names: SQLAlchemy's own kind of text is nothing that orjson would write
            yield {str(name): value for name, value in row.items()} | {"at": rfc3339(row["at"])}
        if len(rows) < 5000:
            return
        last = rows[-1]["seq"]


async def head(db: Database) -> str:
    """The last link, as the writers know it."""
    async with db.reading() as session:
        return str((await session.execute(select(db.tables.audit_head.c.hash))).scalar_one())
