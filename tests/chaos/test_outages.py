"""Kafka or PostgreSQL away: intake says honestly what it can do, keeps what it took, and mends by itself."""

import asyncio
import json
import random
import re
import time
from dataclasses import dataclass, field

import httpx
import pytest

from shared.db import Database
from shared.events import TOPICS
from tests.chaos import invariants, load, truth
from tests.chaos.load import Channels, Complaint
from tests.chaos.scale import Scale
from tests.chaos.sites import ClusterSite
from tests.chaos.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.kafka, pytest.mark.timeout(600)]
_RATE = 25  # complaints a second while something is away
_AGE = re.compile(r'^redress_outbox_oldest_age_seconds\{service="intake"\} ([0-9.e+-]+)$', re.MULTILINE)


@dataclass(slots=True)
class Watched:
    """What intake said of itself, second by second, while the load went on."""

    statuses: list[int] = field(default_factory=list)
    slowest: float = 0.0
    told_ages: list[float] = field(default_factory=list)
    metric_ages: list[float] = field(default_factory=list)
    causes: set[str] = field(default_factory=set)
    answers: list[bytes] = field(default_factory=list)


@pytest.mark.fault
async def test_kafka_away_intake_takes_complaints_and_tells_the_age_of_what_waits(
    cluster_site: ClusterSite, cluster_databases: dict[str, Database], scale: Scale, rng: random.Random
) -> None:
    before = await truth.count(cluster_databases)
    batch = load.complaints(int(scale.outage * _RATE), rng, series=f"kafka-{rng.randrange(1 << 32)}")
    await _quiet(cluster_databases)
    kafka, intake = cluster_site.cluster.kafka, cluster_site.cluster.children["intake"].pid
    async with Channels(cluster_site.url("intake"), cluster_site.tokens["channels"], rng) as channels:
        await asyncio.to_thread(kafka.stop)
        try:
            seen = await _under_load(cluster_site, channels, batch)
        finally:
            await asyncio.to_thread(kafka.start)
        returned = time.monotonic()
    found, _ = await truth.settled(cluster_databases, within=30)
    delivered = time.monotonic() - returned
    wrong = await invariants.broken(cluster_databases, before=before, answers=seen.answers, kafka=kafka.bootstrap)

    print(f"{len(batch)} complaints in {scale.outage:g} s without Kafka, the slowest answer took {seen.slowest:.2f} s;")
    print(f"oldest event {seen.told_ages[-1]:.1f} s; causes {seen.causes}; all delivered {delivered:.1f} s afterwards")
    assert seen.statuses == [201] * len(batch)
    for ages in (seen.told_ages, seen.metric_ages):
        assert ages[-1] > scale.outage * 0.8
        assert ages == sorted(ages), "the age rises as long as nothing is published"
    if scale.outage > 30:
        assert "outbox_waits" in seen.causes
    assert found.differences == []
    assert delivered < 30
    assert wrong == []
    assert cluster_site.cluster.children["intake"].pid == intake
    assert cluster_site.dead() == []


@pytest.mark.fault
async def test_postgresql_away_answers_503_and_leaves_nothing_half_written(
    cluster_site: ClusterSite, cluster_databases: dict[str, Database], rng: random.Random
) -> None:
    before = await truth.count(cluster_databases)
    batch = load.complaints(300, rng, series=f"postgres-{rng.randrange(1 << 32)}")
    postgres = cluster_site.cluster.postgres
    pids = {name: child.pid for name, child in cluster_site.cluster.children.items()}
    answers: list[bytes] = []
    for stop in (postgres.stop, postgres.kill):
        part, batch = batch[:150], batch[150:]
        async with Channels(cluster_site.url("intake"), cluster_site.tokens["channels"], rng) as channels:
            channels.post(part)
            await until(lambda c=channels: c.told.taken > 20, within=60, every=0.002)  # type: ignore[misc]
            try:
                await asyncio.to_thread(stop)
                refused = [await _timed(channels, part[-1]) for _ in range(5)]
                health = await _get(cluster_site.url("intake"), "/health/ready")
            finally:
                await asyncio.to_thread(postgres.start)
            returned = time.monotonic()
            first = {name: (await _get(cluster_site.url(name), "/health/ready")).status_code for name in TOPICS}
            await channels.finished()
            recovered = time.monotonic() - returned
        for response, seconds in refused:
            _is_unavailable(response)
            assert seconds < 10
        assert health.status_code == 503
        assert "retry-after" in health.headers
        assert [c["code"] for c in health.json()["causes"]] == ["database_away"]
        assert set(first.values()) == {200}, "the first request after its return is served, by whichever service"
        assert channels.told.wrong == []
        assert len(channels.told.answers) == len(part)
        answers += channels.told.answers.values()
        print(f"tries that failed: {dict(channels.told.retries)}; all taken {recovered:.1f} s after its return")
    kafka = cluster_site.kafka
    assert await invariants.broken(cluster_databases, before=before, answers=answers, kafka=kafka) == []
    assert {name: child.pid for name, child in cluster_site.cluster.children.items()} == pids, "nothing was restarted"
    assert cluster_site.dead() == []


async def _quiet(databases: dict[str, Database]) -> None:
    found, _ = await truth.settled(databases, within=60)
    assert found.differences == []


async def _under_load(site: ClusterSite, channels: Channels, batch: list[Complaint]) -> Watched:
    """Post `batch` at a steady rate, each complaint once and no more, and look at intake's health meanwhile."""
    seen, began = Watched(), time.monotonic()
    for at in range(0, len(batch), _RATE):
        await asyncio.sleep(max(0.0, began + at / _RATE - time.monotonic()))
        tried = await asyncio.gather(*(_timed(channels, one) for one in batch[at : at + _RATE]))
        seen.statuses += [response.status_code for response, _ in tried]
        seen.answers += [response.content for response, _ in tried if response.status_code == 201]
        seen.slowest = max(seen.slowest, *(seconds for _, seconds in tried))
        ready = await _get(site.url("intake"), "/health/ready")
        assert ready.status_code == 200, "it can take complaints, so it stays in service"
        seen.told_ages.append(ready.json()["checks"]["outbox"]["oldest_age_seconds"])
        seen.causes |= {cause["code"] for cause in ready.json()["causes"]}
        metrics = await _get(site.url("intake"), "/metrics")
        told = _AGE.search(metrics.text)
        assert told, "the metric is missing"
        seen.metric_ages.append(float(told[1]))
    await asyncio.sleep(max(0.0, began + len(batch) / _RATE - time.monotonic()))
    return seen


async def _timed(channels: Channels, one: Complaint) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    return await channels.try_once(one), time.monotonic() - began


async def _get(address: str, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=address, timeout=10) as client:
        return await client.get(path)


def _is_unavailable(response: httpx.Response) -> None:
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) >= 1
    assert json.loads(response.content)["code"] == "unavailable"
