"""What cannot be read or handled is parked with its reason, blocks nobody else, and comes back in order."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.reconcile import wait_until_drained
from deploy.registry import SERVICES
from shared import parking
from shared.bus.kafka import KafkaBus
from shared.bus.local import LocalBus
from shared.clock import utcnow
from shared.cloudevents import Envelope
from shared.db import Database
from shared.events import TOPICS
from shared.worker import Consumes, Worker, run_until_cancelled
from tests.chaos import load, truth
from tests.chaos.casework import WHOLE_LIFE, work
from tests.chaos.load import Channels
from tests.chaos.sites import ClusterSite
from tests.chaos.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.kafka, pytest.mark.timeout(300)]
_SECRET = "what the complainant wrote"  # what an exception's message may quote and nobody may write down
_HEARS_INTAKE = ("routing", "sla", "reporting")


class BrokenError(Exception):
    """A bug in a handler."""


async def test_events_whose_handler_fails_are_parked_and_replayed_in_order(
    cluster_site: ClusterSite, cluster_databases: dict[str, Database], rng: random.Random
) -> None:
    sla = cluster_databases["sla"]
    child = cluster_site.cluster.children["sla-worker"]
    await asyncio.to_thread(child.stop)
    broken = (await _post(cluster_site, rng, 5))[0]
    async with _worker_that_fails(cluster_site, sla, {broken}):
        await work(cluster_site, broken, "claim", "acknowledge")
        await until(lambda: _parked(sla, 4), within=60, what="the parked events")
        others = await _post(cluster_site, rng, 5)
        await until(lambda: _clocks(sla, others), within=60, what="the later complaints' clocks")
    rows = await _rows(sla)
    first, *behind = rows
    assert (first["reason"], first["subject"], first["attempts"]) == ("handler_failed", broken, 3)
    assert first["error"].startswith("BrokenError")
    assert _SECRET not in first["error"]
    assert {(row["reason"], row["subject"]) for row in behind} == {("behind", broken)}
    assert not await _clocks(sla, [broken])

    await asyncio.to_thread(child.start)  # the fix is out
    await work(cluster_site, broken, "respond")
    await until(lambda: _parked(sla, len(rows) + 1), within=60, what="the event behind the parked ones")
    async with httpx.AsyncClient(base_url=cluster_site.url("sla")) as client:
        ready = (await client.get("/health/ready")).json()
        assert {"code": "parked", "count": len(rows) + 1} in ready["causes"]
        assert 'redress_parked{reason="handler_failed",service="sla"} 1.0' in (await client.get("/metrics")).text
    told = await _redress(cluster_site, "parked", "replay", "--service", "sla")
    assert told.returncode == 0, told.stdout
    assert f"Replayed: {len(rows) + 1}. Failed again: 0." in told.stdout

    settled = [row for row in await _rows(sla, settled=True) if row["subject"] == broken]
    assert [row["settled_how"] for row in settled] == ["replayed"] * (len(rows) + 1)
    assert [row["settled_at"] for row in settled] == sorted(row["settled_at"] for row in settled)
    assert await _met(sla, broken) >= {"acknowledge", "final"}
    await work(cluster_site, broken, "resolve", "close")
    found, _ = await truth.settled(cluster_databases, within=60)
    assert found.differences == []


async def test_messages_that_cannot_be_read_are_parked_and_later_complaints_flow(
    cluster_site: ClusterSite, cluster_databases: dict[str, Database], rng: random.Random
) -> None:
    stricken, spoilt = (await _post(cluster_site, rng, 2))[:2]
    await until(lambda: _clocks(cluster_databases["sla"], [stricken, spoilt]), within=60)
    assert await wait_until_drained(cluster_databases, 60), "what follows of these two comes before the rubbish"
    rubbish = _rubbish(stricken, spoilt)
    await _produce(cluster_site, TOPICS["intake"], rubbish)
    await asyncio.gather(
        *(until(lambda n=n: _parked(cluster_databases[n], len(rubbish)), within=60) for n in _HEARS_INTAKE)
    )
    later = await _post(cluster_site, rng, 10)
    await work(cluster_site, later[0], *WHOLE_LIFE)
    await until(lambda: _clocks(cluster_databases["sla"], later), within=60, what="the later complaints' clocks")
    await work(cluster_site, stricken, *WHOLE_LIFE)  # what follows for the same complaint waits its turn
    await until(lambda: _parked(cluster_databases["sla"], len(rubbish) + 5), within=60)
    assert await wait_until_drained(cluster_databases, 60), "all that follows has come, and waits"
    reasons = [(row["reason"], row["error"]) for row in await _rows(cluster_databases["sla"])]
    assert reasons[0] == ("undecodable", "not JSON")
    assert reasons[1] == ("undecodable", "data does not fit com.redress.complaint.received.v1: channel, narrative")
    assert {reason for reason, _ in reasons[: len(rubbish)]} == {"undecodable"}
    assert {reason for reason, _ in reasons[len(rubbish) :]} == {"behind"}

    again = await _redress(cluster_site, "parked", "replay", "--service", "sla")
    assert again.returncode == 1, "rubbish stays rubbish, and nothing overtakes it"
    assert f"Replayed: 0. Failed again: {len(_subjects(rubbish))}." in again.stdout
    number = (await _rows(cluster_databases["sla"]))[0]["id"]
    word = ("--service", "sla", "--reason", "not ours")
    done = await _redress(cluster_site, "parked", "discard", *word, str(number))
    assert done.returncode == 0, done.stdout
    for name in ("intake", *_HEARS_INTAKE):  # intake hears itself, and passes over what it does not want
        db = cluster_databases[name]
        for row in await _rows(db):
            if row["reason"] == "undecodable":
                await parking.discard(db, row["id"], actor="chaos", reason="not ours", clock=utcnow)
    told = await _redress(cluster_site, "parked", "replay", "--service", "sla")
    assert told.returncode == 0, told.stdout
    assert f"Replayed: {len(reasons) - len(rubbish)}. Failed again: 0." in told.stdout
    told = await _redress(cluster_site, "parked", "replay", "--service", "intake")
    assert told.returncode == 0, told.stdout
    reporting = cluster_databases["reporting"]
    consumes = SERVICES["reporting"].worker(SERVICES["reporting"].settings(), reporting, LocalBus()).consumes
    assert consumes
    replayed = await parking.replay(reporting, consumes.handle, utcnow, actor="chaos")
    assert replayed["failed"] == []
    found, _ = await truth.settled(cluster_databases, within=60)
    assert found.differences == []


def _rubbish(stricken: str, spoilt: str) -> list[tuple[bytes | None, bytes | None]]:
    """Keys and values of messages that nothing of ours would write, each in another way beyond use."""
    kind = "com.redress.complaint.received.v1"
    event = {"specversion": "1.0", "source": "/elsewhere", "type": kind, "time": "2026-11-23T10:00:00Z"}
    data = {"complaint_id": spoilt, "reference": "x", "received_at": "2026-11-23T10:00:00Z"}
    whole = data | {"channel": "phone", "narrative": "x"}
    unfit = event | {"id": "not-a-uuid", "subject": spoilt, "data": data}
    long_id = event | {"id": "i" * 300, "subject": spoilt, "data": whole}
    zero_id = event | {"id": "zero\0", "subject": spoilt, "data": whole}
    long_subject = event | {"id": "long-subject", "subject": "s" * 300, "data": whole | {"complaint_id": "s" * 300}}
    zero_subject = event | {"id": "zero-subject", "subject": "s\0", "data": whole | {"complaint_id": "s\0"}}
    return [
        (stricken.encode(), b"not JSON at all"),
        (spoilt.encode(), json.dumps(unfit).encode()),
        (None, b"\x00\xff\xfe"),
        (b"tombstone", None),
        (b"k" * 300, b"[]"),
        (b"zero\x00key", b"{}"),
        (b"\xff\xfe", b"17"),
        (spoilt.encode(), json.dumps(long_id).encode()),
        (spoilt.encode(), json.dumps(zero_id).encode()),
        (b"s", json.dumps(long_subject).encode()),
        (b"z", json.dumps(zero_subject).encode()),
    ]


def _subjects(rubbish: Sequence[tuple[bytes | None, bytes | None]]) -> set[bytes | None]:
    return {key for key, _ in rubbish}


async def _produce(site: ClusterSite, topic: str, messages: Sequence[tuple[bytes | None, bytes | None]]) -> None:
    """All to one partition, so that they come in this order."""
    producer = AIOKafkaProducer(bootstrap_servers=site.cluster.kafka.bootstrap)
    await producer.start()
    try:
        for key, value in messages:
            await producer.send_and_wait(topic, value, key=key, partition=0)
    finally:
        await producer.stop()


@asynccontextmanager
async def _worker_that_fails(site: ClusterSite, db: Database, complaints: set[str]) -> AsyncIterator[None]:
    """Run the worker of `db`'s service in this process, with a handler that fails for `complaints`."""
    service = SERVICES[db.service]
    right = service.worker(service.settings(), db, LocalBus()).consumes
    assert right

    async def handle(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        await right.handle(tx, events)  # so that the failure leaves something to roll back
        if any(event.subject in complaints for event in events):
            raise BrokenError(_SECRET)

    bus = KafkaBus(site.cluster.kafka.bootstrap, client_id="redress-chaos")
    worker = Worker(db, bus, utcnow, consumes=Consumes(right.services, right.types, handle))
    running = asyncio.create_task(run_until_cancelled([worker], bus))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _post(site: ClusterSite, rng: random.Random, count: int) -> list[str]:
    """The ids of so many new complaints, in the order of posting."""
    batch = load.complaints(count, rng, series=f"parking-{rng.randrange(1 << 32)}")
    async with Channels(site.url("intake"), site.tokens["channels"], rng) as channels:
        channels.post(batch)
        await channels.finished()
    assert channels.told.wrong == []
    return [str(json.loads(channels.told.answers[one.key])["id"]) for one in batch]


async def _rows(db: Database, *, settled: bool = False) -> list[dict[str, Any]]:
    parked = db.tables.parked
    which = parked.c.settled_at.is_not(None) if settled else parked.c.settled_at.is_(None)
    async with db.reading() as session:
        return [dict(r) for r in (await session.execute(select(parked).where(which).order_by(parked.c.id))).mappings()]


async def _parked(db: Database, at_least: int) -> bool:
    return len(await _rows(db)) >= at_least


async def _clocks(sla: Database, ids: Sequence[str]) -> bool:
    """Whether all of `ids` have a clock."""
    query = "SELECT count(*) FROM clock WHERE is_primary AND complaint_id = :id"
    return sum([await truth.number(sla, query, id=id) for id in ids]) == len(ids)


async def _met(sla: Database, id: str) -> set[str]:
    step = SERVICES["sla"].tables.outbox.metadata.tables["step"].c
    async with sla.reading() as session:
        query = select(step.name).where(step.complaint_id == id, step.met_at.is_not(None))
        return set((await session.scalars(query)).all())


async def _redress(site: ClusterSite, *command: str) -> subprocess.CompletedProcess[str]:
    """Run `redress` as somebody in operations would."""
    whole = [sys.executable, "-m", "deploy.cli", "--env", str(site.home / "environment"), *command]
    plain = {**os.environ, "COLUMNS": "200"}
    return await asyncio.to_thread(subprocess.run, whole, env=plain, capture_output=True, text=True, check=False)
