"""What Kafka still holds from after the moment that was restored.

Those events tell of what no database knows any more. A consumer that had not come to them yet would open cases of
complaints that intake has not; so every group goes on at the topics' present end. What the restored outboxes have to
tell is sent again, and comes after it. The events are listed: they say which complaints to ask the channels for again.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
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
_LEFT_BY = 20.0  # seconds after which a worker that was killed has left its group, and a running one has not


@dataclass(slots=True)
class After:
    """`events` in Kafka that the backup does not know, by type; `complaints`: ids of those received after it."""

    events: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    complaints: list[str] = field(default_factory=list)


async def nobody_works(settings: Any) -> None:
    """Raises BackupFailed when Kafka is away, or workers still run: their groups are theirs alone."""
    with _away():
        async with _consumer(settings) as consumer:
            every = await _partitions(consumer)
        async with _in_place_of_workers(settings, every):
            pass


async def skip_what_came_after(settings: Any, databases: Mapping[str, Database]) -> After:
    """List what is in the topics and in no restored outbox, and set every group to the topics' end. Raises as
    `nobody_works`."""
    found = After()
    with _away():
        async with _consumer(settings) as consumer:
            if not (every := await _partitions(consumer)):
                return found  # new, and empty
            ends = await consumer.end_offsets(every)
            async for topic, values in _records(consumer, every, ends):
                source = next(name for name, its in TOPICS.items() if its == topic)
                await _compare(databases[source], values, found)
        async with _in_place_of_workers(settings, every) as members:
            for member in members:
                await member.commit(ends)
    return found


@asynccontextmanager
async def _in_place_of_workers(settings: Any, every: list[TopicPartition]) -> AsyncIterator[list[Any]]:
    """One member in each service's group, which has all partitions: so there is nobody else."""
    async with AsyncExitStack() as stack:
        members = {}
        for name in TOPICS if every else ():
            joining = _consumer(settings, *{p.topic for p in every}, group=f"redress-{name}")
            members[name] = await stack.enter_async_context(joining)
        until = time.monotonic() + _LEFT_BY
        while lacking := [name for name, member in members.items() if member.assignment() != set(every)]:
            if time.monotonic() > until:
                raise BackupFailed(f"workers still run: {', '.join(lacking)}")
            await asyncio.sleep(0.1)
        yield list(members.values())


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise BackupFailed(f"Kafka is away ({type(error).__name__})") from error


@asynccontextmanager
async def _consumer(settings: Any, *topics: str, group: str | None = None) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=settings.kafka,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=10_000,  # as workers do
        heartbeat_interval_ms=2_000,
        **settings.kafka_security,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _partitions(consumer: Any) -> list[TopicPartition]:
    cluster = await consumer._client.fetch_all_metadata()  # its own view holds only what it has been asked for
    return [TopicPartition(t, p) for t in TOPICS.values() for p in (cluster.partitions_for_topic(t) or ())]


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
