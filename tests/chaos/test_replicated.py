"""Brokers and the database's server lost while others stand ready: nothing acknowledged is lost, and order is kept."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer

from deploy.cluster import Cluster
from shared.db import Database
from tests.chaos import invariants, load, sites, truth
from tests.chaos.casework import WHOLE_LIFE, work
from tests.chaos.load import Channels
from tests.chaos.replicated import Brokers, Pair
from tests.chaos.sites import ClusterSite
from tests.chaos.waiting import until

# A cluster of its own, of which there is one at a time: `make chaos` runs them, not every change.
pytestmark = [pytest.mark.postgres, pytest.mark.kafka, pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(600)]
_COMPLAINTS = 150


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSite]:
    found = Cluster.anywhere(tmp_path_factory.mktemp("brokers"))
    found.kafka = Brokers(found.home / "brokers")
    yield from _run(found)


@pytest.fixture
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSite]:
    """Anew for each test: a standby is promoted once."""
    found = Cluster.anywhere(tmp_path_factory.mktemp("pair"))
    found.postgres = Pair(found.home / "pair")
    yield from _run(found)


def _run(cluster: Cluster) -> Iterator[ClusterSite]:
    try:
        cluster.start()
        yield ClusterSite(cluster)
    finally:
        cluster.stop()
        cluster.kafka.destroy()
        cluster.postgres.destroy()


@asynccontextmanager
async def _opened(site: ClusterSite) -> AsyncIterator[dict[str, Database]]:
    if not site.tokens:
        await site.make_tokens()
    async with sites.databases(site) as databases:
        yield databases


async def test_when_leaders_of_partitions_die_one_after_the_other_nothing_is_lost(
    brokers: ClusterSite, rng: random.Random
) -> None:
    async with _opened(brokers) as databases:
        await _loses_leaders(brokers, databases, rng)


async def _loses_leaders(cluster: ClusterSite, databases: dict[str, Database], rng: random.Random) -> None:
    nodes = cluster.cluster.kafka
    assert isinstance(nodes, Brokers)
    before = await truth.count(databases)
    batch = load.complaints(_COMPLAINTS, rng, series=f"leaders-{rng.randrange(1 << 32)}")
    killed = []
    async with Channels(cluster.url("intake"), cluster.tokens["channels"], rng) as channels:
        for part in load.portions(batch, 2):
            goal = channels.told.taken + rng.randrange(5, len(part) - 20)
            channels.post(part)
            await until(lambda g=goal: channels.told.taken >= g or channels.told.wrong, within=120, every=0.002)  # type: ignore[misc]
            victim = nodes.nodes[await _leader_of_the_busiest(nodes.bootstrap)]
            await asyncio.to_thread(victim.kill)
            killed.append(victim.node)
            await asyncio.sleep(rng.uniform(2, 6))  # the others elect leaders and go on
            await channels.finished()
            found, waited = await truth.settled(databases, within=60)
            assert found.differences == [], "two of three go on alone"
            await asyncio.to_thread(victim.start)
            await asyncio.sleep(rng.uniform(0, 2))
    print(f"killed {killed}; all was published {waited:.1f} s after the last complaint, with two of three")
    for one in rng.sample(invariants.taken(channels.told.answers.values()), 2):
        await work(cluster, one["id"], *WHOLE_LIFE)
    assert channels.told.wrong == []
    wrong = await invariants.broken(
        databases, before=before, answers=channels.told.answers.values(), kafka=nodes.bootstrap
    )
    assert wrong == []
    assert cluster.dead() == []


async def test_when_the_standby_takes_over_all_that_was_acknowledged_is_there(
    pair: ClusterSite, rng: random.Random
) -> None:
    async with _opened(pair) as databases:
        await _fails_over(pair, databases, rng)


async def _fails_over(cluster: ClusterSite, databases: dict[str, Database], rng: random.Random) -> None:
    pair = cluster.cluster.postgres
    assert isinstance(pair, Pair)
    pids = {name: child.pid for name, child in cluster.cluster.children.items()}
    before = await truth.count(databases)
    batch = load.complaints(_COMPLAINTS, rng, series="pair")
    async with Channels(cluster.url("intake"), cluster.tokens["channels"], rng) as channels:
        channels.post(batch)
        goal = rng.randrange(5, _COMPLAINTS - 20)
        await until(lambda: channels.told.taken >= goal or channels.told.wrong, within=120, every=0.002)
        await asyncio.to_thread(pair.leader.kill)
        refused = await channels.try_once(batch[-1])
        await asyncio.sleep(rng.uniform(0, 3))
        began = time.monotonic()
        await asyncio.to_thread(pair.fail_over)
        await channels.finished()
        recovered = time.monotonic() - began
    print(f"failed over after {goal}: all taken {recovered:.1f} s later; tries that failed: {channels.told.retries}")
    assert refused.status_code == 503
    assert "retry-after" in refused.headers
    for one in rng.sample(invariants.taken(channels.told.answers.values()), 2):
        await work(cluster, one["id"], *WHOLE_LIFE)
    assert channels.told.wrong == []
    wrong = await invariants.broken(
        databases, before=before, answers=channels.told.answers.values(), kafka=cluster.kafka
    )
    assert wrong == []
    assert {name: child.pid for name, child in cluster.cluster.children.items()} == pids, "nothing was restarted"


async def _leader_of_the_busiest(bootstrap: str) -> int:
    """The node that leads the partition with most records."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        parts = invariants.partitions()
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        return int(consumer._client.cluster.leader_for_partition(max(parts, key=lambda part: ends[part])))
    finally:
        await consumer.stop()
