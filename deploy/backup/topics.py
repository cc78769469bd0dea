"""What Kafka still holds from after the moment that was restored.

Those events tell of what no database knows any more. A consumer that had not come to them yet would open cases of
complaints that intake has not; so every group goes on at the topics' present end. What the restored outboxes have to
tell is sent again, and comes after it. The events are listed: they say which complaints to ask the channels for again.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import select

from deploy.backup.cut import BackupFailed
from shared.cloudevents import Undecodable, decode
from shared.db import Database
from shared.events import TOPICS, ComplaintReceived

_BATCH = 500


@dataclass(slots=True)
class After:
    """`events` in Kafka that the backup does not know, by type; `complaints`: ids of those received after it."""

    events: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    complaints: list[str] = field(default_factory=list)


async def skip_what_came_after(settings: Any, databases: Mapping[str, Database], *, reach_only: bool = False) -> After:
    """List what is in the topics and in no restored outbox, and set every group to the topics' end.

    Raises BackupFailed when Kafka is away, or workers still run: their groups are theirs alone.
    """
    found = After()
    try:
        async with _consumer(settings, None) as consumer:
            every = await _partitions(consumer)
            if reach_only or not every:
                return found
            ends = await consumer.end_offsets(every)
            async for topic, values in _records(consumer, every, ends):
                source = next(name for name, its in TOPICS.items() if its == topic)
                await _compare(databases[source], values, found)
        for name in databases:
            async with _consumer(settings, f"redress-{name}") as consumer:
                consumer.assign(every)
                await consumer.commit(dict(ends.items()))
    except (KafkaError, OSError, TimeoutError) as error:
        raise BackupFailed(f"Kafka is away, or workers still run ({type(error).__name__})") from error
    return found


@asynccontextmanager
async def _consumer(settings: Any, group: str | None) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **settings.kafka_security,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _partitions(consumer: Any) -> list[TopicPartition]:
    known = await consumer.topics()
    topics = [topic for topic in TOPICS.values() if topic in known]
    return [TopicPartition(t, p) for t in topics for p in (consumer.partitions_for_topic(t) or ())]


async def _records(
    consumer: Any, every: list[TopicPartition], ends: Mapping[TopicPartition, int]
) -> AsyncIterator[tuple[str, list[bytes]]]:
    consumer.assign(every)
    starts = await consumer.beginning_offsets(every)
    for partition, start in starts.items():
        consumer.seek(partition, start)
    left = {p for p in every if starts[p] < ends[p]}
    while left:
        for partition, records in (await consumer.getmany(*left, timeout_ms=1000, max_records=_BATCH)).items():
            yield partition.topic, [r.value for r in records if r.value is not None and r.offset < ends[partition]]
        left = {p for p in left if await consumer.position(p) < ends[p]}


async def _compare(db: Database, values: list[bytes], found: After) -> None:
    envelopes = []
    for value in values:
        try:
            envelopes.append(decode(value))
        except Undecodable:
            found.events["undecodable"] += 1
    outbox = db.tables.outbox.c
    async with db.reading() as session:  # by key: that is what there is an index for
        keys = {one.subject for one in envelopes}
        known = set((await session.scalars(select(outbox.event_id).where(outbox.key.in_(keys)))).all())
    oldest = await _oldest(db)
    for one in envelopes:
        if one.id in known or oldest is None or one.time < oldest:
            continue  # pruned from the outbox, where it is older than all that is there
        found.events[one.type] += 1
        if one.type == ComplaintReceived.type:
            found.complaints.append(one.subject)


async def _oldest(db: Database) -> Any:
    outbox = db.tables.outbox.c
    async with db.reading() as session:
        query = select(outbox.created_at).order_by(outbox.seq).limit(1)
        return (await session.execute(query)).scalar_one_or_none()
