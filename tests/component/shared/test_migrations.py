"""Migrations on a PostgreSQL in use hold up neither readers nor writers, and begin anew where they were broken off.

The table here has an index that takes two seconds to build, however quick the machine: its function sleeps.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from deploy.infra.processes import Child
from shared.migrations import migrate as migrate_here
from shared.migrations import running

pytestmark = [
    pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True),
    pytest.mark.timeout(300),
]
BUILD = 2.0  # seconds
_ROWS = 1000
_TABLE = f"""
CREATE TABLE thing (id text PRIMARY KEY, body text NOT NULL);
INSERT INTO thing SELECT to_char(n, '000000'), 'body ' || n FROM generate_series(1, {_ROWS}) AS n;
CREATE TABLE step_done (name text);
CREATE FUNCTION slow(body text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN PERFORM pg_sleep({BUILD / _ROWS}); RETURN body; END $$;
"""
_ENV = "from sqlalchemy import MetaData\n\nfrom shared import migrations\n\nmigrations.run(MetaData())\n"
_VERSION = """
import sqlalchemy as sa
from alembic import op

from shared import migrations

revision = "{revision}"
down_revision = {before!r}


def upgrade():
    {steps}
"""
COLUMN = 'migrations.column("thing", sa.Column("state", sa.String(9), nullable=False, server_default="new"))'
FILL = """migrations.fill("thing", "id", "state = 'old'", where="state = 'new' AND id <= ' 000900'")"""
INDEX = 'migrations.index("thing_slow", "thing", [sa.text("slow(body)")])'
TOLD = "op.execute(\"INSERT INTO step_done VALUES ('{}')\")"


def write_migrations(folder: Path, *versions: tuple[str, ...]) -> Path:
    """A folder of migrations `0001`, ..., each of these steps."""
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(_ENV)
    for n, steps in enumerate(versions, 1):
        before = f"{n - 1:04}" if n > 1 else None
        source = _VERSION.format(revision=f"{n:04}", before=before, steps="\n    ".join(steps))
        (folder / "versions" / f"{n:04}_step.py").write_text(source)
    return folder


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


@pytest.fixture
async def thing(database_url: str) -> AsyncIterator[Any]:
    """A connection to a database with the table."""
    async with connected(database_url) as connection:
        await connection.execute(_TABLE)
        yield connection


class Users:
    """Some who write and read all the time; `longest` is what the slowest of them waited for an answer, in seconds."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = asyncio.Event()
        self.longest = 0.0
        self.done = 0

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator["Users"]:
        async with asyncio.TaskGroup() as group:
            for n in range(4):
                group.create_task(self._use(n))
            await asyncio.sleep(0.2)
            try:
                yield self
            finally:
                self._stop.set()

    async def _use(self, n: int) -> None:
        async with connected(self._url) as connection:
            while not self._stop.is_set():
                began = time.monotonic()
                await connection.execute("INSERT INTO thing (id, body) VALUES (gen_random_uuid()::text, 'new')")
                await connection.execute("UPDATE thing SET body = body || '.' WHERE id = $1", f" {n + 1:06}")
                await connection.fetch("SELECT * FROM thing ORDER BY id LIMIT 5")
                self.longest = max(self.longest, time.monotonic() - began)
                self.done += 1
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("how", "waits"), [(INDEX, False), ('op.create_index("thing_slow", "thing", [sa.text("slow(body)")])', True)]
)
async def test_an_index_is_built_while_others_write(
    thing: Any, database_url: str, tmp_path: Path, how: str, waits: bool
) -> None:
    folder = write_migrations(tmp_path / "m", (COLUMN, FILL, how))
    async with Users(database_url).at_work() as users:
        await asyncio.to_thread(migrate_here, folder, database_url)
        during = users.done
    print(f"{how}: longest {users.longest:.3f} s, {during} rounds")
    assert (users.longest > BUILD / 2) is waits, "the plain one shows what it would be"
    assert await thing.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'thing_slow'::regclass")
    assert await thing.fetchval("SELECT count(*) FROM thing WHERE state = 'old'") == 900


async def test_a_change_gives_way_to_a_long_reader_and_comes_again(
    thing: Any, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr(running, "_PAUSES", (0.2,))
    folder = write_migrations(
        tmp_path / "m", (TOLD.format("column"), 'op.add_column("thing", sa.Column("a", sa.Text))')
    )
    async with connected(database_url) as reader, Users(database_url).at_work() as users:
        reading = reader.transaction()
        await reading.start()
        await reader.fetch("SELECT * FROM thing LIMIT 1")
        with capture_logs() as said:
            began = time.monotonic()
            migrating = asyncio.create_task(asyncio.to_thread(migrate_here, folder, database_url))
            while len([one for one in said if one["event"] == "migrations.wait"]) < 5:
                assert not migrating.done(), "it cannot pass the reader"
                await asyncio.sleep(0.05)
            read_for = time.monotonic() - began
            await reading.rollback()
            await migrating
    print(f"read for {read_for:.2f} s; longest {users.longest:.3f} s in {users.done} rounds")
    assert users.longest < read_for / 2, "who came after the change did not wait for the reader"
    assert await thing.fetchval("SELECT count(*) FROM step_done") == 1, "what a try did that gave way is gone"
    assert await thing.fetchval("SELECT count(a) FROM thing") == 0


async def test_a_migrator_gives_up_in_the_end(
    thing: Any, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "PATIENCE", 0.5)
    folder = write_migrations(tmp_path / "m", (TOLD.format("one"),))
    await thing.execute(f"SELECT pg_advisory_lock({running._ONE_MIGRATOR})")
    with pytest.raises(running.Busy, match="another migrator"):
        await asyncio.to_thread(migrate_here, folder, database_url)


_SCRIPT = "import pathlib, sys; from shared.migrations import migrate; migrate(pathlib.Path(sys.argv[1]), sys.argv[2])"


class Migrator(Child):
    """A migrator as a process of its own: it can be killed, and two can run at once."""

    def __init__(self, folder: Path, url: str, log: Path) -> None:
        super().__init__("migrate", [sys.executable, "-c", _SCRIPT, str(folder), url], log=log)

    def said(self) -> str:
        return self.last_words(1000)


async def test_a_killed_migrator_is_followed_by_one_that_builds_its_index_anew(
    thing: Any, database_url: str, tmp_path: Path, eventually: Callable[..., Awaitable[Any]]
) -> None:
    folder = write_migrations(tmp_path / "m", (COLUMN, INDEX))
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('thing_slow')"
    backends = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'redress-migrate'"
    migrator = Migrator(folder, database_url, tmp_path / "first.log")
    async with connected(database_url) as other:
        looking = other.transaction(isolation="repeatable_read")  # a concurrent index waits for such a one to end
        await looking.start()
        await other.fetch("SELECT * FROM step_done")
        migrator.start()

        async def begun() -> bool:
            return await thing.fetchval(valid) is False

        try:
            assert await eventually(begun, within=120), migrator.said()
        finally:
            await asyncio.to_thread(migrator.kill)

        async def gone() -> bool:
            return bool(await thing.fetchval(backends) == 0)

        assert await eventually(gone, within=60), "the server has noticed that its client is no more"
        await looking.rollback()
    assert await thing.fetchval(valid) is False, "half an index is left"
    assert await thing.fetchval("SELECT count(*) FROM alembic_version") == 0, "and it is not known as done"
    await asyncio.to_thread(migrate_here, folder, database_url)
    assert await thing.fetchval(valid) is True
    assert await thing.fetchval("SELECT version_num FROM alembic_version") == "0001"


async def test_two_migrators_at_once_do_each_step_once(
    thing: Any, database_url: str, tmp_path: Path, eventually: Callable[..., Awaitable[Any]]
) -> None:
    """Neither waits inside a statement: the index of the one would wait for the snapshot of the other, for ever."""
    folder = write_migrations(tmp_path / "m", (TOLD.format("a"),), (INDEX, TOLD.format("b")), (TOLD.format("c"),))
    both = [Migrator(folder, database_url, tmp_path / f"{n}.log") for n in range(2)]
    await thing.execute(f"SELECT pg_advisory_lock({running._ONE_MIGRATOR})")
    try:
        for one in both:
            one.start()
        assert await eventually(lambda: all("another migrator" in one.said() for one in both), within=120)
        await thing.execute(f"SELECT pg_advisory_unlock({running._ONE_MIGRATOR})")
        assert await eventually(lambda: not any(one.running for one in both), within=120)
    finally:
        for one in both:
            one.kill()
    assert [one.exit_code for one in both] == [0, 0], [one.said() for one in both]
    assert [row["name"] for row in await thing.fetch("SELECT name FROM step_done ORDER BY name")] == ["a", "b", "c"]
    assert await thing.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'thing_slow'::regclass")
