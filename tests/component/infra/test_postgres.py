"""Our own PostgreSQL comes back after a crash with all that it had acknowledged."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.infra.install import Unavailable
from deploy.infra.postgres import Postgres

pytestmark = pytest.mark.postgres


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(tmp_path / "postgres")
    try:
        server.start()
    except Unavailable as error:
        pytest.skip(str(error))
    server.create_database("desk")
    yield server
    server.destroy()


async def _write(server: Postgres, *values: int) -> asyncpg.Connection:
    """Acknowledged inserts, through a connection that is left open."""
    connection = await asyncpg.connect(server.url("desk", "postgresql"))
    await connection.execute("CREATE TABLE IF NOT EXISTS entry (n integer)")
    for value in values:
        await connection.execute("INSERT INTO entry VALUES ($1)", value)
    return connection


async def _read(server: Postgres) -> list[int]:
    connection = await asyncpg.connect(server.url("desk", "postgresql"))
    try:
        return [row["n"] for row in await connection.fetch("SELECT n FROM entry ORDER BY n")]
    finally:
        await connection.close()


async def test_what_was_committed_survives_a_crash_and_an_orderly_stop(postgres: Postgres) -> None:
    connection = await _write(postgres, 1, 2, 3)

    postgres.kill()
    assert not postgres.running
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await connection.fetchval("SELECT 1")
    postgres.start()
    assert await _read(postgres) == [1, 2, 3]

    await (await _write(postgres, 4)).close()
    postgres.stop()
    assert not postgres.running
    postgres.start()
    assert await _read(postgres) == [1, 2, 3, 4]


async def test_it_comes_back_when_only_its_first_process_was_killed(postgres: Postgres) -> None:
    connection = await _write(postgres, 1)
    assert postgres._child is not None
    os.kill(postgres._child.pid, signal.SIGKILL)
    while postgres.running:
        time.sleep(0.01)

    postgres.start()

    assert await _read(postgres) == [1]
    connection.terminate()


async def test_a_pid_file_that_names_a_strangers_process_does_not_keep_it_from_starting(postgres: Postgres) -> None:
    await (await _write(postgres, 1)).close()
    postgres.kill()
    pid_file = postgres.home / "data" / "postmaster.pid"
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        pid_file.write_text(pid_file.read_text().replace(pid_file.read_text().splitlines()[0], str(stranger.pid), 1))
        postgres.start()
    finally:
        stranger.kill()
        stranger.wait()

    assert await _read(postgres) == [1]


async def test_it_is_durable_and_speaks_utf8(postgres: Postgres) -> None:
    connection = await asyncpg.connect(postgres.url("desk", "postgresql"))
    for setting, expected in {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "server_encoding": "UTF8",
        "listen_addresses": "127.0.0.1",
    }.items():
        assert await connection.fetchval(f"SHOW {setting}") == expected
    assert await connection.fetchval("SELECT length('客戶投訴')") == 4
    await connection.close()


def test_making_a_database_twice_is_harmless_and_a_failure_is_an_error(postgres: Postgres) -> None:
    postgres.create_database("desk")
    postgres.stop()
    with pytest.raises(RuntimeError, match="refused"):
        postgres.create_database("desk")


def test_it_outlives_the_event_loop_and_the_thread_that_it_was_started_from(postgres: Postgres) -> None:
    postgres.stop()
    asyncio.run(asyncio.to_thread(postgres.start))
    time.sleep(0.2)
    assert postgres.running
    postgres.create_database("later")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's alone")
def test_it_ends_with_the_process_that_started_it(postgres: Postgres) -> None:
    postgres.stop()
    script = (
        "import os, signal, sys; from pathlib import Path; from deploy.infra.postgres import Postgres\n"
        "server = Postgres(Path(sys.argv[1])); server.start(); print(server._child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(postgres.home)], capture_output=True, text=True)

    until = time.monotonic() + 10
    while _alive(int(done.stdout)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _alive(int(done.stdout))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
