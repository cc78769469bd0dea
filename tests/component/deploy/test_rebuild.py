"""A rebuild of the figures beside live traffic ends as if it had never been, and nobody sees it half done."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import delete, insert, select

from deploy import rebuild
from deploy.registry import SERVICES
from services.reporting import consumers, store
from services.reporting.domain.place import Cell
from services.reporting.domain.selection import Selection
from services.reporting.figures import measures, reading
from services.reporting.settings import ReportingSettings
from services.reporting.usecases import rebuild as steps
from services.reporting.usecases.rebuild import AnotherRebuild, Done
from shared.bus import Message
from shared.clock import rfc3339, utcnow
from shared.cloudevents import encode_parts
from shared.db import Database
from shared.events import TOPICS, ComplaintErased
from shared.inbox import Consumer
from tests.component.reporting.lives import END, heard

ZONE = ReportingSettings().zone
Heard = tuple[str, str, str, bytes]


@pytest.fixture
async def databases(migrated: Callable[[str], str]) -> AsyncIterator[dict[str, Database]]:
    found = {name: Database(name, migrated(name), service.tables) for name, service in SERVICES.items()}
    yield found
    for db in found.values():
        await db.close()


async def publish(databases: dict[str, Database], events: list[Heard]) -> None:
    """As the other services keep what they have told."""
    for name in consumers.SOURCES:
        rows = {
            id: {
                "event_id": id,
                "key": key,
                "type": orjson.loads(payload)["type"],
                "payload": payload.decode(),
                "created_at": END,
                "sent_at": END,
            }
            for source, key, id, payload in events
            if source == name
        }
        async with databases[name].transaction() as tx:
            known = await tx.scalars(select(databases[name].tables.outbox.c.event_id))
            for id in known.all():
                rows.pop(id, None)
            if rows:
                await tx.execute(insert(databases[name].tables.outbox), list(rows.values()))


def listener(db: Database) -> Consumer:
    return Consumer(db, consumers.handler(ZONE), consumers.HANDLED, utcnow)


async def hear(consumer: Consumer, events: list[Heard]) -> None:
    await consumer.process([Message(TOPICS[source], key, payload) for source, key, _, payload in events])


async def counted(db: Database) -> dict[Cell, int]:
    table = store.counters.c
    live = select(store.read_model.c.live).scalar_subquery()
    async with db.reading() as session:
        rows = await session.execute(
            select(table.series, table.day, table.code, table["count"]).where(table.slot == live)
        )
        return {Cell(*cell): n for *cell, n in rows if n}


async def total(db: Database) -> int:
    async with db.reading() as session:
        await reading.agree(session)
        return (await measures.totals(session, Selection(), today=END.date())).total


def tell(_done: int, _total: int) -> None:
    pass


async def test_a_rebuild_beside_live_traffic_leaves_the_figures_as_they_would_have_been(
    databases: dict[str, Database],
) -> None:
    events = list(heard(150, seed=4, spread=300))
    half = len(events) // 2
    db, consumer = databases["reporting"], listener(databases["reporting"])
    await publish(databases, events[:half])
    await hear(consumer, events[:half])
    seen = [await total(db)]
    over = asyncio.Event()

    async def look() -> None:
        while not over.is_set():
            seen.append(await total(db))
            await asyncio.sleep(0.01)

    async def traffic() -> None:
        for start in range(half, len(events), 40):
            await publish(databases, events[start : start + 40])
            await hear(consumer, events[start : start + 40])

    looking = asyncio.create_task(look())
    done, _ = await asyncio.gather(rebuild.from_outboxes(databases, tell), traffic())
    over.set()
    await looking
    assert seen == sorted(seen), "a half-built table would count fewer than before"
    assert not done.skipped
    rebuilt = await counted(db)
    known = {key for _, key, _, _ in events}
    assert await total(db) == len(known) == 150
    again = await rebuild.from_outboxes(databases, tell)
    assert (again.kept, again.skipped) == (0, [])
    assert await counted(db) == rebuilt
    async with db.reading() as session:
        slots = Counter((await session.scalars(select(store.facts.c.slot))).all())
    assert list(slots.values()) == [150], "the other slot is taken down"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_it_equals_never_having_rebuilt(databases: dict[str, Database], migrated: Callable[[str], str]) -> None:
    """The same events to a read model that was rebuilt half way, and to one that never was."""
    events = list(heard(120, seed=9, spread=200))
    db, consumer = databases["reporting"], listener(databases["reporting"])
    third = len(events) // 3
    await publish(databases, events[: 2 * third])
    await hear(consumer, events[:third])
    await rebuild.from_outboxes(databases, tell)  # it knows more than was heard yet, which comes twice then
    await hear(consumer, events[third:])
    never = await counted(db)
    shuffled = list(dict.fromkeys(events))
    random.Random(3).shuffle(shuffled)
    await publish(databases, shuffled)
    await rebuild.from_outboxes(databases, tell)
    assert await counted(db) == never


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_what_the_events_no_longer_tell_of_is_kept(databases: dict[str, Database]) -> None:
    """Outboxes are pruned after some months; figures stay."""
    events = list(heard(80, seed=2, spread=50))
    db = databases["reporting"]
    await publish(databases, events)
    await hear(listener(db), events)
    before = await counted(db)
    gone = sorted({key for _, key, _, _ in events})[:30]
    for name in ("intake", "routing"):
        async with databases[name].transaction() as tx:
            outbox = databases[name].tables.outbox
            await tx.execute(delete(outbox).where(outbox.c.key.in_(gone)))
    done = await rebuild.from_outboxes(databases, tell)
    assert done.kept == 30
    assert await counted(db) == before


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_one_that_was_broken_off_is_dropped_by_the_next(databases: dict[str, Database]) -> None:
    events = list(heard(30, seed=6, spread=50))
    db = databases["reporting"]
    await publish(databases, events)
    await hear(listener(db), events)
    before = await counted(db)
    build = await steps.begin(db, now=END)
    await steps.replay(db, build, [payload for *_, payload in events[:40]], ZONE, Done())
    assert await counted(db) == before
    await rebuild.from_outboxes(databases, tell)
    assert await counted(db) == before
    with pytest.raises(AnotherRebuild):
        await steps.replay(db, build, [events[0][3]], ZONE, Done())
    with pytest.raises(AnotherRebuild):
        await steps.finish(db, build)
    assert await counted(db) == before


async def test_of_two_rebuilds_the_later_one_counts(databases: dict[str, Database]) -> None:
    """They build in the same slot: the first must not bring forward what the second has only begun."""
    events = list(heard(30, seed=6, spread=50))
    db = databases["reporting"]
    await publish(databases, events)
    await hear(listener(db), events)
    before = await counted(db)
    payloads = [payload for *_, payload in events]
    first = await steps.begin(db, now=END)
    await steps.replay(db, first, payloads, ZONE, Done())
    second = await steps.begin(db, now=END + timedelta(seconds=1))
    await steps.replay(db, second, payloads[:40], ZONE, Done())
    for late in (steps.replay(db, first, payloads[40:], ZONE, Done()), steps.keep(db, first, ZONE, Done())):
        with pytest.raises(AnotherRebuild):
            await late
    with pytest.raises(AnotherRebuild):
        await steps.finish(db, first)
    await steps.clear(db, first.slot)  # as one does that has finished; the slot is the other's now
    await steps.replay(db, second, payloads[40:], ZONE, Done())
    await steps.finish(db, second)
    assert await counted(db) == before


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_nobody_who_was_erased_comes_back(databases: dict[str, Database]) -> None:
    """Kafka keeps events as they were: only the erasure, later in the topic, says that somebody is to be forgotten."""
    events = list(heard(15, seed=5, spread=10))
    db = databases["reporting"]
    await hear(listener(db), events)
    build = await steps.begin(db, now=END)
    payloads = [payload for *_, payload in events]
    for n, id in enumerate({key for _, key, _, _ in events}):
        gone = ComplaintErased(complaint_id=id, ground="request", erased_at=END)
        one = encode_parts(id=f"x{n}", event=gone, time=rfc3339(END), traceparent=None, correlationid=None)
        payloads.append(one.encode())
    await steps.replay(db, build, payloads, ZONE, Done())
    await steps.finish(db, build)
    async with db.reading() as session:
        assert (await session.scalars(select(store.customers.c.customer_ref))).all() == []
    assert await total(db) == 15


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_rubbish_among_the_events_spoils_nothing_else(databases: dict[str, Any]) -> None:
    events = list(heard(20, seed=8, spread=10))
    db = databases["reporting"]
    await publish(databases, events)
    async with databases["sla"].transaction() as tx:
        row = {"event_id": "x", "key": "x", "type": "com.redress.clock.met.v1", "payload": "{", "created_at": END}
        await tx.execute(insert(databases["sla"].tables.outbox), [row])
    done = await rebuild.from_outboxes(databases, tell)
    assert done.skipped == ["undecodable"]
    assert await total(db) == 20
