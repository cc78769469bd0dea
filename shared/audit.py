"""The audit trail: who did what to which complaint, when; each entry linked to the one before by its hash.

Whoever changes, removes or inserts an entry breaks every link after it. `verify` needs nothing but the rows, so an
auditor can run it offline on an export (`redress audit export`, `redress audit verify FILE`).
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, select
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
    flaw: str = ""  # as a code: missing, changed, or cut


@dataclass(slots=True)
class Walk:
    """A verification on its way, which can rest between any two entries: so far `seq` entries hold, up to `head`."""

    seq: int = 0
    head: str = GENESIS

    def over(self, rows: Iterable[Mapping[str, Any]]) -> Verdict | None:
        """Go on over `rows`, in order of seq; the verdict if a link does not hold, else None."""
        for row in rows:
            seq = self.seq + 1
            if row["seq"] != seq:
                return Verdict(self.seq, self.head, seq, f"entry {seq} is missing", "missing")
            at = row["at"] if isinstance(row["at"], datetime) else datetime.fromisoformat(row["at"])
            found = AuditEntry(at, row["actor"], row["action"], row["subject"], row["detail"])
            self.seq = seq
            if found.hash(seq, self.head) != row["hash"]:
                return Verdict(seq, self.head, seq, f"entry {seq} does not fit the one before it", "changed")
            self.head = row["hash"]
        return None

    def ended(self, expected_head: str | None = None) -> Verdict:
        """The verdict when there are no more entries."""
        if expected_head is not None and self.head != expected_head:
            return Verdict(self.seq, self.head, self.seq + 1, "the end of the chain is missing", "cut")
        return Verdict(self.seq, self.head)


def verify(rows: Iterable[dict[str, Any]], *, expected_head: str | None = None) -> Verdict:
    """Recompute the chain over `rows` (`{seq, at, actor, action, subject, detail, hash}`, in order of seq).

    `expected_head`, where known from elsewhere (an earlier verification, the head row), also finds a cut-off tail.
    """
    walk = Walk()
    return walk.over(rows) or walk.ended(expected_head)


async def export(db: Database, *only: ColumnElement[bool]) -> AsyncIterator[dict[str, Any]]:
    """Every entry in order, as JSON-ready rows, read in slices. `only`: conditions on the table of entries; what is
    left then is no chain that could be verified."""
    table, last = db.tables.audit, 0
    while True:
        async with db.reading() as session:
            query = select(table).where(table.c.seq > last, *only).order_by(table.c.seq).limit(5000)
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
