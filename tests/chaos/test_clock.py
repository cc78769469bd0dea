"""Clocks that jump, forwards and back, while complaints come in: ids, order, deadlines and leases hold."""

import asyncio
import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.db import Database
from tests.chaos import invariants, load, sites, truth
from tests.chaos.casework import WHOLE_LIFE, work
from tests.chaos.load import Channels
from tests.chaos.sites import ClusterSite, DeskSite, Site
from tests.chaos.skewed import OFFSET, jump
from tests.chaos.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(400)]
_HOUR = 3600.0
_JUMPS = 4


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """The file by which a clock is made to jump."""
    file = tmp_path / "clock"
    jump(file, 0)
    return file


@pytest.fixture
def skewed_desk(tmp_path: Path, clock: Path) -> Iterator[DeskSite]:
    found = DeskSite(tmp_path / "home", module="tests.chaos.skewed", env={OFFSET: str(clock)})
    try:
        found.start_and_wait()
        yield found
    finally:
        found.process.stop(seconds=15)
        shutil.rmtree(found.home, ignore_errors=True)


@pytest.mark.slow
async def test_a_desk_whose_clock_jumps_keeps_order_and_deadlines_and_does_all_once(
    skewed_desk: DeskSite, clock: Path, rng: random.Random
) -> None:
    async with sites.databases(skewed_desk) as databases:
        await _holds(skewed_desk, databases, clock, rng)
        for name, db in databases.items():
            assert await _ids_fall_back(db) == 0, f"{name}'s ids of a complaint rise, whatever its clock does"


@pytest.mark.postgres
@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize("service", ["intake", "routing", "sla", "reporting"])
async def test_a_service_whose_clock_jumps_alone_keeps_order_and_deadlines_and_does_all_once(
    cluster_site: ClusterSite,
    cluster_databases: dict[str, Database],
    clock: Path,
    rng: random.Random,
    service: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both of its processes jump, being on one host; all the others see events from the future and the past."""
    monkeypatch.setenv(OFFSET, str(clock))
    cluster, mine = cluster_site.cluster, (service, f"{service}-worker")
    right = {name: cluster.children[name] for name in mine}
    for name in mine:
        await asyncio.to_thread(right[name].stop, seconds=15)
        cluster.children[name] = cluster.process(name, cluster.ports[name], module="tests.chaos.skewed")
        await asyncio.to_thread(cluster.children[name].start)
    try:
        for name in mine:
            address = f"{cluster.address(name)}"
            await until(lambda a=address: asyncio.to_thread(sites.answers, a), within=60, what=name)  # type: ignore[misc]
        await _holds(cluster_site, cluster_databases, clock, rng)
    finally:
        for name in mine:
            await asyncio.to_thread(cluster.children[name].stop, seconds=15)
            cluster.children[name] = right[name]
            await asyncio.to_thread(right[name].start)


async def _holds(site: Site, databases: Mapping[str, Database], clock: Path, rng: random.Random) -> None:
    before = await truth.count(databases)
    batch = load.complaints(36, rng, series=f"clock-{rng.randrange(1 << 32)}")
    parts = load.portions(batch, _JUMPS + 2)
    jumps = [rng.choice((-1, 1)) * _HOUR * rng.choice((0.01, 1, 26, 24 * 10)) for _ in range(_JUMPS)]
    async with Channels(site.url("intake"), site.tokens["channels"], rng) as channels:
        channels.post(parts[0])
        await channels.finished()
        assert (await truth.settled(databases, within=90))[0].differences == []
        deadlines = await _deadlines(databases["sla"])
        for off, part in zip([*jumps, 0.0], parts[1:], strict=True):
            channels.post(part)
            goal = channels.told.taken + rng.randrange(len(part))
            await until(lambda g=goal: channels.told.taken >= g or channels.told.wrong, within=60, every=0.002)  # type: ignore[misc]
            jump(clock, off)
            await asyncio.sleep(rng.uniform(0.5, 1.5))
        await channels.finished()
    assert channels.told.wrong == []
    answers = list(channels.told.answers.values())
    later = [channels.told.answers[one.key] for one in batch[len(parts[0]) :]]
    for one in rng.sample(invariants.taken(later), 3):
        await work(site, one["id"], *WHOLE_LIFE)
    print(f"jumped to {[f'{off / _HOUR:+.2f} h' for off in jumps]} and back")
    assert await invariants.broken(databases, before=before, answers=answers, kafka=site.kafka) == []
    assert deadlines.items() <= (await _deadlines(databases["sla"])).items(), "a deadline once set stays where it is"


async def _deadlines(sla: Database) -> dict[tuple[str, str], object]:
    async with sla.reading() as session:
        rows = (await session.execute(text("SELECT clock_id, name, due_at FROM step"))).all()
    return {(clock, name): due for clock, name, due in rows}


async def _ids_fall_back(db: Database) -> int:
    told = "SELECT event_id, lag(event_id) OVER (PARTITION BY key ORDER BY seq) AS earlier FROM outbox"
    return await truth.number(db, f"SELECT count(*) FROM ({told}) AS told WHERE event_id < earlier")
