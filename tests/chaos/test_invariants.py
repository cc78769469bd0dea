"""The checker of the fault tests finds what it is there to find."""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.registry import SERVICES
from shared.db import Database
from tests.chaos import invariants, load, truth
from tests.chaos.casework import WHOLE_LIFE, work
from tests.chaos.invariants import Told
from tests.chaos.load import Channels
from tests.chaos.sites import DeskSite

_LAST = "(SELECT max(complaint_id) FROM complaint_case)"
_SWAP = """
    UPDATE outbox SET seq = CASE seq WHEN {a} THEN -1 ELSE -2 END WHERE seq IN ({a}, {b});
    UPDATE outbox SET seq = CASE seq WHEN -1 THEN {b} ELSE {a} END WHERE seq < 0;
"""


def _swap(db: sqlite3.Connection, first: str, second: str) -> None:
    """Have two events of one complaint change places."""
    query = (
        "SELECT a.seq, b.seq FROM outbox a JOIN outbox b ON a.key = b.key WHERE a.type LIKE ? AND b.type LIKE ? LIMIT 1"
    )
    a, b = db.execute(query, (f"%.{first}.v1", f"%.{second}.v1")).fetchone()
    db.executescript(_SWAP.format(a=a, b=b))


def _doubled(table: str, which: str, key: str) -> str:
    """SQL that enters a row of `table` once more, under another `key`."""
    twin = f"CREATE TEMP TABLE twin AS SELECT * FROM {table} WHERE {which} LIMIT 1; UPDATE twin SET {key};"
    return f"{twin} INSERT INTO {table} SELECT * FROM twin;"


# What was spoilt, in which service's database, how, and what the checker says of it.
_SPOILT: dict[str, tuple[str, str | Callable[[sqlite3.Connection], None], str]] = {
    "a lost complaint": ("intake", "DELETE FROM complaint WHERE id = (SELECT max(id) FROM complaint)", "are gone"),
    "a lost case": ("routing", f"DELETE FROM complaint_case WHERE complaint_id = {_LAST}", "have no case"),
    "a lost clock": (
        "sla",
        "DELETE FROM clock WHERE clock_id = (SELECT max(clock_id) FROM clock WHERE is_primary)",
        "no clock",
    ),
    "a second clock": (
        "sla",
        _doubled("clock", "is_primary", "clock_id = 'twin'"),
        "more than one clock",
    ),
    "a doubled figure": (
        "reporting",
        "UPDATE tally SET count = count + 1 WHERE series <> 'm:received::state'",
        "figures are not what counting anew gives",
    ),
    "a doubled total": (
        "reporting",
        "UPDATE tally SET count = count + 1 WHERE series = 'm:received::state'",
        "the figures total",
    ),
    "a doubled event": (
        "routing",
        _doubled("outbox", "type LIKE '%.classified.v1'", "seq = 1000000, event_id = 'twin'"),
        "an effect happened twice",
    ),
    "a swapped life": ("routing", lambda db: _swap(db, "resolved", "closed"), "out of order"),
    "a case before its receipt": ("routing", lambda db: _swap(db, "classified", "routed"), "from the middle"),
    "a clock met before its start": ("sla", lambda db: _swap(db, "clock.started", "clock.met"), "from the middle"),
    "an unpublished event": (
        "intake",
        "UPDATE outbox SET sent_at = NULL WHERE seq = (SELECT max(seq) FROM outbox)",
        "not published",
    ),
    "an unheard event": (
        "reporting",
        "DELETE FROM inbox WHERE event_id = (SELECT max(event_id) FROM inbox)",
        "has not handled",
    ),
    "a changed audit entry": (
        "routing",
        "UPDATE audit SET actor = 'nobody' WHERE seq = (SELECT max(seq) FROM audit)",
        "audit chain is broken",
    ),
}


@pytest.mark.timeout(180)
async def test_every_kind_of_damage_to_the_data_is_found(
    desk: DeskSite, desk_databases: dict[str, Database], rng: random.Random, tmp_path: Path
) -> None:
    before = await truth.count(desk_databases)
    batch = load.complaints(6, rng, series="checked")
    async with Channels(desk.url("intake"), desk.tokens["channels"], rng) as channels:
        channels.post(batch)
        await channels.finished()
    answers = list(channels.told.answers.values())
    for body in answers[:2]:
        await work(desk, invariants.taken([body])[0]["id"], *WHOLE_LIFE)
    assert await invariants.broken(desk_databases, before=before, answers=answers) == []
    await asyncio.to_thread(desk.process.stop)
    unseen = {}
    for number, (what, (service, spoil, words)) in enumerate(_SPOILT.items()):
        copy = tmp_path / f"spoilt-{number}"
        copy.mkdir()
        for file in desk.home.glob("*.db*"):
            shutil.copy(file, copy)
        with sqlite3.connect(copy / f"{service}.db") as connection:
            connection.executescript(spoil) if isinstance(spoil, str) else spoil(connection)
        connection.close()
        spoilt = {
            name: Database(name, f"sqlite+aiosqlite:///{copy / f'{name}.db'}", found.tables)
            for name, found in SERVICES.items()
        }
        try:
            told = await invariants.broken(spoilt, before=before, answers=answers, within=0)
        finally:
            for db in spoilt.values():
                await db.close()
        if not any(words in one for one in told):
            unseen[what] = told
    assert unseen == {}


def test_what_a_topic_must_not_say_is_found() -> None:
    outbox = [Told("1", "x"), Told("2", "y"), Told("3", "x")]
    on = [Told(one.event_id, one.key, partition=0) for one in outbox]
    assert invariants.untrue("intake", outbox, on) == []
    assert invariants.untrue("intake", outbox, [*on, on[0], on[2]]) == [], "published again changes nothing"
    one, two, three = on
    assert "wrong order" in invariants.untrue("intake", outbox, [three, two, one])[0]
    assert "lacks" in invariants.untrue("intake", outbox, [one, two])[0]
    assert "never committed" in invariants.untrue("intake", outbox, [*on, Told("4", "x", partition=0)])[0]
    assert "two partitions" in invariants.untrue("intake", outbox, [one, two, Told("3", "x", partition=1)])[0]
