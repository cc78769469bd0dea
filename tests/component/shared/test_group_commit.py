"""Group commit: many requests, one commit, and each is answered for itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared import audit, outbox
from shared.db import GroupCommit, Pending
from shared.db.bulk import bulk_insert
from shared.errors import Conflict, Overloaded, Unavailable

POSTGRES = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
BAD = "much longer than twenty characters"


class Writer:
    """Writes things; one that is there already is answered with `again:<n>`, one named `refused` with an error."""

    def __init__(self, desk: Any, **options: Any) -> None:
        self.desk = desk
        self.groups: list[list[str]] = []
        self.after_look: Any = None
        self.group = GroupCommit[tuple[str, int], str](desk.db, self.write, **{"lanes": 1, **options})

    async def write(
        self, connection: AsyncConnection, pending: Pending, items: Sequence[tuple[str, int]]
    ) -> list[str | Conflict]:
        self.groups.append([id for id, _ in items])
        things = self.desk.things
        found = await connection.execute(select(things.c.id, things.c.n).where(things.c.id.in_([i for i, _ in items])))
        there = {r.id: r.n for r in found}
        if self.after_look is not None:
            await self.after_look()
        results: list[str | Conflict] = []
        rows = []
        for id, n in items:
            if id == "boom":
                raise RuntimeError("boom")
            if id == "refused":
                results.append(Conflict())
            elif id in there:
                results.append(f"again:{there[id]}")
            else:
                there[id] = n
                rows.append((id, n))
                results.append(f"new:{n}")
                pending.events.append(outbox.row(self.desk.event(id[:20]), now=self.desk.now))
                pending.audit.append(audit.entry("me", "thing", id[:20], now=self.desk.now))
        await bulk_insert(connection, things, ("id", "n"), rows)
        return results

    async def many(self, *ids: str) -> list[Any]:
        return await asyncio.gather(*(self.group.submit((id, n)) for n, id in enumerate(ids)), return_exceptions=True)


@pytest.fixture
async def writer(desk: Any) -> AsyncIterator[Writer]:
    found = Writer(desk)
    found.group.start()
    yield found
    await found.group.stop()


async def test_requests_that_arrive_together_share_commits(writer: Writer) -> None:
    answers = await writer.many(*(f"t{n}" for n in range(300)))

    assert answers == [f"new:{n}" for n in range(300)]
    assert len(writer.groups) <= 5
    assert max(map(len, writer.groups)) == 128
    for table in ("thing", "outbox", "audit"):
        assert await writer.desk.scalar(f"SELECT count(*) FROM {table}") == 300


@pytest.mark.parametrize("bad", ["boom", BAD])
@pytest.mark.parametrize("place", [0, 17, 39])
async def test_one_bad_row_harms_no_neighbour(writer: Writer, bad: str, place: int) -> None:
    if bad == BAD and writer.desk.db.is_sqlite:
        pytest.skip("SQLite keeps texts of any length")
    ids = [f"t{n}" for n in range(40)]
    ids[place] = bad
    answers = await writer.many(*ids)

    assert isinstance(answers[place], Exception)
    good = [a for n, a in enumerate(answers) if n != place]
    assert good == [f"new:{n}" for n in range(40) if n != place]
    for table in ("thing", "outbox", "audit"):
        assert await writer.desk.scalar(f"SELECT count(*) FROM {table}") == 39
    async with writer.desk.db.reading() as session:
        rows = [dict(r) for r in (await session.execute(select(writer.desk.tables.audit))).mappings()]
    assert audit.verify(sorted(rows, key=lambda r: r["seq"])).broken_at is None


async def test_several_bad_rows_harm_nobody_either(writer: Writer) -> None:
    ids = ["boom" if n % 5 == 0 else f"t{n}" for n in range(30)]
    answers = await writer.many(*ids)
    assert [isinstance(a, RuntimeError) for a in answers] == [n % 5 == 0 for n in range(30)]
    assert await writer.desk.scalar("SELECT count(*) FROM thing") == 24


async def test_a_named_error_for_one_item_leaves_the_group_whole(writer: Writer) -> None:
    answers = await writer.many("a", "refused", "b")
    assert [type(a) for a in answers] == [str, Conflict, str]
    assert writer.groups == [["a", "refused", "b"]]


async def test_the_same_item_twice_in_one_group_is_written_once(writer: Writer) -> None:
    assert await writer.many("a", "a", "a") == ["new:0", "again:0", "again:0"]


@POSTGRES
async def test_a_key_that_another_process_took_a_moment_ago_is_seen_on_a_second_look(writer: Writer) -> None:
    """Between our look and our insert another process commits the same key."""

    async def meanwhile() -> None:
        writer.after_look = None
        async with writer.desk.db.transaction() as tx:
            await tx.execute(writer.desk.things.insert().values(id="twin", n=77))

    writer.after_look = meanwhile
    assert await writer.many("a", "twin", "b") == ["new:0", "again:77", "new:2"]
    assert await writer.desk.scalar("SELECT count(*) FROM outbox") == 2
    assert writer.groups == [["a", "twin", "b"]] * 2, "the whole group once more, no halving"


@POSTGRES
async def test_an_outage_fails_all_that_wait_and_nothing_is_half_written(writer: Writer, postgres: Any) -> None:
    assert await writer.many("before") == ["new:0"]
    await asyncio.to_thread(postgres.kill)
    try:
        answers = await writer.many(*(f"t{n}" for n in range(20)))
        assert {type(a) for a in answers} == {Unavailable}
    finally:
        await asyncio.to_thread(postgres.start)

    async def again() -> bool:
        return (await writer.many("after"))[0] in ("new:0", "again:0")

    until = asyncio.get_running_loop().time() + 15
    while not await again():
        assert asyncio.get_running_loop().time() < until
    assert sorted(await writer.desk.column("SELECT id FROM thing")) == ["after", "before"]


async def test_stop_commits_what_waits_and_refuses_what_comes_later(desk: Any) -> None:
    writer = Writer(desk, max_group=4)
    writer.group.start()
    waiting = asyncio.create_task(writer.many(*(f"t{n}" for n in range(30))))
    while not writer.groups:
        await asyncio.sleep(0)
    await writer.group.stop()

    assert await waiting == [f"new:{n}" for n in range(30)]
    with pytest.raises(Unavailable):
        await writer.group.submit(("late", 0))
    assert await desk.scalar("SELECT count(*) FROM thing") == 30


async def test_a_client_that_goes_away_does_not_take_its_row_along(writer: Writer) -> None:
    tasks = [asyncio.create_task(writer.group.submit((f"t{n}", n))) for n in range(10)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(answers[3], asyncio.CancelledError)
    assert [a for n, a in enumerate(answers) if n != 3] == [f"new:{n}" for n in range(10) if n != 3]
    assert await writer.desk.scalar("SELECT count(*) FROM thing") == 10


async def test_nobody_is_answered_before_the_commit(writer: Writer) -> None:
    """Whoever has the answer finds the row, through another connection."""

    async def one(n: int) -> int:
        await writer.group.submit((f"t{n}", n))
        return int(await writer.desk.scalar(f"SELECT count(*) FROM thing WHERE id = 't{n}'"))

    assert await asyncio.gather(*(one(n) for n in range(50))) == [1] * 50


async def test_more_than_may_wait_is_refused_at_once(desk: Any) -> None:
    writer = Writer(desk, max_waiting=10)
    tasks = [asyncio.create_task(writer.group.submit((f"t{n}", n))) for n in range(12)]
    await asyncio.sleep(0.01)
    assert [t.done() for t in tasks] == [False] * 10 + [True] * 2
    writer.group.start()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(a) for a in answers] == [str] * 10 + [Overloaded] * 2
    await writer.group.stop()


@POSTGRES
async def test_two_groups_are_under_way_at_a_time_and_the_chain_holds(desk: Any) -> None:
    writer = Writer(desk, lanes=2)
    at_once, most = 0, 0
    write = writer.write

    async def counted(*given: Any) -> list[str | Conflict]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            return await write(*given)
        finally:
            at_once -= 1

    writer.group = GroupCommit[tuple[str, int], str](desk.db, counted, lanes=2)
    writer.group.start()

    async def client(name: str) -> list[str]:
        return [await writer.group.submit((f"{name}-{n}", n)) for n in range(20)]

    answers = await asyncio.gather(*(client(f"c{n}") for n in range(16)))
    await writer.group.stop()
    assert answers == [[f"new:{n}" for n in range(20)]] * 16
    assert most == 2
    assert max(map(len, writer.groups)) <= 8, "each lane takes its half"
    async with desk.db.reading() as session:
        rows = [dict(r) for r in (await session.execute(select(desk.tables.audit))).mappings()]
    assert len(rows) == 320
    assert audit.verify(sorted(rows, key=lambda r: r["seq"])).broken_at is None


@POSTGRES
async def test_two_lanes_with_the_same_keys_write_each_once(desk: Any) -> None:
    writer = Writer(desk, lanes=2, max_group=4)
    writer.group.start()
    ids = [f"t{n}" for n in range(12)]
    answers = await writer.many(*ids, *reversed(ids), *ids)
    await writer.group.stop()
    assert all(isinstance(a, str) for a in answers)
    assert await desk.scalar("SELECT count(*) FROM thing") == 12
    assert sum(a.startswith("new:") for a in answers) == 12
