"""One database's part in a backup: stand still, take a snapshot, go on, copy. See the package's docstring for why."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import asyncpg
from sqlalchemy.engine import make_url

from deploy.infra import install

_LOCK_AT_MOST = 1.0  # seconds for which a service waits while the others do not stand still yet
_PATIENCE = 60.0


class BackupFailed(Exception):
    """Nothing usable was made, or restored; `str()` says why, for people."""


@dataclass(frozen=True, slots=True)
class State:
    """What the snapshot holds: the schema's revision, the end of the audit chain, events not yet published."""

    revision: str
    audit_entries: int
    audit_head: str
    unsent: int


class Source(Protocol):
    kind: Literal["sqlite", "postgres"]

    async def hold(self) -> bool:
        """Let nobody write events any more; False when somebody has been writing for too long."""
        ...

    async def look(self) -> None:
        """Begin the snapshot."""
        ...

    async def release(self) -> None:
        """Let everybody go on. Harmless where nothing is held."""
        ...

    async def state(self) -> State: ...

    async def copy(self, target: Path) -> None:
        """Write the snapshot to `target`. Raises BackupFailed."""
        ...

    async def close(self) -> None: ...


_STATE = (
    "SELECT version_num FROM alembic_version",
    "SELECT seq, hash FROM audit_head",
    "SELECT count(*) FROM outbox WHERE sent_at IS NULL",
)


class Sqlite:
    """SQLite has one writer at a time: whoever holds its lock is alone. Readers go on throughout (WAL)."""

    kind: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise BackupFailed(f"there is no database {path}")
        options: dict[str, Any] = {"isolation_level": None, "check_same_thread": False}
        self._holder = sqlite3.connect(path, timeout=_LOCK_AT_MOST, **options)
        self._reader = sqlite3.connect(path, timeout=15, **options)

    async def hold(self) -> bool:
        try:
            await asyncio.to_thread(self._holder.execute, "BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                return False
            raise BackupFailed(str(error)) from error
        return True

    async def look(self) -> None:
        self._reader.execute("BEGIN")
        self._reader.execute(_STATE[0]).fetchone()  # the snapshot is that of the first read

    async def release(self) -> None:
        if self._holder.in_transaction:
            self._holder.execute("ROLLBACK")

    async def state(self) -> State:
        (revision,), head, (unsent,) = (self._reader.execute(one).fetchone() for one in _STATE)
        return State(revision, head[0], head[1], unsent)

    async def copy(self, target: Path) -> None:
        def write() -> None:
            with contextlib.closing(sqlite3.connect(target)) as out:
                self._reader.backup(out)  # within the transaction that `look` began
                out.execute("PRAGMA journal_mode = DELETE")  # one file, complete in itself
                (found,) = out.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise BackupFailed(f"the copy {target.name} is damaged: {found}")

        await asyncio.to_thread(write)

    async def close(self) -> None:
        self._holder.close()
        self._reader.close()


class Postgres:
    """The lock is on the outbox alone: one lock cannot end in a deadlock, and nothing travels but by the outbox."""

    kind: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, url: str) -> None:
        self._url = url
        self._holder: Any = None
        self._reader: Any = None
        self._snapshot = ""

    async def hold(self) -> bool:
        if self._reader is None:
            self._holder, self._reader = await _connect(self._url), await _connect(self._url)
        await self._holder.execute(f"BEGIN; SET LOCAL lock_timeout = '{int(_LOCK_AT_MOST * 1000)}ms'")
        try:
            await self._holder.execute("LOCK TABLE outbox IN SHARE MODE")
        except asyncpg.LockNotAvailableError:
            return False
        return True

    async def look(self) -> None:
        await self._reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        self._snapshot = await self._reader.fetchval("SELECT pg_export_snapshot()")

    async def release(self) -> None:
        if self._holder is not None:
            await self._holder.execute("ROLLBACK")

    async def state(self) -> State:
        revision, head, unsent = [await self._reader.fetchrow(one) for one in _STATE]
        return State(revision[0], head[0], head[1], unsent[0])

    async def copy(self, target: Path) -> None:
        snapshot = f"--snapshot={self._snapshot}"
        await run_program("pg_dump", self._url, snapshot, "--format=custom", "--no-owner", f"--file={target}")

    async def close(self) -> None:
        for connection in (self._holder, self._reader):
            if connection is not None:
                with contextlib.suppress(Exception):
                    await connection.close(timeout=5)


def source(url: str) -> Source:
    """The database at `url`. Raises BackupFailed where there is none."""
    parsed = make_url(url)
    return Sqlite(Path(parsed.database or "")) if parsed.get_backend_name() == "sqlite" else Postgres(url)


async def stand_still(sources: Sequence[Source]) -> float:
    """Begin a snapshot of each of `sources` while none of them can tell anything; for how long they stood, in seconds.

    Raises BackupFailed when that never comes about, as when somebody writes for a minute on end.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        began = time.monotonic()
        try:
            held = True
            for one in sources:
                held = held and await one.hold()
            if held:
                for one in sources:
                    await one.look()
        finally:
            for one in sources:
                await one.release()
        if held:
            return time.monotonic() - began
        if time.monotonic() > until:
            raise BackupFailed("the services never stood still together; somebody writes without end")
        await asyncio.sleep(0.2)  # those who waited for us go first


async def run_program(name: str, url: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on the database at `url`. The password goes by the environment, which others on
    the machine do not see, unlike arguments. Raises BackupFailed with what it said."""
    found = shutil.which(name)
    if (programs := install.find_postgres()) is not None and (programs / name).is_file():
        found = str(programs / name)  # of the server's own version, where there is one on this machine
    if found is None:
        raise BackupFailed(f"{name} is not here; install PostgreSQL's client programs (postgresql-client)")
    process = await asyncio.create_subprocess_exec(
        found,
        *arguments,
        env={**_of_ours(os.environ), **_as_environment(url)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode:
        raise BackupFailed(f"{name} failed: {said.decode(errors='replace').strip()[-2000:]}")


def _of_ours(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(("PG", "REDRESS_"))}


def _as_environment(url: str) -> dict[str, str]:
    parsed = make_url(url)
    known = {
        "PGHOST": parsed.host,
        "PGPORT": parsed.port and str(parsed.port),
        "PGUSER": parsed.username,
        "PGPASSWORD": parsed.password,
        "PGDATABASE": parsed.database,
        "PGSSLMODE": parsed.query.get("ssl") or parsed.query.get("sslmode"),
    }
    return {name: str(value) for name, value in known.items() if value}


async def _connect(url: str) -> Any:
    try:
        return await connect(url)
    except (OSError, asyncpg.PostgresError) as error:
        raise BackupFailed(f"a database cannot be reached: {type(error).__name__}") from error


async def connect(url: str) -> Any:
    """A plain connection of the driver's to the database at `url`."""
    return await asyncpg.connect(plain(url), timeout=10)


def plain(url: str) -> str:
    """`url` as the driver itself takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
