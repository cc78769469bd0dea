"""The database's ceiling: intake's own rows, prepared beforehand, put into its tables by the bare driver in groups.

`python -m tests.bench.raw URL SECONDS` prints `{"rows": ..., "seconds": ...}`; preparing is not timed.
"""

import asyncio
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
from sqlalchemy.engine import make_url

from services.intake.domain.complaint import Submission
from services.intake.schemas.complaint import COMPLAINT
from services.intake.store import complaint as store
from services.intake.usecases.complaint import Desk
from shared.clock import utcnow
from shared.security.crypto import MasterKeys
from tests.bench.sample import body

GROUP = 32
OUTBOX = ("event_id", "key", "type", "payload", "created_at")
Rows = list[tuple[Any, ...]]


def maker(keys: MasterKeys | None = None, customers: Iterator[int] | None = None) -> Callable[[], tuple[Rows, Rows]]:
    """What makes one group: complaints and outbox rows as intake writes them, sealed with `keys`, else with some. Each
    is of the next of `customers`, or all are of one."""
    keys = keys or MasterKeys({"bench": os.urandom(32)}, pseudonym_key=os.urandom(32))
    desk = Desk(keys, ZoneInfo("Asia/Hong_Kong"))
    same = COMPLAINT.validate_json(body()).to_domain()

    def submission() -> Submission:
        return same if customers is None else COMPLAINT.validate_json(body(next(customers))).to_domain()

    def make() -> tuple[Rows, Rows]:
        prepared = [
            desk.prepare(submission(), "f" * 32, idempotency_key=os.urandom(8).hex(), actor="bench", now=utcnow())
            for _ in range(GROUP)
        ]
        events = [p.event for p in prepared]
        return [p.row for p in prepared], [(e.event_id, e.key, e.type, e.payload, e.created_at) for e in events]

    return make


def on_sqlite(file: str, seconds: float) -> tuple[int, float]:
    """Rows (complaints) written, and the seconds that took."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    first = _insert("complaint", store.COLUMNS, "VALUES (" + ", ".join("?" * len(store.COLUMNS)) + ")")
    second = _insert("outbox", OUTBOX, "VALUES (?, ?, ?, ?, ?)")
    make, rows, spent = maker(), 0, 0.0
    while spent < seconds:
        complaints, events = (_plain(group) for group in make())
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(first, complaints)
        connection.executemany(second, events)
        connection.execute("COMMIT")
        spent += time.perf_counter() - began
        rows += len(complaints)
    connection.close()
    return rows, spent


async def on_postgres(
    url: str, seconds: float, *, most: int = sys.maxsize, make: Callable[[], tuple[Rows, Rows]] | None = None
) -> tuple[int, float]:
    """As `on_sqlite`, of what `make` makes; it ends after `most` rows too."""
    connection = await asyncpg.connect(url)
    first = await connection.prepare(await _unnest(connection, "complaint", store.COLUMNS))
    second = await connection.prepare(await _unnest(connection, "outbox", OUTBOX))
    make, rows, spent = make or maker(), 0, 0.0
    while spent < seconds and rows < most:
        complaints, events = make()
        began = time.perf_counter()
        async with connection.transaction():
            await first.fetch(*zip(*complaints, strict=True))
            await second.fetch(*zip(*events, strict=True))
        spent += time.perf_counter() - began
        rows += len(complaints)
    await connection.close()
    return rows, spent


def _insert(table: str, columns: Sequence[str], values: str) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) {values}"


async def _unnest(connection: asyncpg.Connection, table: str, columns: Sequence[str]) -> str:
    found = await connection.fetch(
        "SELECT attname, format_type(atttypid, NULL) AS type FROM pg_attribute WHERE attrelid = $1::text::regclass",
        table,
    )
    types = {row["attname"]: row["type"] for row in found}
    arrays = ", ".join(f"${i}::{types[name]}[]" for i, name in enumerate(columns, 1))
    return _insert(table, columns, f"SELECT * FROM unnest({arrays})")


def _plain(rows: Rows) -> Rows:
    """Values that sqlite3 takes as they are."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.replace(tzinfo=None).isoformat(" ", "microseconds")
        return float(value) if isinstance(value, Decimal) else value

    return [tuple(map(plain, row)) for row in rows]


def main() -> None:
    url, seconds = make_url(sys.argv[1]), float(sys.argv[2])
    if url.get_backend_name() == "sqlite":
        rows, spent = on_sqlite(str(url.database), seconds)
    else:
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        rows, spent = asyncio.run(on_postgres(plain, seconds))
    print(json.dumps({"rows": rows, "seconds": spent}))


if __name__ == "__main__":
    main()
