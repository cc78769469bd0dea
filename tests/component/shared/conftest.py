"""A database with the tables that every service has, and one of things of its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, text

from shared.cloudevents import Envelope, encode
from shared.db import Database, SystemTables
from shared.db.pending import plant_genesis
from shared.events import ComplaintAcknowledged, ComplaintClosed
from shared.ids import uuid7

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
METADATA = MetaData()
TABLES = SystemTables(METADATA)
THINGS = Table(
    "thing",
    METADATA,
    Column("id", String(20), primary_key=True),
    Column("complaint", String(36), index=True),
    Column("n", Integer),
)

OpenDatabase = Callable[..., Any]


class Desk:
    """What the tests of `shared` share: a database, its tables, and short ways to look into it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.tables = TABLES
        self.things = THINGS
        self.now = NOW

    def clock(self) -> datetime:
        return self.now

    async def scalar(self, sql: str) -> Any:
        async with self.db.reading() as session:
            return (await session.execute(text(sql))).scalar()

    async def column(self, sql: str) -> list[Any]:
        async with self.db.reading() as session:
            return list((await session.execute(text(sql))).scalars())

    async def execute(self, sql: str) -> None:
        async with self.db.transaction() as tx:
            await tx.execute(text(sql))

    def event(self, complaint: str = "c-1") -> ComplaintAcknowledged:
        return ComplaintAcknowledged(complaint_id=complaint, acknowledged_at=self.now)

    def envelope(self, complaint: str = "c-1", *, closed: bool = False, id: str | None = None) -> Envelope:
        kind = ComplaintClosed(complaint_id=complaint, closed_at=self.now) if closed else self.event(complaint)
        return Envelope(id or uuid7(), kind.source, kind.type, complaint, self.now, kind)

    def encoded(self, complaint: str = "c-1", **more: Any) -> bytes:
        return encode(self.envelope(complaint, **more)).encode()


@pytest.fixture
async def threads_end() -> AsyncIterator[None]:
    """A connection that could not be opened ends in a thread that nobody awaits; its loop must not be closed before."""
    yield
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 5)


@pytest.fixture
async def open_database(threads_end: None) -> AsyncIterator[OpenDatabase]:
    """`await open_database(url)`: one process's view of the database at `url`; the first makes the tables."""
    async with AsyncExitStack() as stack:

        async def one(url: str, **options: Any) -> Desk:
            db = Database("intake", url, TABLES, **options)
            stack.push_async_callback(db.close)
            async with db.engine.begin() as connection:
                await connection.run_sync(METADATA.create_all)
                await connection.run_sync(lambda c: plant_genesis(c, TABLES))
            return Desk(db)

        yield one


@pytest.fixture
async def desk(open_database: OpenDatabase, database_url: str) -> Desk:
    found: Desk = await open_database(database_url)
    return found
