"""Whatever is killed, whenever: every complaint is kept once, and every effect happens once."""

import json
import random

import pytest

from shared.db import Database
from tests.chaos import load, storm, truth
from tests.chaos.load import Channels, Told
from tests.chaos.scale import Scale
from tests.chaos.sites import ClusterSite, DeskSite, Site
from tests.chaos.storm import Storm

_ALWAYS = ("kafka", "postgres", "intake", "intake-worker")


@pytest.mark.postgres
@pytest.mark.kafka
@pytest.mark.timeout(1800)
async def test_cluster_loses_nothing_and_doubles_nothing_when_processes_are_killed(
    cluster_site: ClusterSite, cluster_databases: dict[str, Database], scale: Scale, rng: random.Random
) -> None:
    victims = storm.plan(rng, scale.kills, always=_ALWAYS, victims=cluster_site.victims)
    assert len(victims) == scale.kills
    await _survives(cluster_site, cluster_databases, scale, victims, rng)


@pytest.mark.timeout(1800)
async def test_desk_loses_nothing_and_doubles_nothing_when_it_is_killed(
    desk: DeskSite, desk_databases: dict[str, Database], scale: Scale, rng: random.Random
) -> None:
    await _survives(desk, desk_databases, scale, ["desk"] * scale.kills, rng)


async def _survives(
    site: Site, databases: dict[str, Database], scale: Scale, victims: list[str], rng: random.Random
) -> None:
    before = await truth.count(databases)
    batch = load.complaints(scale.complaints, rng, series=f"crash-{rng.randrange(1 << 32)}")
    async with Channels(site.url("intake"), site.tokens["channels"], rng) as channels:
        raged = await storm.rage(site, channels, batch, victims, rng)
        told = channels.told
    found, waited = await truth.settled(databases, within=90)
    _say(raged, told, waited)
    assert told.wrong == []
    assert raged.fell == [], "only what was killed may end; all else waits and goes on"
    answered = [json.loads(body) for body in told.answers.values()]
    assert len(answered) == scale.complaints
    assert len({a["id"] for a in answered}) == len({a["reference"] for a in answered}) == scale.complaints
    assert found.differences == []
    assert (await truth.count(databases) - before).differing(scale.complaints) == {}
    assert await truth.kept(databases["intake"], [a["id"] for a in answered]) == scale.complaints


def _say(raged: Storm, told: Told, waited: float) -> None:
    """Shown with `-s`, and by pytest when the test fails."""
    print(f"killed {raged.kills.total()}: {dict(raged.kills)}; {told.taken} complaints in {raged.seconds:.1f} s")
    print(f"tries that failed: {told.retries.total()}: {dict(told.retries)}; drained {waited:.1f} s after the last")
