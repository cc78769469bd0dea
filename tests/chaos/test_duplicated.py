"""Topics that bring everything twice and in another order: consumers do everything once."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.bus import Message
from shared.bus.kafka import GROUP
from shared.db import Database
from shared.events import TOPICS
from tests.chaos import invariants, load, truth
from tests.chaos.casework import WHOLE_LIFE, work
from tests.chaos.load import Channels
from tests.chaos.scale import PATIENCE
from tests.chaos.sites import ClusterSite

pytestmark = [pytest.mark.postgres, pytest.mark.kafka, pytest.mark.fault, pytest.mark.timeout(300)]
_DEAF = ("sla", "reporting")


@pytest.mark.parametrize("in_order", [True, False], ids=["in-order", "in-any-order"])
async def test_what_is_delivered_again_in_another_order_changes_nothing(
    cluster_site: ClusterSite, cluster_databases: dict[str, Database], rng: random.Random, in_order: bool
) -> None:
    before = await truth.count(cluster_databases)
    async with Channels(cluster_site.url("intake"), cluster_site.tokens["channels"], rng) as channels:
        channels.post(load.complaints(30, rng, series=f"again-{rng.randrange(1 << 32)}"))
        await channels.finished()
    assert channels.told.wrong == []
    answers = list(channels.told.answers.values())
    for one in rng.sample(invariants.taken(answers), 3):
        await work(cluster_site, one["id"], *WHOLE_LIFE)
    assert (await truth.settled(cluster_databases, within=60))[0].differences == []
    told = [event for name in TOPICS for event in await _everything(cluster_site, name, answers)]
    await _publish(cluster_site, _shuffled([*told, *told], rng, in_order=in_order))
    await _caught_up(cluster_site)
    wrong = await invariants.broken(cluster_databases, before=before, answers=answers, kafka=cluster_site.kafka)
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("in_order", [True, False], ids=["in-order", "in-any-order"])
async def test_what_comes_twice_and_in_another_order_from_the_start_is_done_once(
    cluster_site: ClusterSite, cluster_databases: dict[str, Database], rng: random.Random, in_order: bool
) -> None:
    """The whole lives of complaints reach two services as copies alone, shuffled: what a complaint's case did may come
    before the complaint itself. In the second form not even the events of one service about one complaint keep their
    order, which Kafka promises: counts must hold even then, though not what is the last word about a complaint."""
    before = await truth.count(cluster_databases)
    workers = [cluster_site.cluster.children[f"{name}-worker"] for name in _DEAF]
    for worker in workers:
        await asyncio.to_thread(worker.stop)
    try:
        async with Channels(cluster_site.url("intake"), cluster_site.tokens["channels"], rng) as channels:
            channels.post(load.complaints(20, rng, series=f"first-{rng.randrange(1 << 32)}"))
            await channels.finished()
        assert channels.told.wrong == []
        answers = list(channels.told.answers.values())
        for one in rng.sample(invariants.taken(answers), 4):
            await work(cluster_site, one["id"], *WHOLE_LIFE)
        told = [event for name in ("intake", "routing") for event in await _everything(cluster_site, name, answers)]
        for name in _DEAF:
            await _skip_to_the_end(cluster_site, name)
        shuffled = _shuffled([*told, *told], rng, in_order=in_order)
    finally:
        for worker in workers:
            await asyncio.to_thread(worker.start)
    for part in load.portions(shuffled, 5):
        await _publish(cluster_site, part)
        await asyncio.sleep(rng.uniform(0, 1))
    await _caught_up(cluster_site)
    wrong = await invariants.broken(cluster_databases, before=before, answers=answers, kafka=cluster_site.kafka)
    assert wrong == []


async def _everything(site: ClusterSite, name: str, answers: Sequence[bytes]) -> list[Message]:
    """All that a service's topic tells of the complaints in `answers`, once its outbox is empty."""
    wanted = {one["id"] for one in invariants.taken(answers)}
    found = []
    async for part, record in invariants.records(site.kafka, [TOPICS[name]]):
        key = (record.key or b"").decode(errors="replace")
        if key in wanted:
            found.append(Message(part.topic, key, record.value))
    return found


def _shuffled(messages: Sequence[Message], rng: random.Random, *, in_order: bool) -> list[Message]:
    """`messages` in another order; with `in_order` those of one service about one complaint keep theirs, and what comes
    twice comes a second time when the first round is over."""
    mixed = list(messages)
    rng.shuffle(mixed)
    if not in_order:
        return mixed
    lines: dict[tuple[str, str], list[Message]] = defaultdict(list)
    for one in messages:
        lines[one.topic, one.key].append(one)
    waiting = {key: iter(line) for key, line in lines.items()}
    return [next(waiting[one.topic, one.key]) for one in mixed]


async def _publish(site: ClusterSite, messages: Sequence[Message]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=site.kafka, enable_idempotence=True, linger_ms=2)
    await producer.start()
    try:
        sent = [await producer.send(m.topic, m.value, key=m.key.encode()) for m in messages]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def _skip_to_the_end(site: ClusterSite, service: str) -> None:
    """Have the group of `service`, whose workers are stopped, begin behind all that is there now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=site.kafka, group_id=GROUP.format(service), enable_auto_commit=False)
    await consumer.start()
    try:
        parts = invariants.partitions()
        consumer.assign(parts)
        await consumer.commit(dict(await consumer.end_offsets(parts)))
    finally:
        await consumer.stop()


async def _caught_up(site: ClusterSite, *, within: float = 90) -> None:
    """Wait until every group has handled all that its topics hold: copies are not missed by anybody who only looks
    for what was not handled."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within * PATIENCE
    for name in TOPICS:
        consumer = AIOKafkaConsumer(bootstrap_servers=site.kafka, group_id=GROUP.format(name), enable_auto_commit=False)
        await consumer.start()
        try:
            parts = invariants.partitions()
            consumer.assign(parts)
            ends = await consumer.end_offsets(parts)
            for part in parts:
                # a group that does not read this topic has never committed
                while (at := await consumer.committed(part)) is not None and at < ends[part]:
                    assert loop.time() < end, f"{name} does not catch up on {part}: {at} of {ends[part]}"
                    await asyncio.sleep(0.2)
        finally:
            await consumer.stop()
