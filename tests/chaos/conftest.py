"""What the crash and outage tests share: how much to do, the dice, and the two ways to run."""

import random
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.cluster import Cluster
from shared.db import Database
from tests.chaos import sites
from tests.chaos.scale import SCALE, SEED, Scale
from tests.chaos.sites import ClusterSite, DeskSite


@pytest.fixture(scope="session")
def scale() -> Scale:
    return SCALE


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """This test's dice. The seed is among what pytest shows of a test that failed."""
    print(f"REDRESS_CHAOS_SEED={SEED}")
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSite]:
    """One cluster for all tests of this folder. Whoever breaks it mends it."""
    found = Cluster.anywhere(tmp_path_factory.mktemp("cluster"))
    try:
        found.start()
        yield ClusterSite(found)
    finally:
        found.stop()
        found.kafka.destroy()
        found.postgres.destroy()


@pytest.fixture
async def cluster_site(cluster: ClusterSite) -> ClusterSite:
    """The cluster with keys to use it, all of its processes running."""
    if not cluster.tokens:
        await cluster.make_tokens()
    assert cluster.dead() == []
    return cluster


@pytest.fixture
async def cluster_databases(cluster_site: ClusterSite) -> AsyncIterator[dict[str, Database]]:
    async with sites.databases(cluster_site) as found:
        yield found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskSite]:
    """A running desk on a new home, on the embedded default."""
    found = DeskSite(tmp_path / "home")
    try:
        found.start_and_wait()
        yield found
    finally:
        found.process.stop(seconds=15)
        shutil.rmtree(found.home, ignore_errors=True)


@pytest.fixture
async def desk_databases(desk: DeskSite) -> AsyncIterator[dict[str, Database]]:
    async with sites.databases(desk) as found:
        yield found
