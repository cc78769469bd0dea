"""What the deadline engine costs, in one run: `python -m tests.bench sla`.

- A sweep that finds nothing due, with 10,000 and with 1,000,000 clocks open, in turn.
- Claiming 1,000 due steps and doing what is due about them (a warning each; a miss and an escalation each), with their
  events, audit entries and notices, beside the bare statement that claims as many, in turn.
- The memory of this process after it has swept and fired with 10,000 clocks open and with 1,000,000.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from deploy.infra.install import Unavailable
from deploy.infra.postgres import Postgres
from deploy.registry import SERVICES
from services.sla import store
from services.sla.domain.policy import WarnRule
from services.sla.settings import SlaSettings
from services.sla.usecases import engine
from shared import logs
from shared.db import Database
from shared.serve import settle_memory
from tests.bench.machine import describe
from tests.component.sla.population import DUE, populate

TARGETS = {"empty sweep": 1.5, "warning": 4.0, "miss": 4.0, "memory": 1.1}
SMALL, LARGE = 10_000, 1_000_000
BATCH = 1_000
SETUP = SlaSettings().notice_setup()
_CLAIM = """
UPDATE step SET next_at = NULL WHERE (clock_id, name) IN (
  SELECT clock_id, name FROM step WHERE next_at <= :now ORDER BY next_at LIMIT :limit {lock}
) RETURNING clock_id, name, due_at
"""


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def _bare(db: Database) -> None:
    lock = "" if db.is_sqlite else "FOR UPDATE SKIP LOCKED"
    now = DUE.isoformat(" ", "microseconds")[:26] if db.is_sqlite else DUE
    async with db.transaction() as tx:
        rows = (await tx.execute(text(_CLAIM.format(lock=lock)), {"now": now, "limit": BATCH})).all()
    assert len(rows) == BATCH


async def _fired(db: Database) -> None:
    async with db.transaction() as tx:
        claimed, published = await engine.fire_batch(tx, now=DUE, limit=BATCH, setup=SETUP)
    assert claimed == BATCH
    assert len(published) >= BATCH


async def measure(url: Callable[[str], str], *, small: int, large: int, rounds: int) -> dict[str, Any]:
    """The ratios on one kind of database. `url` gives the address of a new one, migrated."""
    async with AsyncExitStack() as stack:

        def opened(name: str) -> Database:
            db = Database("sla", url(name), store.tables)
            stack.push_async_callback(db.close)
            return db

        found: dict[str, Any] = {"open": [small, large], "batch": BATCH}
        few, many = opened("few"), opened("many")
        await populate(few, small, 2 * BATCH * rounds if small >= 4 * BATCH * rounds else 0)
        await engine.fire_due(few, lambda: DUE, SETUP)
        before = _resident()
        await populate(many, large, 2 * BATCH * rounds)
        settle_memory()  # as in a worker
        for kind, warn in (("miss", False), ("warning", True)):
            if warn:
                await populate(many, 2 * BATCH * rounds, 2 * BATCH * rounds, first=large, warnings=_SOON)
            bare, fired = [], []
            for _ in range(rounds):
                bare.append(await _seconds(lambda: _bare(many)))
                fired.append(await _seconds(lambda: _fired(many)))
            pairs = [f / b for f, b in zip(fired, bare, strict=True)]
            found[kind] = _told(pairs, statistics.median(fired), statistics.median(bare))
        found["memory"] = {"ratio": _resident() / before, "before_mb": before, "after_mb": _resident()}
        sweeps: dict[Database, list[float]] = {few: [], many: []}
        for _ in range(100 * rounds):
            for db, taken in sweeps.items():
                taken.append(await _seconds(lambda db=db: engine.fire_due(db, lambda: DUE, SETUP)))  # type: ignore[misc]
        medians = [statistics.median(taken) for taken in sweeps.values()]
        found["empty sweep"] = _told([medians[1] / medians[0]], medians[1], medians[0])
    return found


_SOON = (WarnRule(lead=timedelta(hours=1)),)


def _told(pairs: list[float], ours: float, other: float) -> dict[str, float]:
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


def _sqlite(folder: Path) -> Callable[[str], str]:
    def url(name: str) -> str:
        found = f"sqlite+aiosqlite:///{folder / name}.db"
        _migrated(found)
        return found

    return url


def _postgres(server: Postgres) -> Callable[[str], str]:
    def url(name: str) -> str:
        server.create_database(f"bench_{name}")
        found = server.url(f"bench_{name}")
        _migrated(found)
        return found

    return url


def _migrated(url: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    settings = SlaSettings(database_sla=url)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(SERVICES["sla"].migrate, settings).result()


def _report(databases: dict[str, dict[str, Any]]) -> None:
    for database, found in databases.items():
        print(f"\nDeadline engine on {database}, {describe()}; {found['open'][1]:,} clocks open", file=sys.stderr)
        for name, target in TARGETS.items():
            one = found[name]
            verdict = "reached" if one["ratio"] <= target else "MISSED"
            more = f"{one['ours_ms']:.2f} ms beside {one['beside_ms']:.2f} ms" if "ours_ms" in one else ""
            print(f"  {name:12} {one['ratio']:.2f} times (target {target}: {verdict})  {more}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench sla", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres"), action="append")
    parser.add_argument("--small", type=int, default=SMALL)
    parser.add_argument("--large", type=int, default=LARGE)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    logs.configure("ERROR")
    found: dict[str, dict[str, Any]] = {}
    how = {"small": asked.small, "large": asked.large, "rounds": asked.rounds}
    with tempfile.TemporaryDirectory(prefix="redress-bench-") as folder:
        for database in asked.database or ("sqlite", "postgres"):
            if database == "sqlite":
                found[database] = asyncio.run(measure(_sqlite(Path(folder)), **how))
                continue
            try:
                server = Postgres(Path(folder) / "postgres")
                server.start()
            except Unavailable as error:
                print(f"PostgreSQL is left out: {error}", file=sys.stderr)
                continue
            try:
                found[database] = asyncio.run(measure(_postgres(server), **how))
            finally:
                server.destroy()
    _report(found)
    if asked.json:
        print(json.dumps({"databases": found}))
    return 0
