"""A fault for each alert: caused for real, then mended.

Each yields while the fault stands, and may yield once more when it is mended, where something has to go on for that.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.infra.ports import free_port
from services.sla.gateways.ways import Means
from services.sla.settings import sender
from services.sla.usecases import engine
from shared import metrics, outbox, parking
from shared.bus import Message
from shared.bus.kafka import KafkaBus
from shared.db import Database
from shared.events import TOPICS
from shared.ids import uuid7
from shared.outbound import Outbound
from shared.relay import Relay
from shared.security import key_age, keys
from shared.security.keys import NewKey
from shared.web import vitals
from tests.component.monitoring.running import Running, certificate, meanwhile, usage

Cause = Callable[[Running, pytest.MonkeyPatch], AsyncIterator[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """What makes `alerts` fire, on the metrics of `service`: the first is meant, the others cannot but come along."""

    alerts: tuple[str, ...]
    service: str
    cause: Cause


FAULTS: list[Fault] = []


def fault(*alerts: str, of: str) -> Callable[[Cause], Cause]:
    def known(cause: Cause) -> Cause:
        FAULTS.append(Fault(alerts, of, cause))
        return cause

    return known


@fault("ServiceDown", of="routing")
async def nobody_listens(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    desk.down.add("routing")
    yield
    desk.down.clear()


@fault("DatabaseAway", of="intake")
async def the_database_is_gone(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    await desk.services["intake"].take_away()
    yield
    await desk.services["intake"].bring_back()


@fault("KafkaAway", of="routing")
async def no_broker_answers(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    one = desk.services["routing"]
    bus = KafkaBus(f"127.0.0.1:{free_port()}", client_id="test")
    assert await bus.publish([Message(TOPICS["routing"], "c-1", b"{}")]) == [False]
    one.bus.told = bus.status()
    yield
    one.bus.told = None


@fault("NoWorker", of="reporting")
async def the_worker_is_gone(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    desk.silent = True
    desk.now += timedelta(minutes=2)
    yield
    desk.silent = False


@fault("OutboxWaits", of="sla")
async def the_bus_takes_nothing(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    one = desk.services["sla"]
    async with one.db.transaction() as tx:
        outbox.add(tx, desk.complaint(), now=desk.now)
    with patch.context() as broken:

        async def refuses(messages: list[Message]) -> list[bool]:
            return [False] * len(messages)

        broken.setattr(one.bus, "publish", refuses)
        assert await one.worker._relay.publish_once() == (1, 0)
        desk.now += timedelta(seconds=90)
        yield


@fault("RelayWithoutLeader", of="routing")
async def no_worker_gets_the_lock(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    one = desk.services["routing"]
    away = Database("routing", f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/routing", one.db.tables)
    lost = Relay(away, one.bus, TOPICS["routing"], lambda: desk.now)
    async with meanwhile(lost.run()):
        await asyncio.sleep(0.1)
        yield
    await away.close()
    async with meanwhile(one.worker._relay.run()):
        await asyncio.sleep(0.05)
        yield
    metrics.relay_leader.remove("routing")


@fault("ConsumerLagging", of="sla")
async def messages_are_left_unread(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    topic = TOPICS["intake"]
    told = {"ok": True, "kind": "kafka", "lag": {"sla": {topic: 1500}}, "partitions": {"sla": {topic: {0: 3, 1: 1497}}}}
    desk.services["sla"].bus.told = told
    yield
    desk.services["sla"].bus.told = told | {"lag": {"sla": {topic: 3}}, "partitions": {"sla": {topic: {0: 3}}}}


async def _park(desk: Running, count: int) -> None:
    await desk.tell(*(Message(TOPICS["intake"], uuid7(), f"no event at all, {uuid7()}".encode()) for _ in range(count)))


async def _settle(desk: Running) -> None:
    for one in desk.services.values():
        async with one.db.reading() as session:
            parked = await parking.unsettled(session, one.db.tables)
        for row in parked:
            await parking.discard(one.db, row["id"], actor="test", reason="test", clock=lambda: desk.now)


@fault("EventsParked", of="reporting")
async def what_comes_cannot_be_decoded(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    await _park(desk, 1)
    yield
    await _settle(desk)


@fault("ParkingNearlyFull", "EventsParked", of="routing")
async def much_that_comes_cannot_be_decoded(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    await _park(desk, 2)
    yield
    await _settle(desk)


async def _fire(desk: Running) -> None:
    one = desk.services["sla"]
    await engine.fire_due(one.db, lambda: desk.now, one.app.state.notice_setup)


@fault("DeadlinesBehind", of="sla")
async def no_engine_runs(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    await desk.hear(desk.complaint())
    desk.now += timedelta(days=10)
    yield
    await _fire(desk)
    await _send(desk)


async def _send(desk: Running) -> None:
    one = desk.services["sla"]

    async def taken(_: Any) -> None:
        return None

    desk.now += timedelta(minutes=10)  # until then what may wait is gathered
    await _fire(desk)  # whatever the time of day, something may fall due in just these minutes
    means = Means(taken, Outbound(private=False))
    await sender(one.db, one.app.state.settings, lambda: desk.now, means=means).run_once()


@fault("DeadlineStuck", "DeadlinesBehind", of="sla")
async def one_deadline_cannot_be_acted_on(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    await desk.hear(desk.complaint())
    desk.now += timedelta(days=10)

    def broken(due: Any, **how: Any) -> Any:
        raise ZeroDivisionError

    with patch.context() as failing:
        failing.setattr(engine, "fire", broken)
        await _fire(desk)
    desk.now += engine.ASIDE * 3
    yield
    await _fire(desk)
    await _send(desk)


@fault("NoticesBehind", of="sla")
async def there_is_no_way_to_send(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    await desk.hear(desk.complaint())
    desk.now += timedelta(days=10)
    await _fire(desk)
    desk.now += timedelta(minutes=30)
    await _fire(desk)
    yield
    await _send(desk)


@fault("ErrorRate", of="intake")
async def a_route_fails(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    one = desk.services["intake"]
    with patch.context() as failing:

        async def broken(*arguments: Any, **more: Any) -> Any:
            raise ZeroDivisionError

        failing.setattr(one.app.state.authenticator, "principal", broken)
        for _ in range(5):
            assert (await one.http.get("/v1/complaints/c-1")).status_code == 500
    yield


@fault("SlowAnswers", of="routing")
async def a_route_is_slow(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    one = desk.services["routing"]
    with patch.context() as slow:
        principal = one.app.state.authenticator.principal

        async def slowly(*arguments: Any, **more: Any) -> Any:
            time.sleep(1.1)
            return await principal(*arguments, **more)

        slow.setattr(one.app.state.authenticator, "principal", slowly)
        assert (await one.http.get("/v1/cases")).status_code == 401
    yield


@fault("DiskNearlyFull", of="intake")
async def the_disk_fills_up(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    with patch.context() as full:
        full.setattr(vitals.shutil, "disk_usage", usage(0.05))
        yield


@fault("CertificateEnds", of="intake")
async def nobody_renewed_it(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    path: Path = desk.services["intake"].app.state.settings.certificates["mail"]
    certificate(path, days=10)
    yield
    certificate(path, days=200)


@fault("EncryptionKeyOld", of="intake")
async def the_key_was_never_changed(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    one = desk.services["intake"]
    before = desk.now
    desk.now -= timedelta(days=401)
    await key_age.note(one.db, one.app.state.desk.keys.current, lambda: desk.now)
    desk.now = before
    yield
    desk.now -= timedelta(days=400)  # as if a year later somebody had


async def _key(desk: Running, service: str) -> str:
    one = desk.services[service]
    async with one.db.transaction() as tx:
        token = await keys.create(
            tx, one.db.tables, NewKey("core", scopes=["complaints:read"]), actor="t", now=desk.now
        )
    return token.removeprefix(keys.PREFIX)[:10]


async def _revoke(desk: Running, service: str, id: str) -> None:
    one = desk.services[service]
    async with one.db.transaction() as tx:
        await keys.revoke(tx, one.db.tables, id, actor="t", now=desk.now)


@fault("ApiKeyOld", of="routing")
async def a_key_was_never_changed(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    id = await _key(desk, "routing")
    desk.now += timedelta(days=401)
    yield
    await _revoke(desk, "routing", id)


@fault("ApiKeyEnds", of="reporting")
async def a_rotated_key_ends(desk: Running, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    id = await _key(desk, "reporting")
    one = desk.services["reporting"]
    async with one.db.transaction() as tx:
        await keys.rotate(tx, one.db.tables, id, overlap=timedelta(days=1), actor="t", now=desk.now)
    yield
    with contextlib.suppress(Exception):
        await _revoke(desk, "reporting", id)
