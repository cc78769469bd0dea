"""The relay: takes unsent rows from the outbox to the bus, in order per complaint, one active relay per service.

It selects what is unsent, never "what comes after the last id": ids are allotted before commit, so a lower id may
become visible later than a higher one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from shared import metrics
from shared.bus import Bus, Message
from shared.clock import Clock
from shared.db import Database, SystemTables
from shared.db.pending import OUTBOX_CHANNEL

log = structlog.get_logger()
_LEADER_LOCK = 0x52454452  # "REDR": an advisory lock of this number in the service's own database
LEASE = 10.0
"""Seconds after which PostgreSQL takes the lock from a leader that says nothing: it was stopped, it hangs, or its host
cannot be reached. Without that nobody would publish until its connection ends, which then may take hours."""


@dataclass(frozen=True, slots=True)
class OutboxState:
    """`depth`: events not yet published. `oldest`: when the first of them was written, None if there is none."""

    depth: int
    oldest: datetime | None

    def age(self, now: datetime) -> float:
        """Seconds since the oldest unpublished event was written; 0 when there is none."""
        return max(0.0, (now - self.oldest).total_seconds()) if self.oldest else 0.0


async def outbox_state(session: AsyncSession, tables: SystemTables) -> OutboxState:
    outbox = tables.outbox.c
    depth = (await session.execute(select(func.count()).where(outbox.sent_at.is_(None)))).scalar_one()
    query = select(outbox.created_at).where(outbox.sent_at.is_(None)).order_by(outbox.seq).limit(1)
    return OutboxState(int(depth), (await session.execute(query)).scalar_one_or_none())


class Relay:
    """Publishes one service's outbox to `topic` until cancelled."""

    def __init__(
        self, db: Database, bus: Bus, topic: str, clock: Clock, *, batch: int = 500, poll: float = 0.5
    ) -> None:
        self._db = db
        self._bus = bus
        self._topic = topic
        self._clock = clock
        self._batch = batch
        self._poll = poll
        self._woken = asyncio.Event()
        db.wakers.append(self._woken.set)

    async def run(self) -> None:
        """Relay for ever; lose the leadership, or the database, and begin again."""
        while True:
            try:
                async with self._leadership():
                    metrics.relay_leader.labels(self._db.service).set(1)
                    log.info("relay.leads", service=self._db.service)
                    await self._lead()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.warning("relay.restarts", service=self._db.service, error=type(error).__name__)
            finally:
                metrics.relay_leader.labels(self._db.service).set(0)
            await asyncio.sleep(self._poll)

    async def _lead(self) -> None:
        pause = 0.1
        while True:
            self._woken.clear()
            found, sent = await self.publish_once()
            if found and sent < found:
                await asyncio.sleep(pause)  # the bus is unwell
                pause = min(pause * 2, 2.0)
                continue
            pause = 0.1
            if found < self._batch:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._poll)
            if self._lost():
                raise ConnectionError("the leader's connection is gone")

    async def publish_once(self) -> tuple[int, int]:
        """Publish one batch. Returns how many rows were found unsent and how many of them the bus took."""
        outbox = self._db.tables.outbox
        async with self._db.reading() as session:
            query = select(outbox.c.seq, outbox.c.key, outbox.c.payload).where(outbox.c.sent_at.is_(None))
            rows = (await session.execute(query.order_by(outbox.c.seq).limit(self._batch))).all()
        if not rows:
            return 0, 0
        taken = await self._bus.publish([Message(self._topic, r.key, r.payload.encode()) for r in rows])
        done = [r.seq for r, ok in zip(rows, taken, strict=True) if ok]
        if done:
            async with self._db.transaction() as tx:
                await tx.execute(update(outbox).where(outbox.c.seq.in_(done)).values(sent_at=self._clock()))
            metrics.events_published.labels(self._db.service).inc(len(done))
        return len(rows), len(done)

    async def prune(self, before: datetime) -> int:
        """Delete events sent before `before`, and inbox entries seen before it. Returns how many events went."""
        tables = self._db.tables
        async with self._db.transaction() as tx:
            gone: Any = await tx.execute(delete(tables.outbox).where(tables.outbox.c.sent_at < before))
            await tx.execute(delete(tables.inbox).where(tables.inbox.c.seen_at < before))
        return int(gone.rowcount)

    _connection: "asyncpg.Connection | None" = None

    def _lost(self) -> bool:
        return self._connection is not None and self._connection.is_closed()

    @asynccontextmanager
    async def _leadership(self) -> AsyncIterator[None]:
        """Hold the leader's lock. On SQLite the one process is the leader (its home folder is locked by the desk)."""
        if self._db.is_sqlite:
            yield
            return
        url = make_url(self._db.url).set(drivername="postgresql").render_as_string(hide_password=False)
        lease = {"idle_session_timeout": f"{LEASE:.0f}s"}
        connection = await asyncpg.connect(url, timeout=5, command_timeout=15, ssl=self._db.tls, server_settings=lease)
        try:
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LEADER_LOCK):  # noqa: ASYNC110
                await asyncio.sleep(self._poll)
            await connection.add_listener(OUTBOX_CHANNEL, lambda *_: self._woken.set())
            self._connection = connection
            renewing = asyncio.create_task(self._renew(connection))
            try:
                yield
            finally:
                renewing.cancel()
        finally:
            self._connection = None
            with contextlib.suppress(Exception):
                await connection.close(timeout=2)

    async def _renew(self, connection: "asyncpg.Connection") -> None:
        """Say something often enough for the lease. A leader that gets no answer steps down after its present batch: it
        may by then have a successor, which does no harm, since both publish the same events in the same order."""
        try:
            while True:
                await asyncio.sleep(LEASE / 4)
                await connection.execute("SELECT 1", timeout=LEASE / 2)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection.terminate()
            self._woken.set()
