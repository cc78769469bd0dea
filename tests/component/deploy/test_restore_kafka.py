"""After a restore Kafka may still hold what came after the backup: it is told of, and nobody acts on it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.backup import topics
from deploy.backup.cut import BackupFailed
from deploy.infra.kafka import Kafka
from deploy.registry import SERVICES
from shared import outbox
from shared.bus import Message
from shared.bus.kafka import KafkaBus
from shared.clock import utcnow
from shared.db import Database
from shared.events import ComplaintReceived
from tests.conftest import Templates


def received(number: int) -> ComplaintReceived:
    id = f"0190a1b2-0000-7000-8000-{number:012}"
    return ComplaintReceived(
        complaint_id=id, reference=f"R-{number}", channel="phone", narrative="Twice.", received_at=utcnow()
    )


@pytest.mark.kafka
async def test_what_came_after_the_backup_is_listed_and_passed_over(
    kafka: Kafka,
    make_topics: Callable[..., Awaitable[list[str]]],
    templates: Templates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = dict(zip(SERVICES, await make_topics(4), strict=True))
    monkeypatch.setattr(topics, "TOPICS", names)
    for name in SERVICES:
        templates.sqlite(name, tmp_path / f"{name}.db")
    settings = {name: service.settings(home=tmp_path, kafka=kafka.bootstrap) for name, service in SERVICES.items()}
    databases: dict[str, Database] = {name: service.database(settings[name]) for name, service in SERVICES.items()}
    rows = [outbox.row(received(number), now=utcnow() + timedelta(seconds=number)) for number in range(6)]
    async with databases["intake"].transaction() as tx:  # of six events the backup knows two
        tx.info["pending"].events.extend(rows[:2])

    bus = KafkaBus(kafka.bootstrap, client_id="test")
    messages = [Message(names["intake"], row.key, row.payload.encode()) for row in rows]
    await bus.publish(messages[:2])
    heard: list[str] = []

    async def hear(messages: Any) -> None:
        heard.extend(message.key for message in messages)

    async def listen() -> KafkaBus:
        found = KafkaBus(kafka.bootstrap, client_id="routing")
        found.subscribe("routing", [names["intake"]], hear)
        await found.start()
        return found

    worker = await listen()
    async with asyncio.timeout(30):
        while len(heard) < 2:
            await asyncio.sleep(0.05)
        monkeypatch.setattr(topics, "_LEFT_BY", 2.0)
        with pytest.raises(BackupFailed, match="workers still run: routing"):
            await topics.nobody_works(settings["intake"])
        monkeypatch.undo()
        monkeypatch.setattr(topics, "TOPICS", names)
    await worker.stop()
    await bus.publish(messages[2:])  # told after the backup, and heard by nobody before the machine was lost

    after = await topics.skip_what_came_after(settings["intake"], databases)
    assert after.events == {ComplaintReceived.type: 4}
    assert sorted(after.complaints) == [row.key for row in rows[2:]]

    heard.clear()
    again = outbox.row(received(7), now=utcnow())
    await bus.publish([Message(names["intake"], again.key, again.payload.encode())])
    worker = await listen()
    async with asyncio.timeout(30):
        while not heard:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    assert heard == [again.key]
    await worker.stop()
    await bus.stop()
    for db in databases.values():
        await db.close()
