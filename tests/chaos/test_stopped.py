"""Processes that are stopped (SIGSTOP) for longer than their leases, and wake up when others have their work.

To Kafka and PostgreSQL such a process looks alive: its connections stand, its locks are held. It has to lose them by
saying nothing, and may do no harm with what it still believes when it goes on.
"""

import asyncio
import random

import pytest
from sqlalchemy import text

from shared.clock import utcnow
from shared.db import Database
from shared.db.database import STALLED
from shared.relay import LEASE
from tests.chaos import invariants, load, truth
from tests.chaos.load import Channels
from tests.chaos.scale import PATIENCE
from tests.chaos.sites import ClusterSite
from tests.chaos.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.kafka, pytest.mark.fault, pytest.mark.timeout(400)]
_COMPLAINTS = 60
_SESSION = 10.0  # seconds after which Kafka gives a silent consumer's partitions to others
_SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "victim", ["routing-worker", *(pytest.param(f"{n}-worker", marks=_SLOW) for n in ("intake", "sla", "reporting"))]
)
async def test_a_worker_that_was_stopped_is_replaced_and_does_no_harm_when_it_wakes(
    cluster_site: ClusterSite, cluster_databases: dict[str, Database], rng: random.Random, victim: str
) -> None:
    """Its relay leads, its consumers hold partitions, and of sla's the engine does what is due."""
    before = await truth.count(cluster_databases)
    batch = load.complaints(_COMPLAINTS, rng, series=f"stopped-{rng.randrange(1 << 32)}")
    asleep = cluster_site.cluster.children[victim]
    async with (
        cluster_site.beside(victim),
        Channels(cluster_site.url("intake"), cluster_site.tokens["channels"], rng) as channels,
    ):
        channels.post(batch[:-10])
        goal = rng.randrange(_COMPLAINTS - 20)
        await until(lambda: channels.told.taken >= goal, within=60, every=0.002)
        due = await _bring_forward(cluster_databases["sla"]) if victim == "sla-worker" else 0
        await asyncio.sleep(rng.uniform(0, 1))
        await asyncio.to_thread(asleep.pause)
        try:
            await asyncio.sleep(max(LEASE, _SESSION) + rng.uniform(1, 3))
            await channels.finished()
            found, waited = await truth.settled(cluster_databases, within=STALLED + 40)
            assert found.differences == [], "the other one has taken over while this one is still stopped"
        finally:
            await asyncio.to_thread(asleep.resume)
        channels.post(batch[-10:])
        await channels.finished()
        await asyncio.sleep(rng.uniform(1, 3))
        wrong = await invariants.broken(
            cluster_databases, before=before, answers=channels.told.answers.values(), kafka=cluster_site.kafka
        )
    print(f"{victim} stopped after {goal}; the other one had done all {waited:.1f} s after the leases; {due} due")
    assert channels.told.wrong == []
    assert wrong == []
    assert cluster_site.dead() == [], "it goes on"


@_SLOW
async def test_an_intake_that_was_stopped_holds_up_no_other_and_does_no_harm_when_it_wakes(
    cluster_site: ClusterSite, cluster_databases: dict[str, Database], rng: random.Random
) -> None:
    before = await truth.count(cluster_databases)
    batch = load.complaints(_COMPLAINTS, rng, series=f"stopped-{rng.randrange(1 << 32)}")
    asleep = cluster_site.cluster.children["intake"]
    async with (
        cluster_site.beside("intake") as (_, other),
        Channels(cluster_site.url("intake"), cluster_site.tokens["channels"], rng) as channels,
        Channels(other, cluster_site.tokens["channels"], rng) as others,
    ):
        channels.post(batch)
        goal = rng.randrange(_COMPLAINTS // 2)
        await until(lambda: channels.told.taken >= goal, within=60, every=0.001)
        await asyncio.to_thread(asleep.pause)
        try:
            # the very complaints that the stopped one may have in hand, at another door
            others.post(batch)
            await asyncio.wait_for(others.finished(), (STALLED + 60) * PATIENCE)
            assert others.told.wrong == []
        finally:
            await asyncio.to_thread(asleep.resume)
        await channels.finished()
    assert channels.told.wrong == []
    assert channels.told.answers == others.told.answers, "both doors tell of the same complaints"
    wrong = await invariants.broken(
        cluster_databases, before=before, answers=others.told.answers.values(), kafka=cluster_site.kafka
    )
    assert wrong == []


async def _bring_forward(sla: Database) -> int:
    """Have all open steps fall due now, so that the engine has its hands full; how many."""
    async with sla.transaction() as tx:
        query = (
            "UPDATE step SET due_at = :now, next_at = :now WHERE state IN ('running', 'warned') AND next_at IS NOT NULL"
        )
        return int((await tx.execute(text(query), {"now": utcnow()})).rowcount)  # type: ignore[attr-defined]
