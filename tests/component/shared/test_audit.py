"""The audit chain in a database: one chain, however many write to it."""

import asyncio
from itertools import pairwise
from typing import Any

import orjson
import pytest

from shared import audit

POSTGRES = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)


async def _rows(desk: Any) -> list[dict[str, Any]]:
    return [row async for row in audit.export(desk.db)]


async def test_what_is_exported_verifies_offline(desk: Any) -> None:
    for n in range(5):
        async with desk.db.transaction() as tx:
            audit.add(tx, "key:phone", "complaint.received", f"c-{n}", now=desk.now, detail={"渠道": "phone", "n": n})
    lines = [orjson.dumps(row) for row in await _rows(desk)]
    verdict = audit.verify((orjson.loads(line) for line in lines), expected_head=await audit.head(desk.db))
    assert (verdict.entries, verdict.broken_at) == (5, None)

    await desk.execute("UPDATE audit SET actor = 'somebody else' WHERE seq = 3")
    assert audit.verify(await _rows(desk)).broken_at == 3


async def test_a_tail_that_was_cut_off_in_the_database_is_found(desk: Any) -> None:
    for n in range(3):
        async with desk.db.transaction() as tx:
            audit.add(tx, "me", "did", str(n), now=desk.now)
    await desk.execute("DELETE FROM audit WHERE seq = 3")
    assert audit.verify(await _rows(desk), expected_head=await audit.head(desk.db)).broken_at == 3


async def test_what_fails_leaves_no_entry_and_no_gap(desk: Any) -> None:
    async def fails() -> None:
        async with desk.db.transaction() as tx:
            audit.add(tx, "me", "failed", "x", now=desk.now)
            raise RuntimeError

    for _ in range(3):
        with pytest.raises(RuntimeError):
            await fails()
        async with desk.db.transaction() as tx:
            audit.add(tx, "me", "did", "x", now=desk.now)
    rows = await _rows(desk)
    assert [r["action"] for r in rows] == ["did"] * 3
    assert audit.verify(rows, expected_head=await audit.head(desk.db)).broken_at is None


async def test_several_processes_that_write_at_once_keep_one_chain(desk: Any, open_database: Any) -> None:
    desks = [desk, await open_database(desk.db.url), await open_database(desk.db.url)]

    async def write(one: Any, n: int) -> None:
        async with one.db.transaction() as tx:
            for part in range(n % 3 + 1):
                audit.add(tx, f"writer-{n}", "did", str(part), now=one.now)

    await asyncio.gather(*(write(d, n) for n in range(20) for d in desks))
    rows = await _rows(desk)
    assert len(rows) == 3 * sum(n % 3 + 1 for n in range(20))
    assert audit.verify(rows, expected_head=await audit.head(desk.db)).broken_at is None
    for before, after in pairwise(rows):  # the entries of one unit of work stand together
        assert after["subject"] == "0" or after["actor"] == before["actor"]
