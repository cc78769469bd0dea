"""A rolling upgrade under load: no request fails, nothing is lost and nothing is done twice.

The old version serves while the new one's migrations run, then the processes are replaced one by one: worker and HTTP
process of a service are started beside the old ones, which are then told to stop. Whoever sends behaves as a load
balancer: to an instance that says it is ready, each request once.

From `previous`: the old version is the code before the newest migrations, taken from the checkout's history, so schema
and code are truly older, and those who wrote it knew nothing of what came. To `next`, where the checkout has no
history, and in the long form: the old version is the code as it is, and the new one has a migration more in each
service, which adds columns to its busiest table, fills one and builds an index of it, and a field more in every event.
It shows that this version can be upgraded, as far as its successor keeps to the rules for migrations.

An old version that does not say that it leaves (before REDRESS_DRAIN_SECONDS) is taken from the balancer before it is
told to stop, as Kubernetes does; of one that does, the balancer hears by its readiness alone.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.cluster import Cluster
from deploy.infra.processes import Child
from deploy.registry import SERVICES
from shared.bus.kafka import GROUP
from tests.chaos import load, sites, truth, versions
from tests.chaos.balanced import Balancer, Instance, Traffic
from tests.chaos.scale import LONG
from tests.chaos.sites import ClusterSite
from tests.chaos.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(1800)]
_RATE = 25.0 if LONG else 6.0  # complaints a second, and as many reads
_BEFORE = 20_000 if LONG else 200  # complaints that are there before the load begins
_OLDER = versions.before_the_newest_migrations()
_UPGRADES = [name for name, wanted in (("previous", _OLDER), ("next", LONG or not _OLDER)) if wanted]
_PATIENCE = 300  # seconds for one step
_AWHILE = 20.0 if LONG else 3.0  # seconds of load between the steps


@dataclass(slots=True)
class Left:
    """How the old processes went: seconds from being told to stop until each had ended, and how it ended."""

    seconds: dict[str, float] = field(default_factory=dict)
    codes: dict[str, int | None] = field(default_factory=dict)
    members: dict[str, int] = field(default_factory=dict)
    """Of each service's consumer group, right after its old worker had ended."""


@pytest.fixture
async def old(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cluster]:
    """A cluster of the old version, serving."""
    source = versions.ROOT
    if _OLDER and request.param == "previous":
        source = await asyncio.to_thread(versions.previous, _OLDER, tmp_path)
    monkeypatch.setenv("REDRESS_DRAIN_SECONDS", "5")
    found = Cluster.anywhere(tmp_path / "cluster", source)
    try:
        await asyncio.to_thread(found.start_below)
        await asyncio.to_thread(found.migrate, seconds=_PATIENCE)
        found.prepare()
        for name in _processes():
            found.children[name].start()
        await asyncio.to_thread(found.wait_ready, *SERVICES, seconds=_PATIENCE)
        yield found
    finally:
        await asyncio.to_thread(found.stop)
        found.kafka.destroy()
        found.postgres.destroy()


@pytest.mark.parametrize("old", _UPGRADES, indirect=True)
async def test_an_upgrade_under_load_fails_no_request_and_loses_nothing(
    old: Cluster, rng: random.Random, tmp_path: Path
) -> None:
    source = versions.following(tmp_path) if old.source == versions.ROOT else versions.ROOT
    new, site = old.beside(source), ClusterSite(old)
    await site.make_tokens()
    batch = load.complaints(_BEFORE + 20_000, rng, series=f"upgrade-{rng.randrange(1 << 32)}")
    async with load.Channels(site.url("intake"), site.tokens["channels"], rng, again=0) as channels:
        channels.post(batch[:_BEFORE])
        await channels.finished()
    balancer = Balancer()
    traffic = Traffic(balancer, site.tokens, batch[_BEFORE:], _RATE)
    began = time.monotonic()
    try:
        async with balancer.looking():
            behind = {name: balancer.add(name, old.address(name)) for name in SERVICES}
            for service in SERVICES:
                await until(partial(balancer.pick, service), within=60, what=service)
            flowing = asyncio.create_task(traffic.flow())
            try:
                left = await _roll(old, new, balancer, behind)
            finally:
                traffic.stop.set()
                await flowing
        seen, took = traffic.seen, time.monotonic() - began
        async with sites.databases(site) as databases:
            found, drained = await truth.settled(databases, within=_PATIENCE)
            counts = await truth.count(databases)
            answers = [json.loads(body) for body in seen.answers.values()]
            kept = await truth.kept(databases["intake"], [one["id"] for one in answers])
    finally:
        for child in new.children.values():
            await asyncio.to_thread(child.stop, seconds=30)
    print(f"{took:.1f} s of load: {dict(seen.asked)}, the longest {seen.longest:.2f} s; drained {drained:.1f} s after")
    print(f"left after {left.seconds}; members of each group then: {left.members}")
    assert seen.wrong == []
    assert set(left.codes.values()) == {0}, f"a process that was told to stop ended otherwise: {left.codes}"
    if versions.drains(old.source or versions.ROOT):
        assert all(one.leaves for one in behind.values()), "each said that it leaves while it still answered"
        assert set(left.members.values()) == {1}, "a worker left its partitions to the other at once"
    assert found.differences == []
    assert counts.differing(_BEFORE + len(answers)) == {}
    assert kept == len(answers) > 0


async def _roll(old: Cluster, new: Cluster, balancer: Balancer, behind: dict[str, Instance]) -> Left:
    """From `old` to `new`, as docs/upgrade.md says."""
    left = Left()
    await asyncio.sleep(_AWHILE)
    await asyncio.to_thread(new.migrate, seconds=_PATIENCE)
    await asyncio.sleep(_AWHILE)  # the old version on the new schema
    for service in SERVICES:
        worker = f"{service}-worker"
        for name in (worker, service):
            await asyncio.to_thread(new.children[name].start)
        await asyncio.to_thread(new.wait_ready, service, seconds=_PATIENCE)
        await until(partial(_runs, new.address(worker)), within=_PATIENCE, what=worker)
        fresh = balancer.add(service, new.address(service))
        await until(lambda one=fresh: one.ready, within=60, what=service)  # type: ignore[misc]
        await _leave(old.children[worker], left)
        left.members[service] = await _members(old.kafka.bootstrap, service)
        if versions.drains(old.source or versions.ROOT):
            await _leave(old.children[service], left)
            await balancer.remove(service, behind[service])
        else:
            await balancer.remove(service, behind[service])
            await _leave(old.children[service], left)
    await asyncio.sleep(_AWHILE)
    return left


async def _leave(child: Child, left: Left) -> None:
    began = time.monotonic()
    await asyncio.to_thread(child.stop, seconds=60)
    left.seconds[child.name] = round(time.monotonic() - began, 2)
    left.codes[child.name] = child.exit_code


async def _runs(address: str) -> bool:
    try:
        async with httpx.AsyncClient(base_url=address, timeout=5) as client:
            return (await client.get("/health/live")).status_code == 200
    except httpx.HTTPError:
        return False


async def _members(bootstrap: str, service: str) -> int:
    """How many consume for `service`, as the broker knows it. One that was killed would be among them for ten seconds
    more."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([GROUP.format(service)])
        return len(answer.groups[0][5])
    finally:
        await admin.close()


def _processes() -> list[str]:
    return [*SERVICES, *(f"{name}-worker" for name in SERVICES)]
