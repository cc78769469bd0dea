"""The relay publishes what is unsent, in order per complaint, by one leader at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from shared import outbox
from shared import relay as relaying
from shared.bus import Message
from shared.cloudevents import decode
from shared.relay import Relay, outbox_state

POSTGRES = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
TOPIC = "redress.intake.v1"


class RecordingBus:
    """Takes what `takes` says and remembers it. Keeps the bus's promise: after a message that was not taken none of
    the same key is."""

    def __init__(self, takes: Callable[[Message], bool] = lambda m: True) -> None:
        self.takes = takes
        self.taken: list[Message] = []
        self.calls = 0

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        self.calls += 1
        failed: set[str] = set()
        answer = []
        for message in messages:
            ok = message.key not in failed and self.takes(message)
            if ok:
                self.taken.append(message)
            else:
                failed.add(message.key)
            answer.append(ok)
        return answer

    def ids(self, key: str | None = None) -> list[str]:
        return [decode(m.value).id for m in self.taken if key in (None, m.key)]


async def _add(desk: Any, *complaints: str) -> list[str]:
    """Events of these complaints, each in a transaction of its own; their ids."""
    ids = []
    for complaint in complaints:
        async with desk.db.transaction() as tx:
            row = outbox.row(desk.event(complaint), now=desk.now)
            outbox.pending(tx).events.append(row)
            ids.append(row.event_id)
    return ids


def _relay(desk: Any, bus: Any, **options: Any) -> Relay:
    return Relay(desk.db, bus, TOPIC, desk.clock, **options)


@asynccontextmanager
async def _running(*relays: Relay) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(r.run()) for r in relays]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_is_unsent_is_published_once_with_its_key(desk: Any) -> None:
    bus = RecordingBus()
    relay = _relay(desk, bus)
    ids = await _add(desk, "a", "b", "a")

    assert await relay.publish_once() == (3, 3)
    assert bus.ids() == ids
    assert [m.key for m in bus.taken] == ["a", "b", "a"]
    assert {m.topic for m in bus.taken} == {TOPIC}
    assert await relay.publish_once() == (0, 0)
    more = await _add(desk, "a")
    assert await relay.publish_once() == (1, 1)
    assert bus.ids()[3:] == more
    assert await desk.scalar("SELECT count(*) FROM outbox WHERE sent_at IS NOT NULL") == 4, "kept as the archive"


async def test_what_the_bus_does_not_take_stays_and_keeps_its_place(desk: Any) -> None:
    down = {"b"}
    bus = RecordingBus(lambda m: m.key not in down)
    relay = _relay(desk, bus)
    ids = dict(zip(("a1", "b1", "a2", "b2", "c1"), await _add(desk, "a", "b", "a", "b", "c"), strict=True))

    assert await relay.publish_once() == (5, 3)
    assert bus.ids() == [ids["a1"], ids["a2"], ids["c1"]]
    async with desk.db.reading() as session:
        state = await outbox_state(session, desk.tables)
    assert state.depth == 2
    assert state.age(desk.now + timedelta(seconds=42)) == 42
    more = await _add(desk, "b")
    down.clear()
    assert await relay.publish_once() == (3, 3)
    assert bus.ids("b") == [ids["b1"], ids["b2"], *more]


async def test_order_per_complaint_holds_whatever_fails(desk: Any) -> None:
    """A bus that loses every third message, in batches smaller than the backlog."""
    count = iter(range(10_000))
    bus = RecordingBus(lambda m: next(count) % 3 != 0)
    relay = _relay(desk, bus, batch=7)
    ids = await _add(desk, *[f"c{n % 4}" for n in range(40)])
    for _ in range(200):
        if await relay.publish_once() == (0, 0):
            break

    for c in range(4):
        assert bus.ids(f"c{c}") == ids[c::4]


@POSTGRES
async def test_a_lower_number_that_commits_later_is_still_published(desk: Any) -> None:
    bus = RecordingBus()
    relay = _relay(desk, bus)
    insert = "INSERT INTO outbox (event_id, key, type, payload, created_at) VALUES ('{0}', '{0}', 't', '{1}', now())"
    async with desk.db.engine.connect() as slow:
        transaction = await slow.begin()
        await slow.execute(text(insert.format("slow", "{}")))
        await _add(desk, "quick")
        assert await relay.publish_once() == (1, 1)
        await transaction.commit()
    assert await desk.scalar("SELECT (SELECT seq FROM outbox WHERE key = 'slow') < (SELECT max(seq) FROM outbox)")
    assert await relay.publish_once() == (1, 1)
    assert [m.key for m in bus.taken] == ["quick", "slow"]


async def test_an_event_of_a_transaction_that_fails_is_never_published(desk: Any) -> None:
    bus = RecordingBus()
    with contextlib.suppress(RuntimeError):
        async with desk.db.transaction() as tx:
            outbox.add(tx, desk.event(), now=desk.now)
            raise RuntimeError
    assert await _relay(desk, bus).publish_once() == (0, 0)


async def test_the_commit_wakes_the_relay_of_the_same_process_at_once(desk: Any, eventually: Any) -> None:
    bus = RecordingBus()
    async with _running(_relay(desk, bus, poll=30)):
        await asyncio.sleep(0.3)  # it has looked, found nothing, and would sleep for half a minute
        await _add(desk, "a")
        assert await eventually(lambda: bus.taken, within=5)


@POSTGRES
async def test_the_commit_of_another_process_wakes_the_relay_on_postgresql(
    desk: Any, open_database: Any, eventually: Any
) -> None:
    bus = RecordingBus()
    other = await open_database(desk.db.url)
    async with _running(_relay(desk, bus, poll=30)):
        await _leader(desk, eventually)
        await asyncio.sleep(0.2)
        await _add(other, "a")
        assert await eventually(lambda: bus.taken, within=5)


async def test_polling_finds_what_no_signal_told_of(desk: Any, eventually: Any) -> None:
    bus = RecordingBus()
    async with _running(_relay(desk, bus, poll=0.05)):
        await desk.execute(
            "INSERT INTO outbox (event_id, key, type, payload, created_at) "
            "VALUES ('e', 'k', 't', '{}', '2026-11-23 10:00:00')"
        )
        assert await eventually(lambda: bus.taken, within=5)


async def _leader(desk: Any, eventually: Any) -> list[int]:
    """The backends that hold the leader's lock in this database, once there is one."""

    async def holders() -> list[int]:
        found: list[int] = await desk.column(
            "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database "
            "WHERE locktype = 'advisory' AND granted AND datname = current_database()"
        )
        return found

    found: list[int] = await eventually(holders, within=10)
    return found


@POSTGRES
async def test_of_two_relays_one_leads_and_when_it_is_killed_the_other_takes_over(
    desk: Any, open_database: Any, eventually: Any
) -> None:
    other = await open_database(desk.db.url)
    buses = [RecordingBus(), RecordingBus()]
    relays = [_relay(d, b, poll=0.1) for d, b in zip((desk, other), buses, strict=True)]
    async with _running(*relays):
        ids = []
        for _ in range(5):
            ids += await _add(desk, "a", "b")
        assert await eventually(lambda: sum(len(b.taken) for b in buses) == 10)
        assert sorted(len(b.taken) for b in buses) == [0, 10], "only one publishes"
        first = max(buses, key=lambda b: len(b.taken))
        second = min(buses, key=lambda b: len(b.taken))

        (pid,) = await _leader(desk, eventually)
        (away,) = [r for r in relays if r._bus is first]

        async def never() -> tuple[int, int]:
            await asyncio.sleep(3600)
            return 0, 0

        away.publish_once = never  # type: ignore[method-assign]
        first.takes = lambda m: False
        await desk.column(f"SELECT pg_terminate_backend({pid})")

        more = await _add(desk, "a", "b")
        assert await eventually(lambda: len(second.taken) == 2)
        assert second.ids() == more
        (now_leads,) = await _leader(desk, eventually)
        assert now_leads != pid


@POSTGRES
async def test_a_leader_that_says_nothing_is_succeeded_and_does_no_harm_when_it_wakes(
    desk: Any, open_database: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "LEASE", 1.0)
    other = await open_database(desk.db.url)
    zombie, heir = (_relay(d, RecordingBus(), poll=0.1) for d in (desk, other))
    asleep = asyncio.Event()

    async def sleep(*_: Any) -> None:
        await asleep.wait()

    zombie._renew = sleep
    async with _running(zombie):
        (pid,) = await _leader(desk, eventually)
        async with _running(heir):
            assert await eventually(lambda: heir._connection is not None, within=10)
            (leads,) = await _leader(desk, eventually)
            assert leads != pid
            ids = await _add(desk, "a", "b", "a")
            assert await eventually(lambda: len(heir._bus.taken) == 3)
            assert await eventually(lambda: zombie._connection is None), "it has seen that it leads no more"
            await asyncio.sleep(0.5)
            assert heir._bus.ids() == ids
            assert zombie._bus.taken == []


@POSTGRES
async def test_a_leader_that_has_nothing_to_do_keeps_its_lease(
    desk: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "LEASE", 1.0)
    async with _running(_relay(desk, RecordingBus(), poll=0.1)):
        first = await _leader(desk, eventually)
        await asyncio.sleep(2.5)
        assert await _leader(desk, eventually) == first


@POSTGRES
async def test_a_leader_whose_connection_was_cut_begins_again(desk: Any, eventually: Any) -> None:
    bus = RecordingBus()
    async with _running(_relay(desk, bus, poll=0.1)):
        await _add(desk, "a")
        assert await eventually(lambda: len(bus.taken) == 1)
        (pid,) = await _leader(desk, eventually)
        await desk.column(f"SELECT pg_terminate_backend({pid})")
        await _add(desk, "a")
        assert await eventually(lambda: len(bus.taken) == 2)
        found = await eventually(lambda: _leader(desk, eventually))
        assert found != [pid]


@POSTGRES
async def test_the_relay_outlives_an_outage_of_the_database(desk: Any, postgres: Any, eventually: Any) -> None:
    bus = RecordingBus()
    async with _running(_relay(desk, bus, poll=0.1)):
        await _add(desk, "a")
        assert await eventually(lambda: len(bus.taken) == 1)
        await asyncio.to_thread(postgres.kill)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(postgres.start)

        async def added() -> bool:
            with contextlib.suppress(Exception):
                await _add(desk, "b")
                return True
            return False

        assert await eventually(added, within=20)
        assert await eventually(lambda: "b" in [m.key for m in bus.taken], within=10)


async def test_old_sent_events_are_pruned_and_unsent_ones_never(desk: Any) -> None:
    bus = RecordingBus(lambda m: m.key != "stuck")
    relay = _relay(desk, bus)
    await _add(desk, "old", "stuck")
    await relay.publish_once()
    desk.now += timedelta(days=100)
    await _add(desk, "new")
    await relay.publish_once()

    assert await relay.prune(desk.now - timedelta(days=90)) == 1
    assert await desk.column("SELECT key FROM outbox ORDER BY seq") == ["stuck", "new"]
