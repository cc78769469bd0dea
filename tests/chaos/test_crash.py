"""Whatever is killed, whenever: every complaint is kept once, and every effect happens once."""

import asyncio
import json
import random
import time
from collections import deque
from functools import partial

import pytest

from shared.db import Database
from tests.chaos import invariants, load, storm, truth
from tests.chaos.casework import WHOLE_LIFE, Officer
from tests.chaos.load import Channels, Complaint, Told
from tests.chaos.scale import LONG, Scale
from tests.chaos.sites import ClusterSite, DeskSite, Site
from tests.chaos.storm import Storm
from tests.chaos.waiting import until

_ALWAYS = ("kafka", "postgres", "intake", "intake-worker")
_CONSUMERS = ("routing-worker", "sla-worker", "reporting-worker")


@pytest.mark.postgres
@pytest.mark.kafka
@pytest.mark.fault
@pytest.mark.timeout(1800)
async def test_cluster_loses_nothing_and_doubles_nothing_when_processes_are_killed(
    cluster_site: ClusterSite, cluster_databases: dict[str, Database], scale: Scale, rng: random.Random
) -> None:
    victims = storm.plan(rng, scale.kills, always=(*_ALWAYS, rng.choice(_CONSUMERS)), victims=cluster_site.victims)
    assert len(victims) == scale.kills
    await _survives(cluster_site, cluster_databases, scale, victims, rng)


@pytest.mark.fault
@pytest.mark.timeout(1800)
async def test_desk_loses_nothing_and_doubles_nothing_when_it_is_killed(
    desk: DeskSite, desk_databases: dict[str, Database], scale: Scale, rng: random.Random
) -> None:
    kills = scale.kills if LONG else 3  # it takes as long to come back as a whole cluster
    await _survives(desk, desk_databases, scale, ["desk"] * kills, rng)


async def _survives(
    site: Site, databases: dict[str, Database], scale: Scale, victims: list[str], rng: random.Random
) -> None:
    before = await truth.count(databases)
    batch = load.complaints(scale.complaints, rng, series=f"crash-{rng.randrange(1 << 32)}")
    officer, chosen = Officer(site), rng.sample(batch, scale.cases)
    closed_before = await truth.closed(databases)
    async with Channels(site.url("intake"), site.tokens["channels"], rng) as channels:
        told = channels.told
        casework = asyncio.create_task(_work(officer, told, sorted(chosen, key=batch.index)))
        raged = await storm.rage(site, channels, batch, victims, rng)
        await casework
    ended = time.monotonic()
    wrong = await invariants.broken(databases, before=before, answers=told.answers.values(), kafka=site.kafka)
    _say(raged, told, officer, time.monotonic() - ended)
    assert told.wrong == []
    assert officer.wrong == []
    assert raged.fell == [], "only what was killed may end; all else waits and goes on"
    assert told.taken == scale.complaints
    assert wrong == []
    assert len(officer.closed) == scale.cases
    closed = await truth.closed(databases)
    assert {where: n - closed_before[where] for where, n in closed.items()} == dict.fromkeys(closed, scale.cases)


async def _work(officer: Officer, told: Told, chosen: list[Complaint]) -> None:
    """Take each of `chosen` through its whole life as soon as it is taken in, a few at once."""
    waiting = deque(chosen)

    async def one_after_the_other() -> None:
        while waiting:
            key = waiting.popleft().key
            answer = await until(partial(told.answers.get, key), within=900, what=key)
            await officer.work(json.loads(answer)["id"], *WHOLE_LIFE)

    await asyncio.gather(*(one_after_the_other() for _ in range(4)))


def _say(raged: Storm, told: Told, officer: Officer, waited: float) -> None:
    """Shown with `-s`, and by pytest when the test fails."""
    print(f"killed {raged.kills.total()}: {dict(raged.kills)}; {told.taken} complaints in {raged.seconds:.1f} s")
    print(f"tries that failed: {told.retries.total()}: {dict(told.retries)}; checked {waited:.1f} s after")
    print(f"{len(officer.closed)} cases closed, tries that failed: {dict(officer.retries)}")
