"""The contestants: started, loaded in turn, and asked afterwards what they have really written."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from deploy.infra.ports import free_port
from deploy.infra.postgres import Postgres
from deploy.infra.processes import Child, descendants
from services.intake import store
from shared.clock import utcnow
from shared.db import Database
from shared.migrations import migrate
from shared.security import keys
from shared.security.principal import Scope
from tests.bench.load import Figures
from tests.bench.sample import body

ROOT = Path(__file__).parents[2]
CONNECTIONS = 32
WARM_UP = 0.3  # seconds
_MIGRATIONS = ROOT / "services" / "intake" / "migrations"
_COUNTED: dict[str, dict[str, int]] = {
    "ours": {"complaint": 0, "outbox": 0, "audit": 1},  # the key's own entry
    "plain": {"complaint": 0, "outbox": 0},
    "bare": {},
}
OURS = ("ours", "plain", "bare")


@dataclass
class Contestant:
    """One HTTP process. `path` is where it takes `body`; `counted`: its tables that gain a row for each, and how many
    rows were in them before."""

    name: str
    child: Child
    port: int
    url: str | None
    counted: Mapping[str, int]
    path: str = "/v1/complaints"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default_factory=body)
    taken: int = 0

    @property
    def pids(self) -> list[int]:
        """The process that works, before the one that started it, if another did."""
        return [*descendants(self.child.pid), self.child.pid]


class Contest:
    """All contestants on one kind of database, under `home`; `postgres` None means SQLite."""

    def __init__(self, home: Path, postgres: Postgres | None, names: Collection[str] = OURS) -> None:
        self._home = home
        self._names = names
        self._postgres = postgres
        self._runs = 0
        self.contestants: dict[str, Contestant] = {}
        self._raw_url = ""

    def start(self) -> None:
        """Databases made, the servers of our own answering."""
        ours, plain, self._raw_url = (self._database(name) for name in ("ours", "plain", "raw"))
        for url in (ours, self._raw_url):
            migrate(_MIGRATIONS, url)
        secret = base64.b64encode(os.urandom(32)).decode()
        sealing = {"REDRESS_ENCRYPTION_KEYS": f"bench:{secret}", "REDRESS_PSEUDONYM_KEY": secret}
        token = asyncio.run(_key(ours))
        self._add("ours", "ours", ours, {"REDRESS_DATABASE_INTAKE": ours, **sealing}, token)
        if "plain" in self._names:
            self._add("plain", "plain", plain, {"BENCH_DATABASE": plain})
        if "bare" in self._names:
            self._add("bare", "plain", None, {})
        for one in self.contestants.values():
            one.child.wait_ready(lambda port=one.port: _answers(port), seconds=120)

    def stop(self) -> None:
        for one in self.contestants.values():
            one.child.stop(signal.SIGTERM)

    def load(self, name: str, seconds: float, limit: int) -> Figures:
        """Load one contestant for `seconds` or `limit` requests. Raises RuntimeError for any answer but a 201."""
        one = self.contestants[name]
        self._runs += 1
        spec = {
            "path": one.path,
            "headers": dict(one.headers),
            "body": one.body.decode(),
            "mark": f"{name}-{self._runs}",
            "connections": CONNECTIONS,
            "warm_up": min(WARM_UP, seconds / 2),
            "limit": limit,
            "pids": [*one.pids, os.getpid()],
        }
        file = self._home / "load.json"
        file.write_text(json.dumps(spec))
        figures = Figures(**_run("tests.bench.load", str(one.port), str(seconds), str(file)))
        one.taken += figures.taken
        if figures.refused or not figures.answered:
            raise RuntimeError(f"{name} did not take everything: {figures.first_refusal or 'no answer'}")
        return figures

    def raw(self, seconds: float) -> float:
        """Complaints a second, each with its outbox row, by the driver alone."""
        found = _run("tests.bench.raw", self._raw_url, str(seconds))
        return float(found["rows"] / found["seconds"])

    def written(self) -> dict[str, dict[str, int]]:
        """The rows of each contestant's tables. Raises RuntimeError where they are not what it has acknowledged."""
        found: dict[str, dict[str, int]] = {}
        for name, one in self.contestants.items():
            if one.url is None:
                continue
            found[name] = counts = asyncio.run(_counts(one.url, tuple(one.counted)))
            wrong = {t: n for t, n in counts.items() if n != one.taken + one.counted[t]}
            if wrong:
                raise RuntimeError(f"{name} acknowledged {one.taken} complaints, its tables hold {wrong}")
        return found

    def _database(self, name: str) -> str:
        if self._postgres is None:
            return f"sqlite+aiosqlite:///{self._home / f'{name}.db'}"
        self._postgres.create_database(name)
        return self._postgres.url(name)

    def _add(self, name: str, app: str, url: str | None, settings: dict[str, str], token: str = "") -> None:
        port = free_port()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("REDRESS_", "BENCH_"))}
        environment = {**clean, **settings, "REDRESS_HOME": str(self._home)}
        command = [sys.executable, "-m", "tests.bench.server", app, str(port)]
        child = Child(name, command, log=self._home / f"{name}.log", cwd=ROOT, env=environment)
        child.start()
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.contestants[name] = Contestant(name, child, port, url, _COUNTED[name], headers=headers)


async def _key(url: str) -> str:
    db = Database("intake", url, store.tables)
    async with db.transaction() as tx:
        new = keys.NewKey("bench", scopes=[Scope.WRITE], channels=["phone"])
        token = await keys.create(tx, store.tables, new, actor="bench", now=utcnow())
    await db.close()
    return token


async def _counts(url: str, tables: tuple[str, ...]) -> dict[str, int]:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with contextlib.closing(sqlite3.connect(str(parsed.database))) as file:
            return {t: file.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}
    connection = await asyncpg.connect(parsed.set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        return {t: await connection.fetchval(f"SELECT count(*) FROM {t}") for t in tables}
    finally:
        await connection.close()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _run(module: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
