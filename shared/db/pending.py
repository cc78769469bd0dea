"""What a unit of work will write besides its state: events for the outbox and entries of the audit chain.

They are gathered while the use case runs and written just before the commit, in bulk. So the one row that all writers
of a service share, the head of the audit chain, is locked for the shortest time.
"""

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Dialect, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from shared.clock import rfc3339
from shared.db.bulk import MANY, Insert, driver, in_one_hop, insert_here, insert_sql, insert_there
from shared.db.tables import SystemTables

GENESIS = "0" * 64
OUTBOX_CHANNEL = "redress_outbox"
_OUTBOX = ("event_id", "key", "type", "payload", "created_at")
_TELL = f"SELECT pg_notify('{OUTBOX_CHANNEL}', ''), seq, hash FROM audit_head"  # noqa: S608
_LINK = "UPDATE audit_head SET seq = ${}, hash = ${}"
_AUDIT = ("seq", "at", "actor", "action", "subject", "detail", "hash")


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
        """Write what was gathered into the open transaction of `connection`, whose commit will tell the relay."""
        if not self.events and not self.audit:
            return
        rows = [(e.event_id, e.key, e.type, e.payload, e.created_at) for e in self.events]
        told = Insert(tables.outbox, _OUTBOX, rows)
        if connection.dialect.name == "sqlite":
            await in_one_hop(connection, lambda raw: self._write_here(raw, connection.dialect, tables, told))
        else:
            await self._write_there(await driver(connection), connection.dialect, tables, told)

    def _write_here(self, raw: sqlite3.Connection, dialect: Dialect, tables: SystemTables, told: Insert) -> None:
        if told.rows:
            insert_here(raw, dialect, told)
        if self.audit:
            links = self._chain(tables, *raw.execute("SELECT seq, hash FROM audit_head").fetchone())
            insert_here(raw, dialect, links)
            raw.execute("UPDATE audit_head SET seq = ?, hash = ?", (links.rows[-1][0], links.rows[-1][-1]))

    async def _write_there(self, raw: Any, dialect: Dialect, tables: SystemTables, told: Insert) -> None:
        """In two statements at most, unless they are many: each is a round trip, and from the first on others wait for
        the chain's head. The relay, which may be another process, hears of the commit by NOTIFY."""
        head: Sequence[Any] = ()
        lock = " FOR UPDATE" if self.audit else ""
        if len(told.rows) >= MANY:
            await insert_there(raw, dialect, told)
            _, *head = await raw.fetchrow(_TELL + lock)
        elif told.rows:
            _, *head = await raw.fetchrow(f"WITH told AS ({insert_sql(told, dialect)}) {_TELL}{lock}", *told.arrays())
        elif self.audit:
            head = await raw.fetchrow("SELECT seq, hash FROM audit_head FOR UPDATE")
        if self.audit:
            links = self._chain(tables, *head)
            last = links.rows[-1][0], links.rows[-1][-1]
            if len(links.rows) >= MANY:
                await insert_there(raw, dialect, links)
                await raw.execute(_LINK.format(1, 2), *last)
            else:
                n = len(_AUDIT)
                sql = f"WITH links AS ({insert_sql(links, dialect)}) {_LINK.format(n + 1, n + 2)}"
                await raw.execute(sql, *links.arrays(), *last)

    def _chain(self, tables: SystemTables, seq: int, previous: str) -> Insert:
        """The entries as rows, linked to the head (`seq`, `previous`)."""
        rows = []
        for entry in self.audit:
            seq += 1
            previous = entry.hash(seq, previous)
            rows.append((seq, entry.at, entry.actor, entry.action, entry.subject, entry.detail, previous))
        return Insert(tables.audit, _AUDIT, rows)


def pending(tx: AsyncSession) -> Pending:
    """What the unit of work `tx` has gathered."""
    found = tx.info["pending"]
    assert isinstance(found, Pending)
    return found


def plant_genesis(connection: Connection, tables: SystemTables) -> None:
    """Give a new database the head from which its audit chain grows; for migrations."""
    if connection.execute(select(tables.audit_head.c.id)).first() is None:
        connection.execute(tables.audit_head.insert().values(id=1, seq=0, hash=GENESIS))
