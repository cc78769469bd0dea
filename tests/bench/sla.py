"""What the deadline engine costs, in one run: `python -m tests.bench sla`.

- A sweep that finds nothing due, with 10,000 and with 1,000,000 clocks open, in turn.
- Claiming 1,000 due steps and doing what is due about them (a warning each; a miss and an escalation each), with their
  events, audit entries and notices, beside the bare statement that claims as many, in turn. `floor` is what even the
  barest program would take: that statement, and the same rows written once more with nothing left to decide.
- The memory of this process after it has swept and fired with 10,000 clocks open and with 1,000,000.
"""

import argparse
import json
import sqlite3
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.domain.policy import WarnRule
from services.sla.settings import SlaSettings
from services.sla.store.mapping import FIRED
from services.sla.store.notices import NOTICE
from services.sla.usecases import engine
from shared import logs
from shared.db import Database
from shared.db.bulk import Insert, bulk_insert, bulk_update, in_one_hop
from shared.ids import uuid7
from shared.serve import settle_memory
from tests.bench.databases import KINDS, on_each
from tests.bench.machine import describe
from tests.component.sla.population import DUE, populate

TARGETS = {"empty sweep": 1.5, "warning": 4.0, "miss": 4.0, "memory": 1.1}
SMALL, LARGE = 10_000, 1_000_000
BATCH = 1_000
SETUP = SlaSettings().notice_setup()
_WRITTEN = ((store.tables.outbox, "seq", 0), (store.tables.audit, "seq", 0), (NOTICE, "id", ""))
_CLAIM = """
UPDATE step SET next_at = NULL WHERE (clock_id, name) IN (
  SELECT clock_id, name FROM step WHERE next_at <= :now ORDER BY next_at LIMIT :limit {lock}
) RETURNING clock_id, name, due_at
"""


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def _claim(tx: AsyncSession) -> Sequence[Any]:
    sqlite = tx.get_bind().dialect.name == "sqlite"
    lock = "" if sqlite else "FOR UPDATE SKIP LOCKED"
    now = DUE.isoformat(" ", "microseconds")[:26] if sqlite else DUE
    rows = (await tx.execute(text(_CLAIM.format(lock=lock)), {"now": now, "limit": BATCH})).all()
    assert len(rows) == BATCH
    return rows


async def _bare(db: Database) -> None:
    async with db.transaction() as tx:
        await _claim(tx)


async def _fired(db: Database) -> None:
    async with db.transaction() as tx:
        claimed, published = await engine.fire_batch(tx, now=DUE, limit=BATCH, setup=SETUP)
    assert claimed == BATCH
    assert len(published) >= BATCH


async def _marks(db: Database) -> dict[str, Any]:
    """Behind which row each of the tables will be written."""
    async with db.reading() as session:
        return {
            t.name: (await session.execute(select(func.max(t.c[key])))).scalar() or first for t, key, first in _WRITTEN
        }


async def _copies(db: Database, marks: dict[str, Any]) -> tuple[list[Insert], tuple[Any, ...]]:
    """What was written behind `marks`, to be written again, and how its steps were left: values as the driver has
    them."""
    async with db.reading() as session:
        found = []
        for table, key, _ in _WRITTEN:
            new = f"SELECT * FROM {table.name} WHERE {key} > :mark ORDER BY {key}"
            rows = [dict(r) for r in (await session.execute(text(new), {"mark": marks[table.name]})).mappings()]
            for row in rows:
                if table is store.tables.outbox:
                    del row["seq"]
                else:
                    row[key] = uuid7() if key == "id" else row[key] + len(rows)
            found += [Insert(table, tuple(rows[0]), [tuple(row.values()) for row in rows])] if rows else []
        event = found[0].columns.index("payload")
        clock_id = json.loads(found[0].rows[0][event])["data"]["clock_id"]
        state = f"SELECT {', '.join(FIRED)} FROM step WHERE clock_id = :clock_id"
        return found, tuple((await session.execute(text(state), {"clock_id": clock_id})).one())


async def _floor(db: Database, copies: list[Insert], state: tuple[Any, ...]) -> None:
    """Claim, leave the steps in this state and write these rows, in one transaction and by the barest statements."""

    def write(raw: sqlite3.Connection) -> None:
        for one in copies:
            marks = ", ".join("?" * len(one.columns))
            raw.executemany(f"INSERT INTO {one.table.name} ({', '.join(one.columns)}) VALUES ({marks})", one.rows)
        moves = ", ".join(f"{c} = ?" for c in FIRED)
        steps = [(*state, *key) for key in keys]
        raw.executemany(f"UPDATE step SET {moves} WHERE clock_id = ? AND name = ?", steps)

    async with db.transaction() as tx:
        keys = [(clock_id, name) for clock_id, name, _ in await _claim(tx)]
        connection = await tx.connection()
        if db.is_sqlite:
            await in_one_hop(connection, write)
        else:
            for one in copies:
                await bulk_insert(connection, one.table, one.columns, one.rows)
            await bulk_update(connection, store.STEP, ("clock_id", "name"), FIRED, [(*key, *state) for key in keys])
        entries = sum(len(one.rows) for one in copies if one.table is store.tables.audit)
        await tx.execute(text("UPDATE audit_head SET seq = seq + :entries"), {"entries": entries})


async def _round(db: Database) -> tuple[float, float, float]:
    """Seconds for the bare claim, for firing, and for the floor, each with `BATCH` steps."""
    bare = await _seconds(lambda: _bare(db))
    marks = await _marks(db)
    fired = await _seconds(lambda: _fired(db))
    copies, state = await _copies(db, marks)
    return bare, fired, await _seconds(lambda: _floor(db, copies, state))


async def measure(url: Callable[[str], str], *, small: int, large: int, rounds: int) -> dict[str, Any]:
    """The ratios on one kind of database. `url` gives the address of a new one, migrated."""
    async with AsyncExitStack() as stack:

        def opened(name: str) -> Database:
            db = Database("sla", url(name), store.tables)
            stack.push_async_callback(db.close)
            return db

        found: dict[str, Any] = {"open": [small, large], "batch": BATCH}
        few, many = opened("few"), opened("many")
        await populate(few, max(small, 3 * BATCH), 3 * BATCH)
        await _round(few)
        before = _resident()
        await populate(many, large, 3 * BATCH * rounds)
        settle_memory()  # as in a worker
        for kind, warn in (("miss", False), ("warning", True)):
            if warn:
                await populate(many, 3 * BATCH * rounds, 3 * BATCH * rounds, first=large, warnings=_SOON)
            bare, fired, floor = zip(*[await _round(many) for _ in range(rounds)], strict=True)
            for name, taken in ((kind, fired), (f"{kind} floor", floor)):
                pairs = [t / b for t, b in zip(taken, bare, strict=True)]
                found[name] = _told(pairs, statistics.median(taken), statistics.median(bare))
        found["memory"] = {"ratio": _resident() / before, "before_mb": before, "after_mb": _resident()}
        sweeps: dict[Database, list[float]] = {few: [], many: []}
        for _ in range(100 * rounds):
            for db, taken in sweeps.items():
                taken.append(await _seconds(lambda db=db: engine.fire_due(db, lambda: DUE, SETUP)))  # type: ignore[misc]
        medians = [statistics.median(taken) for taken in sweeps.values()]
        found["empty sweep"] = _told([medians[1] / medians[0]], medians[1], medians[0])
    return found


_SOON = (WarnRule(lead=timedelta(hours=1)),)


def _told(pairs: Sequence[float], ours: float, other: float) -> dict[str, float]:
    return {
        "ratio": statistics.median(pairs),
        "lowest": min(pairs),
        "highest": max(pairs),
        "ours_ms": ours * 1e3,
        "beside_ms": other * 1e3,
    }


def _resident() -> float:
    """Of this process, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def _report(databases: dict[str, dict[str, Any]]) -> None:
    for database, found in databases.items():
        print(f"\nDeadline engine on {database}, {describe()}; {found['open'][1]:,} clocks open", file=sys.stderr)
        for name, target in TARGETS.items():
            one = found[name]
            verdict = "reached" if one["ratio"] <= target else "MISSED"
            more = f"{one['ours_ms']:.2f} ms beside {one['beside_ms']:.2f} ms" if "ours_ms" in one else ""
            print(f"  {name:12} {one['ratio']:.2f} times (target {target}: {verdict})  {more}", file=sys.stderr)
            if (floor := found.get(f"{name} floor")) is not None:
                print(f"  {'  floor':12} {floor['ratio']:.2f} times  {floor['ours_ms']:.2f} ms", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench sla", description=__doc__)
    parser.add_argument("--database", choices=KINDS, action="append")
    parser.add_argument("--small", type=int, default=SMALL)
    parser.add_argument("--large", type=int, default=LARGE)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    logs.configure("ERROR")
    how = {"small": asked.small, "large": asked.large, "rounds": asked.rounds}
    found = on_each("sla", asked.database, lambda url: measure(url, **how))
    _report(found)
    if asked.json:
        print(json.dumps({"databases": found}))
    return 0
