"""What must hold after whatever was done to Redress: nothing lost, nothing twice, each complaint's events in order.

One checker for all faults. `redress reconcile` is part of it; the rest is counted and read beside it, from the tables
by plain SQL and from the topics as Kafka keeps them, so that a fault in the tool would not hide one in the services.
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import select

from deploy.cluster import PARTITIONS
from shared.cloudevents import Undecodable, decode
from shared.db import Database
from shared.events import TOPICS
from tests.chaos import truth
from tests.chaos.truth import Counts


@dataclass(frozen=True, slots=True)
class Told:
    """An event where it was told: in a service's outbox, or on its topic in `partition` (-1 in an outbox)."""

    event_id: str
    key: str
    type: str = ""
    clock: str = ""
    partition: int = -1


async def broken(
    databases: Mapping[str, Database],
    *,
    before: Counts,
    answers: Iterable[bytes],
    kafka: str | None = None,
    within: float = 90,
) -> list[str]:
    """Every invariant that does not hold, in words, once nothing is in flight any more or `within` seconds are over.

    `before` is what was there before the test, `answers` are the bodies of all 201s since then: nothing else may have
    been taken. `kafka`: the bootstrap servers, where there are topics.
    """
    told_to_channels = taken(answers)
    ids = [one["id"] for one in told_to_channels]
    found, _ = await truth.settled(databases, within=within)
    wrong = list(found.differences)
    if len({*ids}) < len(ids) or len({one["reference"] for one in told_to_channels}) < len(ids):
        wrong.append("two complaints were given one id or one reference")
    if differing := (await truth.count(databases) - before).differing(len(ids)):
        wrong.append(f"{len(ids)} were taken, and there are {differing}")
    if (kept := await truth.kept(databases["intake"], ids)) < len(ids):
        wrong.append(f"of {len(ids)} acknowledged complaints {len(ids) - kept} are gone")
    told = {name: await outbox(db) for name, db in databases.items()}
    for name, events in told.items():
        wrong += misordered(name, events)
    if kafka:
        topics = await on_topics(kafka)
        for name, events in told.items():
            wrong += untrue(name, events, topics[name])
    return wrong


def taken(answers: Iterable[bytes]) -> list[dict[str, Any]]:
    """What the bodies of 201s say."""
    return [json.loads(body) for body in answers]


def misordered(name: str, events: Sequence[Told]) -> list[str]:
    """Complaints whose story in an outbox begins in the middle: with a case before its receipt, or with what happened
    to a clock before that was started."""
    first = {"intake": "com.redress.complaint.received.v1", "routing": "com.redress.complaint.classified.v1"}.get(name)
    begun: dict[str, str] = {}
    started: set[str] = set()
    early: set[str] = set()
    for one in events:
        if first and begun.setdefault(one.key, one.type) != first and one.type == first:
            early.add(one.key)
        if one.clock and one.type == "com.redress.clock.started.v1":
            started.add(one.clock)
        elif one.clock and one.clock not in started:
            early.add(one.key)
    return [f"{name}'s outbox tells {len(early)} stories from the middle: {_some(early)}"] if early else []


def untrue(name: str, events: Sequence[Told], topic: Sequence[Told]) -> list[str]:
    """In what a topic differs from the outbox that it was filled from. An event may stand there more than once, since
    whoever is unsure publishes again; but it must stand there, first times must be in order for each complaint, one
    complaint must be in one partition, and there must be nothing that was never committed."""
    wrong = []
    place = {one.event_id: i for i, one in enumerate(events)}
    seen: set[str] = set()
    last: dict[str, int] = {}
    partitions: dict[str, set[int]] = defaultdict(set)
    back, phantoms = set(), set()
    for one in topic:
        if one.event_id in seen:
            continue
        seen.add(one.event_id)
        if (at := place.get(one.event_id)) is None:
            phantoms.add(one.event_id)
            continue
        partitions[one.key].add(one.partition)
        if at < last.get(one.key, -1):
            back.add(one.key)
        last[one.key] = at
    if phantoms:
        wrong.append(f"{name}'s topic has {len(phantoms)} events that were never committed: {_some(phantoms)}")
    if missing := place.keys() - seen:
        wrong.append(f"{name}'s topic lacks {len(missing)} events: {_some(missing)}")
    if back:
        wrong.append(f"{name}'s topic has events of {len(back)} complaints in the wrong order: {_some(back)}")
    if split := {key for key, of in partitions.items() if len(of) > 1}:
        wrong.append(f"{name}'s topic has {len(split)} complaints in two partitions: {_some(split)}")
    return wrong


async def outbox(db: Database) -> list[Told]:
    """All that a service has to tell, in the order in which it is told."""
    columns = db.tables.outbox.c
    async with db.reading() as session:
        query = select(columns.event_id, columns.key, columns.type, columns.payload).order_by(columns.seq)
        rows = (await session.execute(query)).all()
    return [Told(r.event_id, r.key, r.type, str(json.loads(r.payload)["data"].get("clock_id", ""))) for r in rows]


async def on_topics(bootstrap: str) -> dict[str, list[Told]]:
    """What each service's topic holds, partition by partition in order. What is no event of ours is passed over: the
    tests of the parking lot put it there."""
    names = {topic: name for name, topic in TOPICS.items()}
    found: dict[str, list[Told]] = {name: [] for name in TOPICS}
    async for part, record in records(bootstrap, list(names)):
        if (one := _told(record.value, part.partition)) is not None:
            found[names[part.topic]].append(one)
    return found


async def records(bootstrap: str, topics: Sequence[str]) -> AsyncIterator[tuple[TopicPartition, Any]]:
    """All that `topics` hold at this moment."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        parts = partitions(topics)
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        ends = await consumer.end_offsets(parts)
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for part, some in (await consumer.getmany(timeout_ms=500)).items():
                for record in some:
                    yield part, record
    finally:
        await consumer.stop()


def partitions(topics: Iterable[str] = TOPICS.values()) -> list[TopicPartition]:
    return [TopicPartition(topic, n) for topic in topics for n in range(PARTITIONS)]


def _told(value: bytes | None, partition: int) -> Told | None:
    try:
        envelope = decode(value or b"")
        UUID(envelope.id)
    except (Undecodable, ValueError):
        return None
    return Told(envelope.id, envelope.subject, envelope.type, partition=partition)


def _some(ids: Iterable[str]) -> str:
    return ", ".join(sorted(ids)[:5])
