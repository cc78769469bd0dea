"""The transaction boundary: all or nothing, and an outage is told apart from a refusal."""

import asyncio
import sqlite3
from contextlib import suppress
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import MetaData, exc, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit, outbox
from shared.cloudevents import decode
from shared.db import Database, SystemTables, database, is_outage
from shared.db.bulk import MANY
from shared.errors import Conflict, Unavailable

POSTGRES = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


async def _everything(desk: Any) -> tuple[int, int, int]:
    """How many things, events and audit entries there are."""
    return tuple([await desk.scalar(f"SELECT count(*) FROM {t}") for t in ("thing", "outbox", "audit")])  # type: ignore[return-value]


async def _do(desk: Any, tx: AsyncSession, id: str) -> None:
    await tx.execute(desk.things.insert().values(id=id))
    outbox.add(tx, desk.event(), now=desk.now)
    audit.add(tx, "me", "thing.done", id, now=desk.now)


async def test_state_event_and_audit_entry_are_committed_together(desk: Any) -> None:
    woken = []
    desk.db.wakers.append(lambda: woken.append(1))
    async with desk.db.transaction() as tx:
        await _do(desk, tx, "a")
        assert woken == []
    assert await _everything(desk) == (1, 1, 1)
    assert woken == [1]


@pytest.mark.parametrize("count", [MANY - 1, MANY, 2 * MANY])
async def test_many_events_and_entries_are_written_like_few(desk: Any, count: int) -> None:
    for round in range(2):  # the second begins behind the first
        async with desk.db.transaction() as tx:
            for n in range(count):
                outbox.add(tx, desk.event(f"c-{round}-{n}"), now=desk.now)
                audit.add(tx, "me", "thing.done", f"c-{round}-{n}", now=desk.now, detail={"原因": n})
    ids = [f"c-{round}-{n}" for round in range(2) for n in range(count)]
    assert await desk.column("SELECT key FROM outbox ORDER BY seq") == ids
    assert await desk.column("SELECT subject FROM audit ORDER BY seq") == ids
    told = [decode(payload) for payload in await desk.column("SELECT payload FROM outbox ORDER BY seq")]
    assert [one.data for one in told] == [desk.event(id) for id in ids]
    rows = [row async for row in audit.export(desk.db)]
    assert audit.verify(rows, expected_head=await audit.head(desk.db)).broken_at is None


@POSTGRES
async def test_many_rows_keep_to_what_a_column_holds_like_few(desk: Any) -> None:
    with pytest.raises(Exception, match="too long"):  # noqa: PT012
        async with desk.db.transaction() as tx:
            for n in range(MANY):
                outbox.add(tx, desk.event("c" * (65 if n == 7 else 1)), now=desk.now)
    assert await _everything(desk) == (0, 0, 0)


async def test_an_error_undoes_all_of_it_and_comes_through_as_it_is(desk: Any) -> None:
    woken = []
    desk.db.wakers.append(lambda: woken.append(1))
    with pytest.raises(Conflict, match="no longer"):  # noqa: PT012
        async with desk.db.transaction() as tx:
            await _do(desk, tx, "a")
            raise Conflict
    assert await _everything(desk) == (0, 0, 0)
    assert woken == []


async def test_a_failure_while_the_event_is_written_undoes_the_state(desk: Any) -> None:
    await desk.execute("DROP TABLE outbox")
    with pytest.raises(Exception, match="outbox"):
        async with desk.db.transaction() as tx:
            await _do(desk, tx, "a")
    assert await desk.scalar("SELECT count(*) FROM thing") == 0
    assert await desk.scalar("SELECT count(*) FROM audit") == 0


async def test_an_error_that_is_caught_inside_leaves_the_rest_to_be_committed(desk: Any) -> None:
    async with desk.db.transaction() as tx:
        await _do(desk, tx, "a")
        with pytest.raises(exc.IntegrityError):
            async with tx.begin_nested():
                await tx.execute(desk.things.insert().values(id="a"))
        await _do(desk, tx, "b")
    assert await desk.column("SELECT id FROM thing ORDER BY id") == ["a", "b"]


async def test_a_cancelled_unit_of_work_leaves_nothing_and_blocks_nobody(desk: Any) -> None:
    entered = asyncio.Event()

    async def slow() -> None:
        async with desk.db.transaction() as tx:
            await _do(desk, tx, "a")
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(slow())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5), desk.db.transaction() as tx:
        await _do(desk, tx, "b")
    assert await desk.column("SELECT id FROM thing") == ["b"]


async def test_the_hot_path_without_the_orm_keeps_the_same_promise(desk: Any) -> None:
    async with desk.db.connection() as (connection, pending):
        await connection.execute(desk.things.insert().values(id="a"))
        pending.events.append(outbox.row(desk.event(), now=desk.now))
        pending.audit.append(audit.entry("me", "thing.done", "a", now=desk.now))
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with desk.db.connection() as (connection, pending):
            await connection.execute(desk.things.insert().values(id="b"))
            pending.events.append(outbox.row(desk.event(), now=desk.now))
            raise RuntimeError
    assert await _everything(desk) == (1, 1, 1)


async def test_many_writers_at_once_all_get_through(desk: Any) -> None:
    async def one(n: int) -> None:
        async with desk.db.transaction() as tx:
            await _do(desk, tx, f"t{n}")

    await asyncio.gather(*(one(n) for n in range(60)))
    assert await _everything(desk) == (60, 60, 60)


async def test_times_are_kept_in_utc_to_the_millisecond_and_naive_ones_are_refused(desk: Any) -> None:
    table = desk.tables.heartbeat
    local = desk.now.replace(microsecond=123000).astimezone(timezone(timedelta(hours=8)))
    async with desk.db.transaction() as tx:
        await tx.execute(table.insert().values(process="p", at=local, detail="{}"))
    async with desk.db.reading() as session:
        found = (await session.execute(table.select())).one()
    assert found.at == local
    assert found.at.utcoffset() == timedelta(0)
    with pytest.raises(exc.StatementError, match="without an offset"):
        async with desk.db.transaction() as tx:
            await tx.execute(table.insert().values(process="q", at=local.replace(tzinfo=None), detail="{}"))


# --- outages ---


@POSTGRES
async def test_while_postgresql_is_away_everything_says_so_and_later_works_again(
    desk: Any, postgres: Any, eventually: Any
) -> None:
    async with desk.db.transaction() as tx:
        await _do(desk, tx, "before")
    with pytest.raises(Unavailable):  # noqa: PT012
        async with desk.db.transaction() as tx:
            await _do(desk, tx, "during")
            await asyncio.to_thread(postgres.kill)
            await tx.execute(text("SELECT 1"))
    try:
        with pytest.raises(Unavailable):
            async with desk.db.transaction() as tx:
                await _do(desk, tx, "after")
        with pytest.raises(Unavailable):
            async with desk.db.connection() as (connection, _):
                await connection.execute(desk.things.insert().values(id="x"))
        with pytest.raises(Unavailable):
            await desk.scalar("SELECT 1")
        with pytest.raises(Unavailable):
            await desk.db.ping()
    finally:
        await asyncio.to_thread(postgres.start)

    async def answers() -> bool:
        try:
            await desk.db.ping()
        except Unavailable:
            return False
        return True

    assert await eventually(answers, within=20)
    assert await desk.column("SELECT id FROM thing") == ["before"]


@POSTGRES
async def test_a_backend_that_is_ended_between_statements_is_an_outage(desk: Any) -> None:
    with pytest.raises(Unavailable):  # noqa: PT012
        async with desk.db.transaction() as tx:
            pid = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with desk.db.engine.connect() as other:
                await other.execute(text(f"SELECT pg_terminate_backend({pid})"))
            await tx.execute(text("SELECT 1"))
    await desk.db.ping()


@POSTGRES
async def test_a_transaction_left_open_without_a_word_is_ended_and_blocks_nobody(
    desk: Any, open_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database._SESSION, "idle_in_transaction_session_timeout", "1s")
    stopped, other = (await open_database(desk.db.url)).db, (await open_database(desk.db.url)).db
    with pytest.raises(Unavailable):  # noqa: PT012
        async with stopped.transaction() as tx:
            await tx.execute(desk.things.insert().values(id="a"))
            async with other.transaction() as tx2:  # waits for the row until the server takes it from the first
                await tx2.execute(desk.things.insert().values(id="a"))
            await _do(desk, tx, "b")
    assert await _everything(desk) == (1, 0, 0)
    async with stopped.transaction() as tx:  # its pool is fit again
        await _do(desk, tx, "c")
    assert await _everything(desk) == (2, 1, 1)


@POSTGRES
@pytest.mark.parametrize("way", ["transaction", "connection"])
async def test_a_server_that_stops_at_any_moment_is_an_outage_and_nothing_else(
    desk: Any, way: str, eventually: Any
) -> None:
    told: list[BaseException] = []
    pids: dict[int, int] = {}
    ending = False

    async def work(worker: int) -> None:
        while not ending:
            try:
                async with getattr(desk.db, way)() as unit:
                    connection = unit[0] if way == "connection" else unit
                    pids[worker] = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
                    await connection.execute(text("SELECT 1"))
            except Unavailable:
                pass
            except Exception as error:
                told.append(error)

    workers = [asyncio.create_task(work(n)) for n in range(4)]
    try:
        for _ in range(100):
            await asyncio.sleep(0.01)
            ended = ", ".join(map(str, pids.values()))
            with suppress(Unavailable):  # its own session may have been among those ended the last time
                await desk.column(f"SELECT pg_terminate_backend(pid) FROM unnest('{{{ended}}}'::int[]) AS t(pid)")
    finally:
        ending = True
        await asyncio.gather(*workers)
    assert told == []

    async def answers() -> bool:
        with suppress(Unavailable):
            await desk.db.ping()
            return True
        return False

    assert await eventually(answers, within=10)


async def test_a_sqlite_file_in_a_folder_that_is_missing_is_made(tmp_path: Path, open_database: Any) -> None:
    desk = await open_database(f"sqlite+aiosqlite:///{tmp_path / 'a' / 'b' / 'c.db'}")
    await desk.db.ping()
    assert (tmp_path / "a" / "b" / "c.db").exists()


@pytest.mark.usefixtures("threads_end")
async def test_a_sqlite_file_that_cannot_be_opened_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    db = Database("intake", f"sqlite+aiosqlite:///{tmp_path / 'taken'}", SystemTables(MetaData()))
    with pytest.raises(Unavailable):
        await db.ping()
    await db.close()


@SQLITE
async def test_sqlite_is_as_durable_as_it_can_be(desk: Any) -> None:
    assert await desk.scalar("PRAGMA journal_mode") == "wal"
    assert await desk.scalar("PRAGMA synchronous") == 2  # FULL
    assert await desk.scalar("PRAGMA foreign_keys") == 1


def _sqlalchemy(kind: type[exc.DBAPIError], origin: BaseException) -> exc.DBAPIError:
    return kind("SELECT", {}, origin)  # type: ignore[arg-type]


def _server(state: str) -> asyncpg.PostgresError:
    found: asyncpg.PostgresError = asyncpg.PostgresError.new({"C": state, "M": "m"})  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (Unavailable(), True),
        (exc.TimeoutError(), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.InternalClientError("another operation is in progress"), True),  # a session ended, its socket not yet
        (_server("57P01"), True),  # the administrator ended it
        (_server("53300"), True),  # too many connections
        (_server("40P01"), True),  # a deadlock: again
        (_server("25006"), True),  # a standby
        (_server("08006"), True),
        (_server("23505"), False),
        (_server("22001"), False),
        (_server("42P01"), False),
        (_sqlalchemy(exc.OperationalError, sqlite3.OperationalError("database is locked")), True),
        (_sqlalchemy(exc.OperationalError, sqlite3.OperationalError("disk I/O error")), True),
        (_sqlalchemy(exc.OperationalError, sqlite3.OperationalError("database or disk is full")), True),
        (_sqlalchemy(exc.OperationalError, sqlite3.OperationalError("no such table: x")), False),
        (_sqlalchemy(exc.IntegrityError, sqlite3.IntegrityError("UNIQUE constraint failed: locked.id")), False),
        (ValueError(), False),
        (KeyError("locked"), False),
        (Conflict(), False),
    ],
    ids=lambda v: f"{type(v).__name__} {v}"[:60] if isinstance(v, BaseException) else "",
)
def test_an_outage_is_told_apart_from_a_refusal(error: BaseException, away: bool) -> None:
    assert is_outage(error) is away
    if isinstance(error, asyncpg.PostgresError):
        wrapped = RuntimeError()
        wrapped.__cause__ = error
        assert is_outage(_sqlalchemy(exc.DBAPIError, wrapped)) is away
