"""What the fault tests share: how much to do, the dice, and the two ways to run."""

import random
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.cluster import Cluster
from shared.db import Database
from tests.chaos import sites
from tests.chaos.scale import LONG, LONG_SCALE, PATIENCE, SEEDS, SHORT_SCALE, Scale
from tests.chaos.sites import ClusterSite, DeskSite


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever throws dice bears its seed in its name; a fault is run once with each."""
    if "seed" in metafunc.fixturenames:
        fault = metafunc.definition.get_closest_marker("fault") is not None
        metafunc.parametrize("seed", SEEDS if fault else SEEDS[:1])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(Path(__file__).parent):
            continue
        if item.get_closest_marker("slow") and not LONG:
            item.add_marker(pytest.mark.skip(reason="too long for every change: make chaos"))
        if PATIENCE > 1 and (limit := item.get_closest_marker("timeout")):
            item.add_marker(pytest.mark.timeout(limit.args[0] * PATIENCE), append=False)


@pytest.fixture
def scale(seed: int) -> Scale:
    """The long form does much with one seed, and little with each of the others."""
    return LONG_SCALE if LONG and seed == SEEDS[0] else SHORT_SCALE


@pytest.fixture
def rng(request: pytest.FixtureRequest, seed: int) -> random.Random:
    """This test's dice. The seed is among what pytest shows of a test that failed."""
    print(f"REDRESS_SEED={seed}")
    return random.Random(request.node.name)


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
