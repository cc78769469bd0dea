"""The network between the services' host and that of Kafka and PostgreSQL is cut, both ways or one way."""

import asyncio
import random
import time
from collections.abc import Iterator

import pytest

from deploy.cluster import Cluster
from deploy.infra.kafka import Kafka
from deploy.infra.ports import free_port
from deploy.infra.postgres import Postgres
from tests.chaos import hosts, invariants, load, sites, truth
from tests.chaos.casework import WHOLE_LIFE, work
from tests.chaos.hosts import Host, Way
from tests.chaos.load import Channels
from tests.chaos.sites import ClusterSite
from tests.chaos.waiting import until

# A cluster of its own, and addresses that only root may give: `make chaos` runs them, not every change.
pytestmark = [pytest.mark.postgres, pytest.mark.kafka, pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ClusterSite, Host]]:
    """All services on a host of their own, Kafka and PostgreSQL on this one."""
    with hosts.host(random.randrange(1, 250)) as away:
        if away is None:
            pytest.skip("only root may make network namespaces, where the machine permits it")
        home = tmp_path_factory.mktemp("far")
        found = Cluster.anywhere(home)
        found.host, found.through = away.door, away.through
        found.kafka = Kafka(home / "kafka", host=away.ours)
        found.postgres = Postgres(home / "postgres", free_port(), flushes=False, host=away.ours)
        try:
            found.start()
            yield ClusterSite(found), away
        finally:
            away.mend()
            found.stop()
            found.kafka.destroy()
            found.postgres.destroy()


@pytest.mark.parametrize("way", ["both", "out", "in"])
async def test_a_cut_between_hosts_loses_nothing_and_doubles_nothing(
    far: tuple[ClusterSite, Host], rng: random.Random, way: Way
) -> None:
    """Longer than leases and sessions last, and with transactions in flight whose commit may have arrived."""
    site, away = far
    if not site.tokens:
        await site.make_tokens()
    batch = load.complaints(100, rng, series=f"cut-{rng.randrange(1 << 32)}")
    async with sites.databases(site) as databases:
        before = await truth.count(databases)
        async with Channels(site.url("intake"), site.tokens["channels"], rng) as channels:
            channels.post(batch)
            goal = rng.randrange(5, 80)
            await until(lambda: channels.told.taken >= goal or channels.told.wrong, within=120, every=0.002)
            seconds = rng.uniform(5, 30)
            away.cut(way)
            try:
                await asyncio.sleep(seconds)
            finally:
                away.mend()
            mended = time.monotonic()
            await channels.finished()
            recovered = time.monotonic() - mended
        for one in rng.sample(invariants.taken(channels.told.answers.values()), 2):
            await work(site, one["id"], *WHOLE_LIFE)
        print(
            f"cut ({way}) after {goal} for {seconds:.0f} s: all taken {recovered:.1f} s after; {channels.told.retries}"
        )
        assert channels.told.wrong == []
        wrong = await invariants.broken(
            databases, before=before, answers=channels.told.answers.values(), kafka=site.kafka, within=150
        )
        assert wrong == []
        assert site.dead() == [], "whoever was cut off goes on by itself"
