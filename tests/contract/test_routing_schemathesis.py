"""Routing answers nothing that its OpenAPI document does not promise, and no 5xx, whatever is sent to any route."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from services.routing import consumers, store
from services.routing.app import create_app
from services.routing.classifier import OWN, Current, shipped
from services.routing.settings import RoutingSettings
from shared.bus import Message
from shared.cloudevents import Envelope, encode
from shared.db import Database
from shared.events import TOPICS, ComplaintReceived
from shared.ids import uuid7
from shared.inbox import Consumer
from tests.contract.driving import Served, drive_all, mint_keys, serving

SECONDS = 30.0  # for all operations together
NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
ID = "01900000-0000-7000-8000-000000000001"
RIGHTS = {
    "all": {"roles": "agent officer supervisor manager auditor admin"},
    "officer": {"roles": "officer"},
}
CALLERS = ["all", "all", "all", "officer", None]  # mostly somebody who gets past the door

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


async def _received(url: str) -> None:
    """One complaint is routing's."""
    db = Database("routing", url, store.tables)
    complaint = ComplaintReceived(
        complaint_id=ID,
        reference="261123-AAAA-00001",
        channel="phone",
        narrative="You charged me a late fee.",
        received_at=NOW,
        language="en",
        jurisdiction="hk",
    )
    event = Envelope(uuid7(), complaint.source, complaint.type, ID, NOW, complaint)
    handle = consumers.handler(Current(OWN, shipped()), lambda: NOW, RoutingSettings().letter_desk)
    consumer = Consumer(db, handle, consumers.HANDLED, lambda: NOW)
    await consumer.process([Message(TOPICS["intake"], ID, encode(event).encode())])
    await db.close()


@pytest.fixture
def served(migrated: Callable[[str], str], tmp_path: Path) -> Iterator[Served]:
    url = migrated("routing")
    tokens = mint_keys(url, store.tables, RIGHTS, NOW)
    asyncio.run(_received(url))
    app = create_app(
        RoutingSettings(home=tmp_path, rate_limit_addresses="1000000/minute"),
        Database("routing", url, store.tables),
        clock=lambda: NOW,
    )
    with serving(app, tokens, CALLERS) as served:
        post = {"headers": served.headers("all")}
        assert httpx.post(f"{served.url}/v1/cases/{ID}/claim", **post).status_code == 200
        letter = httpx.post(
            f"{served.url}/v1/cases/{ID}/letters", json={"kind": "acknowledgement", "reply_by": "2026-12-02"}, **post
        ).json()
        incident = httpx.post(f"{served.url}/v1/incidents", json={"title": "t", "complaints": [ID]}, **post).json()
        served.known = {
            "complaint_id": ID,
            "letter_id": letter["id"],
            "incident_id": incident["id"],
            "version": shipped().version,
            "name": "fca",
            "officer_id": "key:1",
        }
        yield served


@pytest.mark.timeout(240)
def test_no_answer_is_a_5xx_or_undocumented(served: Served) -> None:
    every = drive_all(served, SECONDS)
    assert {200, 201, 401, 403, 404, 409, 422} <= set(every), "it came through the doors, and against them"
