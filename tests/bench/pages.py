"""How long a service takes for each page of its staff, and how heavy it is, with many complaints in the tables:
`python -m tests.bench pages`.

A desk is filled by `redress demo`, and what it holds is multiplied (`crowd`); the figures' tables are filled as for
their own benchmark (`facts`). Each page is asked for in this process, by the role that may do the most there. A page of
one thing is asked for as the lists name the first.
"""

import argparse
import asyncio
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from fastapi import FastAPI

from deploy import dev_keys
from deploy.registry import SERVICES
from shared import logs
from shared.db import Database
from tests.bench import crowd
from tests.bench.facts import populate
from tests.bench.machine import describe
from tests.chaos.sites import DeskSite
from tests.every_page import address, links, of_complaint, pages

TARGETS = {"ms": 50.0, "kilobytes": 100.0}
COMPLAINTS = 100_000
FIGURES_AT = datetime(2025, 6, 30, 4, tzinfo=UTC)  # the day of `facts.TODAY`


@dataclass(frozen=True, slots=True)
class Line:
    """A page: milliseconds at the median, and bytes of its HTML."""

    service: str
    path: str
    ms: float
    size: int


def fill(home: Path, complaints: int) -> dict[str, str]:
    """Make `home` a desk's with so many complaints; its development keys."""
    site = DeskSite(home)
    site.start_and_wait()
    try:
        demo = [sys.executable, "-m", "deploy.cli", "demo", "--url", f"http://127.0.0.1:{site.port}"]
        subprocess.run([*demo, "--home", str(home)], check=True, stdout=subprocess.DEVNULL)
        _wait_for_quiet(site.port)
    finally:
        site.process.stop(seconds=20)
    there = crowd.count(home / "intake.db", "complaint")
    for name in ("intake", "routing", "sla"):
        crowd.multiply(home / f"{name}.db", -(-complaints // there))
    return dict(site.tokens)


def _wait_for_quiet(port: int) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        health = httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=10).json()
        waiting = [one["checks"].get("outbox", {}).get("depth", 0) for one in health["services"].values()]
        if not any(waiting):
            return
        time.sleep(0.5)
    raise TimeoutError("the desk did not come to rest")


@asynccontextmanager
async def _client(app: FastAPI, root: str, token: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, root_path=root)
    headers = {"authorization": f"Bearer {token}", "accept": "text/html"}
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.bench", headers=headers) as client:
        yield client


async def measure(home: Path, keys: dict[str, str], *, complaints: int, rounds: int) -> list[Line]:
    """Each page of each service."""
    found = []
    with sqlite3.connect(home / "routing.db") as routing:
        # one of those that were multiplied: what is sealed for it opens for no other
        (complaint,) = routing.execute("SELECT max(key) FROM outbox WHERE type LIKE '%.routed.v1'").fetchone()
    for name, service in SERVICES.items():
        settings = service.settings(home=home)
        if name == "reporting":
            (home / "reporting.db").unlink(missing_ok=True)
            service.migrate(settings)
            keys_of = service.database(settings)
            await _plant(keys_of, keys)
            await populate(keys_of, complaints)
            await keys_of.close()
        db = service.database(settings)
        app = service.app(settings, db)
        if name == "reporting":
            app.state.clock = lambda: FIGURES_AT
        async with app.router.lifespan_context(app):
            found += [line async for line in _each(name, app, keys, rounds, complaint)]
    return found


async def _plant(db: Database, keys: dict[str, str]) -> None:
    await dev_keys.plant({"reporting": db}, {name: keys[name] for name in dev_keys.KEYS if name in keys})


async def _each(name: str, app: FastAPI, keys: dict[str, str], rounds: int, complaint: str) -> AsyncIterator[Line]:
    """The pages without parameters, then those that they lead to, one of each kind."""
    every = list(pages(app))
    seen = of_complaint(complaint)
    for path, role in sorted(every, key=lambda one: one[0].count("{")):
        async with _client(app, f"/{name}", keys[role]) as client:
            at = address(path, seen)
            if at is None:
                print(f"  {name} {path}: nothing leads to one", file=sys.stderr)
                continue
            taken = []
            for _ in range(rounds):
                began = time.perf_counter()
                answer = await client.get(f"/{name}{at}")
                taken.append((time.perf_counter() - began) * 1e3)
            if answer.status_code != 200:
                print(f"  {name} {at}: {answer.status_code}", file=sys.stderr)
                continue
            seen |= links(answer.text, f"/{name}")
            yield Line(name, path, statistics.median(taken[1:] or taken), len(answer.content))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench pages", description=__doc__)
    parser.add_argument("--complaints", type=int, default=COMPLAINTS)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--home", type=Path, help="a home that was filled before; kept")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    logs.configure("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        home = asked.home or Path(folder) / "home"
        if (home / "dev-keys.json").exists():
            keys = json.loads((home / "dev-keys.json").read_text())
        else:
            keys = fill(home, asked.complaints)
        lines = asyncio.run(measure(home, keys, complaints=asked.complaints, rounds=asked.rounds))
    print(f"\nPages with {asked.complaints:,} complaints, {describe()}", file=sys.stderr)
    for line in lines:
        told = f"{line.ms:7.1f} ms {line.size / 1000:6.1f} kB"
        over = line.ms > TARGETS["ms"] or line.size / 1000 > TARGETS["kilobytes"]
        print(f"  {line.service:10} {line.path:50} {told}{'  MISSED' if over else ''}", file=sys.stderr)
    if asked.json:
        print(
            json.dumps([{"service": one.service, "path": one.path, "ms": one.ms, "bytes": one.size} for one in lines])
        )
    return 0
