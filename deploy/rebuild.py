"""Reporting's read model built anew: from the outboxes of the other services, or from Kafka's topics."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from sqlalchemy import func, select

from services.reporting import store
from services.reporting.consumers import HANDLED, SOURCES
from services.reporting.settings import ReportingSettings
from services.reporting.usecases import rebuild
from services.reporting.usecases.rebuild import BATCH, Done
from shared.clock import Clock, utcnow
from shared.db import Database
from shared.events import TOPICS

Tell = Callable[[int, int], None]
"""Hears how many events have been replayed, of how many."""


async def from_outboxes(databases: Mapping[str, Database], tell: Tell, *, clock: Clock = utcnow) -> Done:
    """Replay what the other services have kept of what they published."""

    async def batches() -> AsyncIterator[Sequence[str]]:
        for name in SOURCES:
            outbox, after = databases[name].tables.outbox.c, 0
            while True:
                query = select(outbox.seq, outbox.payload).where(outbox.seq > after, outbox.type.in_(HANDLED))
                async with databases[name].reading() as session:
                    rows = (await session.execute(query.order_by(outbox.seq).limit(BATCH))).all()
                if not rows:
                    break
                after = rows[-1].seq
                yield [row.payload for row in rows]

    total = 0
    for name in SOURCES:
        outbox = databases[name].tables.outbox.c
        async with databases[name].reading() as session:
            count = select(func.count()).where(outbox.type.in_(HANDLED))
            total += int((await session.execute(count)).scalar_one())
    return await _rebuild(databases["reporting"], batches, total, tell, clock)


async def from_kafka(settings: ReportingSettings, db: Database, tell: Tell, *, clock: Clock = utcnow) -> Done:
    """Replay what the topics still hold, up to where they ended when this began. Raises ValueError without Kafka."""
    from aiokafka import AIOKafkaConsumer, TopicPartition

    if not settings.kafka:
        raise ValueError("REDRESS_KAFKA is not set")
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **settings.kafka_options(),
    )
    await consumer.start()
    try:
        topics = [TOPICS[name] for name in SOURCES]
        every = [TopicPartition(t, p) for t in topics for p in (consumer.partitions_for_topic(t) or ())]
        if not every:  # the consumer learns of topics only when asked
            await consumer._client.force_metadata_update()
            known = await consumer.topics()
            every = [
                TopicPartition(t, p) for t in topics if t in known for p in (consumer.partitions_for_topic(t) or ())
            ]
        consumer.assign(every)
        ends = await consumer.end_offsets(every)
        starts = await consumer.beginning_offsets(every)
        for partition, start in starts.items():
            consumer.seek(partition, start)

        async def batches() -> AsyncIterator[Sequence[bytes]]:
            left = {p for p in every if starts[p] < ends[p]}
            while left:
                for partition, records in (await consumer.getmany(*left, timeout_ms=1000, max_records=BATCH)).items():
                    yield [r.value for r in records if r.value is not None and r.offset < ends[partition]]
                left = {p for p in left if await consumer.position(p) < ends[p]}

        total = sum(ends[p] - starts[p] for p in every)
        return await _rebuild(db, batches, total, tell, clock)
    finally:
        await consumer.stop()


async def _rebuild(
    db: Database,
    batches: Callable[[], AsyncIterator[Sequence[str]] | AsyncIterator[Sequence[bytes]]],
    total: int,
    tell: Tell,
    clock: Clock,
) -> Done:
    """`batches` begins to read only after consumers write into the new slot too, so nothing falls between the two."""
    zone = ReportingSettings().zone
    build = await rebuild.begin(db, now=clock())
    done = Done()
    async for payloads in batches():
        await rebuild.replay(db, build, payloads, zone, done)
        tell(done.replayed, total)
    await rebuild.keep(db, build, zone, done)
    await rebuild.finish(db, build)
    return done


async def if_stale(databases: Mapping[str, Database]) -> Done | None:
    """Rebuild where an upgrade has left figures that lack something; None where nothing was to be done."""
    async with databases["reporting"].reading() as session:
        if not await store.stale(session):
            return None
    return await from_outboxes(databases, lambda _done, _total: None)
