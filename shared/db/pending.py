"""What a unit of work will write besides its state: events for the outbox and entries of the audit chain.

They are gathered while the use case runs and written just before the commit, in bulk. So the one row that all writers
of a service share, the head of the audit chain, is locked for the shortest time.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from shared.clock import rfc3339
from shared.db.bulk import bulk_insert
from shared.db.tables import SystemTables

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One event, already encoded. `key` is the complaint's id."""

    event_id: str
    key: str
    type: str
    payload: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who (`actor`) did what (`action`) to what (`subject`), when. `detail` is canonical JSON without personal data."""

    at: datetime
    actor: str
    action: str
    subject: str
    detail: str = "{}"

    def hash(self, seq: int, previous: str) -> str:
        """The link of the chain: SHA-256 over the previous link and every field of this entry."""
        body = orjson.dumps([previous, seq, rfc3339(self.at), self.actor, self.action, self.subject, self.detail])
        return hashlib.sha256(body).hexdigest()


@dataclass(slots=True)
class Pending:
    """Gathered during one unit of work."""

    events: list[OutboxRow] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)

    async def write(self, connection: AsyncConnection, tables: SystemTables) -> None:
        """Write what was gathered into the open transaction of `connection`."""
        if self.events:
            rows = [(e.event_id, e.key, e.type, e.payload, e.created_at) for e in self.events]
            await bulk_insert(connection, tables.outbox, ("event_id", "key", "type", "payload", "created_at"), rows)
        if self.audit:
            await self._chain(connection, tables)

    async def _chain(self, connection: AsyncConnection, tables: SystemTables) -> None:
        head = tables.audit_head
        found = (await connection.execute(select(head.c.seq, head.c.hash).with_for_update())).one()
        seq, previous = int(found.seq), str(found.hash)
        rows = []
        for entry in self.audit:
            seq += 1
            previous = entry.hash(seq, previous)
            rows.append((seq, entry.at, entry.actor, entry.action, entry.subject, entry.detail, previous))
        columns = ("seq", "at", "actor", "action", "subject", "detail", "hash")
        await bulk_insert(connection, tables.audit, columns, rows)
        await connection.execute(head.update().values(seq=seq, hash=previous))


def pending(tx: AsyncSession) -> Pending:
    """What the unit of work `tx` has gathered."""
    found = tx.info["pending"]
    assert isinstance(found, Pending)
    return found


def plant_genesis(connection: Connection, tables: SystemTables) -> None:
    """Give a new database the head from which its audit chain grows; for migrations."""
    if connection.execute(select(tables.audit_head.c.id)).first() is None:
        connection.execute(tables.audit_head.insert().values(id=1, seq=0, hash=GENESIS))
