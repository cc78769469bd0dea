"""SLA answers nothing that its OpenAPI document does not promise, and no 5xx, whatever is sent to any route."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from services.sla import consumers, store
from services.sla.app import create_app
from services.sla.settings import SlaSettings
from services.sla.usecases import engine
from services.sla.usecases.current import Current
from shared.bus import Message
from shared.cloudevents import Envelope, encode
from shared.db import Database
from shared.events import TOPICS, ComplaintReceived
from shared.ids import uuid7
from shared.inbox import Consumer
from tests.contract.driving import Served, drive_all, mint_keys, serving

SECONDS = 30.0  # of calls, for all operations together; to make up what is sent takes about as long again
NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
ID = "01900000-0000-7000-8000-000000000001"
RIGHTS = {
    "all": {"roles": "agent officer supervisor manager auditor admin"},
    "officer": {"roles": "officer"},
}
CALLERS = ["all", "all", "all", "officer", None]  # mostly somebody who gets past the door

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


async def _late(url: str, settings: SlaSettings) -> str:
    """One complaint of mainland China is watched, and its first deadline is over; its clock's id."""
    db = Database("sla", url, store.tables)
    received_at = NOW - timedelta(days=20)
    complaint = ComplaintReceived(
        complaint_id=ID,
        reference="261103-AAAA-00001",
        channel="phone",
        narrative="redacted",
        received_at=received_at,
        jurisdiction="cn",
    )
    event = Envelope(uuid7(), complaint.source, complaint.type, ID, received_at, complaint)
    handle = consumers.handler(Current(settings.policies()), lambda: received_at, grace=settings.grace)
    consumer = Consumer(db, handle, consumers.HANDLED, lambda: received_at)
    await consumer.process([Message(TOPICS["intake"], ID, encode(event).encode())])
    await engine.fire_due(db, lambda: NOW, replace(settings.notice_setup()))
    async with db.reading() as session:
        watch = await store.watch(session, ID)
    await db.close()
    assert watch is not None
    assert watch.primary is not None
    return watch.primary.id


@pytest.fixture
def served(migrated: Callable[[str], str], tmp_path: Path) -> Iterator[Served]:
    url = migrated("sla")
    settings = SlaSettings(home=tmp_path, rate_limit_addresses="1000000/minute")
    tokens = mint_keys(url, store.tables, RIGHTS, NOW)
    clock_id = asyncio.run(_late(url, settings))
    app = create_app(settings, Database("sla", url, store.tables), clock=lambda: NOW)
    with serving(app, tokens, CALLERS) as served:
        headers = served.headers("all")
        post = {"role": "supervisor", "department": "cards", "holder": "staff:1"}
        assert httpx.put(f"{served.url}/v1/posts/cards-head", json=post, headers=headers).is_success
        feed = httpx.post(f"{served.url}/v1/feeds", json={"department": "cards"}, headers=headers).json()
        notices = httpx.get(f"{served.url}/v1/notices", headers=headers).json()["items"]
        served.known = {
            "complaint_id": ID,
            "clock_id": clock_id,
            "department": "cards",
            "feed_id": feed["id"],
            "secret": feed["path"].removeprefix("/v1/feeds/").removesuffix(".ics"),
            "id": notices[0]["id"],
        }
        yield served


@pytest.mark.timeout(240)
def test_no_answer_is_a_5xx_or_undocumented(served: Served) -> None:
    every = drive_all(served, SECONDS)
    assert {200, 201, 204, 401, 403, 404, 409, 422} <= set(every), "it came through the doors, and against them"
