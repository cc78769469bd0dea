"""Counters equal a recount of the facts, whatever the order, the batches, the repeats and the neighbours."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting import consumers, store
from services.reporting.domain.fact import Fact
from services.reporting.domain.place import DIMENSIONS, Cell, tally
from services.reporting.settings import ReportingSettings
from shared.bus import Message
from shared.cloudevents import Envelope
from shared.db import Database
from shared.events import ComplaintErased
from shared.inbox import Consumer

ZONE = ReportingSettings().zone


def batches(messages: list[Message], size: int = 500) -> list[list[Message]]:
    return [messages[i : i + size] for i in range(0, len(messages), size)]


async def facts(db: Database) -> list[Fact]:
    async with db.reading() as session:
        columns = (store.facts.c.complaint_id, store.facts.c.known)
        return [Fact.load(*row) for row in (await session.execute(select(*columns))).all()]


async def counters(db: Database) -> dict[Cell, int]:
    table = store.counters.c
    async with db.reading() as session:
        rows = await session.execute(select(table.series, table.day, table.code, table["count"]))
        return {Cell(*cell): count for *cell, count in rows}


async def assert_counted(db: Database, complaints: int) -> None:
    known, counted = await facts(db), await counters(db)
    assert len(known) == complaints
    assert all(n >= 0 for n in counted.values())
    assert {cell: n for cell, n in counted.items() if n} == tally(known, ZONE)
    by_dimension: Counter[str] = Counter()
    for cell, n in counted.items():
        by_dimension[cell.series] += n
    assert {by_dimension[f"{grain}:received::{d}"] for grain in "dm" for d in DIMENSIONS} == {complaints}
    async with db.reading() as session:
        kept = await session.execute(
            select(store.deadlines.c.complaint_id, store.deadlines.c.key, store.deadlines.c.result)
        )
        told = {(fact.complaint_id, key): one.result for fact in known for key, one in fact.deadlines.items()}
        assert {(id, key): result for id, key, result in kept} == told


@pytest.mark.parametrize(
    ("order", "complaints"), [("mixed", 800), ("as it happened", 200), ("routing and sla first", 200)]
)
async def test_counters_equal_a_recount(bench: Any, told: Any, order: str, complaints: int) -> None:
    by_service = told(complaints)
    if order == "mixed":
        # in order per complaint and service, which is all that a bus promises
        queue = [name for name, messages in by_service.items() for _ in messages]
        random.Random(3).shuffle(queue)
        streams = {name: iter(messages) for name, messages in by_service.items()}
        everything = [next(streams[name]) for name in queue]
    else:
        names = ("intake", "routing", "sla") if order == "as it happened" else ("sla", "routing", "intake")
        everything = [m for name in names for m in by_service[name]]
    consumer = bench.consumer()
    for batch in batches(everything):
        await consumer.process(batch)
    await assert_counted(bench.db, complaints)


async def test_what_is_delivered_again_counts_once(bench: Any, told: Any) -> None:
    everything = [m for messages in told(100).values() for m in messages]
    await bench.consumer().process(everything)
    before = await counters(bench.db)
    await bench.consumer().process(everything[: len(everything) // 2] * 2)
    await bench.consumer().process(everything)
    assert await counters(bench.db) == before
    await assert_counted(bench.db, 100)


async def test_consumers_side_by_side_neither_deadlock_nor_miscount(bench: Any, told: Any) -> None:
    """One consumer a topic, as processes of a cluster may share them out, all on the same complaints."""
    workers = []
    for messages in told(400).values():
        consumer = bench.consumer()

        async def work(consumer: Any = consumer, messages: list[Message] = messages) -> None:
            for batch in batches(messages, 60):
                await consumer.process(batch)

        workers.append(work())
    await asyncio.gather(*workers)
    await assert_counted(bench.db, 400)
    async with bench.db.reading() as session:
        assert (await session.execute(select(store.tables.parked.c.id))).all() == []


async def test_a_poison_event_is_parked_and_the_rest_of_its_batch_is_counted(bench: Any, told: Any) -> None:
    by_service = told(30)
    batch = [message for name in ("intake", "routing", "sla") for message in by_service[name]]
    poison = by_service["intake"][7]
    handle = consumers.handler(ZONE)

    async def fails_on_one(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        await handle(tx, events)
        if any(e.subject == poison.key for e in events):
            raise ValueError("poison")

    await Consumer(bench.db, fails_on_one, consumers.HANDLED, bench.consumer()._clock).process(batch)

    async with bench.db.reading() as session:
        columns = store.tables.parked.c.subject, store.tables.parked.c.reason
        parked = (await session.execute(select(*columns))).all()
    assert Counter(parked) == {(poison.key, "handler_failed"): 1, (poison.key, "behind"): _of(batch, poison) - 1}
    await assert_counted(bench.db, 29)


def _of(batch: list[Message], one: Message) -> int:
    return sum(message.key == one.key for message in batch)


async def test_rows_are_locked_in_one_order_by_everybody(bench: Any, a_story: Any) -> None:
    """What keeps consumers from waiting for each other in a circle, and too rare to be seen by trying."""
    written: dict[str, list[list[tuple[Any, ...]]]] = {}

    def note(_: Any, __: Any, statement: str, rows: Any, *___: Any) -> None:
        if statement.startswith("INSERT INTO"):
            written.setdefault(statement.split()[2], []).append([tuple(row) for row in rows])

    moment = datetime(2025, 6, 1, tzinfo=UTC)
    events = [e for n in range(40) for e in a_story(received_at=moment, channel=f"channel{n * 7 % 40:02}")]
    event.listen(bench.db.engine.sync_engine, "before_cursor_execute", note)
    await bench.hear(*events[::-1])
    event.remove(bench.db.engine.sync_engine, "before_cursor_execute", note)
    for table, keys in (("fact", 2), ("deadline_fact", 3)):
        assert written[table], table
        for rows in written[table]:
            assert [row[:keys] for row in rows] == sorted(row[:keys] for row in rows), table


async def test_a_batch_costs_the_same_few_statements_whatever_its_size(bench: Any, told: Any) -> None:
    async def statements(messages: list[Message]) -> Counter[str]:
        seen: Counter[str] = Counter()

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            seen[statement.split()[0]] += 1

        event.listen(bench.db.engine.sync_engine, "before_cursor_execute", note)
        try:
            await bench.consumer().process(messages)
        finally:
            event.remove(bench.db.engine.sync_engine, "before_cursor_execute", note)
        return seen

    by_service = told(300)
    few = await statements([m for messages in by_service.values() for m in messages[:3]])
    many = await statements([m for messages in by_service.values() for m in messages[3:170]])
    assert few == many
    assert few["INSERT"] <= 5, "persons, blank facts, facts, deadlines, inbox; counters go past SQLAlchemy"


async def test_who_complained_is_forgotten_with_the_last_complaint(bench: Any, a_story: Any) -> None:
    """The hash that stands for a person is theirs too: it stays only while a complaint is left that is theirs."""
    at = datetime(2025, 6, 1, tzinfo=UTC)
    first, second = (a_story(received_at=at)[0].model_copy(update={"customer_ref": "p1"}) for _ in range(2))
    await bench.hear(first, second)

    async def known() -> list[str]:
        async with bench.db.reading() as session:
            return list((await session.scalars(select(store.customers.c.customer_ref))).all())

    def erased(one: Any) -> ComplaintErased:
        return ComplaintErased(complaint_id=one.complaint_id, ground="request", erased_at=at)

    await bench.hear(erased(first))
    assert await known() == ["p1"]
    await bench.hear(erased(second))
    assert await known() == []
    async with bench.db.reading() as session:
        assert (await session.scalars(select(store.facts.c.customer_ref))).all() == [None, None]
        rows = (await session.scalars(select(store.facts.c.known))).all()
    assert not [row for row in rows if "p1" in row]
