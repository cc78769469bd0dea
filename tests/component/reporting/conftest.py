"""Complaints with a whole life, as the other services would tell it."""

import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.reporting import consumers, store
from services.reporting.app import create_app
from services.reporting.settings import ReportingSettings
from shared.bus import Message
from shared.clock import rfc3339
from shared.cloudevents import encode_parts
from shared.db import Database
from shared.events import (
    TOPICS,
    ClockMet,
    ClockStarted,
    ClockStep,
    ComplaintAcknowledged,
    ComplaintClassified,
    ComplaintClosed,
    ComplaintEscalated,
    ComplaintReceived,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintRouted,
    DeadlineMissed,
    Event,
)
from shared.ids import uuid7
from shared.inbox import Consumer
from shared.security import keys
from shared.security.keys import NewKey

NOW = datetime(2025, 6, 30, 4, tzinfo=UTC)  # noon in Hong Kong
CHANNELS = ("phone", "web_chat", "mobile", "web_form", "email", "letter", "branch", "social", "regulator")
CATEGORIES = ("service_quality", "product", "channel", "fees", "information_security", "other")
DEPARTMENTS = ("cards", "lending", "deposits", "digital_banking", "branch_operations", "complaint_office")
OUTCOMES: tuple[Any, ...] = ("upheld", "partly_upheld", "rejected", "goodwill", "withdrawn")


def story(chance: random.Random, **known: Any) -> dict[str, list[Event]]:
    """One complaint's events by service, its life broken off anywhere. `known` fixes what would be drawn."""
    id = uuid7()
    start = known.get("received_at") or NOW - timedelta(days=chance.expovariate(1 / 90), minutes=chance.randrange(600))
    hours = sorted(chance.uniform(0, 500) for _ in range(6))
    at = [start + timedelta(hours=h) for h in hours]
    intake: list[Event] = [
        ComplaintReceived(
            complaint_id=id,
            reference="250304-0000-00000",
            channel=known.get("channel") or chance.choices(CHANNELS, range(len(CHANNELS), 0, -1))[0],
            narrative="…",
            received_at=start,
            imported=chance.random() < 0.2,
        )
    ]
    due = start + timedelta(days=10)
    sla: list[Event] = [
        ClockStarted(
            complaint_id=id,
            clock_id=id,
            pack="p",
            pack_version="1",
            started_at=start,
            steps=(ClockStep(name="acknowledge", due_at=due), ClockStep(name="final", due_at=due)),
        )
    ]

    def classified(moment: datetime) -> Event:
        category = known.get("category") or chance.choices(CATEGORIES, range(len(CATEGORIES), 0, -1))[0]
        return ComplaintClassified(
            complaint_id=id, category=category, severity="normal", confidence=0.9, classified_at=moment
        )

    def routed(moment: datetime) -> Event:
        department = known.get("department") or chance.choices(DEPARTMENTS, range(len(DEPARTMENTS), 0, -1))[0]
        return ComplaintRouted(complaint_id=id, department=department, reason="…", routed_at=moment)

    def acknowledged(moment: datetime) -> Event:
        in_time = moment <= due
        if not in_time:
            sla.append(DeadlineMissed(complaint_id=id, clock_id=id, step="acknowledge", due_at=due, missed_at=due))
        sla.append(
            ClockMet(complaint_id=id, clock_id=id, step="acknowledge", due_at=due, met_at=moment, in_time=in_time)
        )
        return ComplaintAcknowledged(complaint_id=id, acknowledged_at=moment)

    def responded(moment: datetime) -> Event:
        if chance.random() < 0.3:
            sla.append(DeadlineMissed(complaint_id=id, clock_id=id, step="final", due_at=due, missed_at=due))
            sla.append(
                ComplaintEscalated(
                    complaint_id=id,
                    clock_id=id,
                    step="final",
                    level=1,
                    role="supervisor",
                    reason="…",
                    escalated_at=due,
                )
            )
        return ComplaintResponded(complaint_id=id, responded_at=moment, final=True)

    def resolved(moment: datetime) -> Event:
        return ComplaintResolved(
            complaint_id=id, outcome=chance.choice(OUTCOMES), root_cause="staff_service", resolved_at=moment
        )

    def closed(moment: datetime) -> Event:
        return ComplaintClosed(complaint_id=id, closed_at=moment)

    stages: list[Callable[[datetime], Event]] = [classified, routed, acknowledged, responded, resolved, closed]
    if chance.random() < 0.3:
        stages[2:2] = [classified, routed]  # sent on to where it belongs
    moments = iter([*at, *(start + timedelta(hours=500 + n) for n in range(4))])
    routing = [stage(next(moments)) for stage in stages[: chance.randint(0, len(stages))]]
    return {"intake": intake, "routing": routing, "sla": sla}


def message(service: str, event: Event) -> Message:
    payload = encode_parts(id=uuid7(), event=event, time=rfc3339(NOW), traceparent=None, correlationid=None)
    return Message(TOPICS[service], event.complaint_id, payload.encode())


def stories(count: int, seed: int = 1) -> dict[str, list[Message]]:
    """The messages of `count` complaints by service, mixed as one topic would hold them, in order per complaint."""
    chance = random.Random(seed)
    found: dict[str, list[Message]] = {"intake": [], "routing": [], "sla": []}
    every = [story(chance) for _ in range(count)]
    for service, messages in found.items():
        waiting = [[message(service, e) for e in one[service]] for one in every]
        queue = [i for i, events in enumerate(waiting) for _ in events]
        chance.shuffle(queue)
        messages.extend(waiting[i].pop(0) for i in queue)
    return found


class Bench:
    """Reporting as it runs: its database, its consumer, its app at a fixed time."""

    def __init__(self, url: str) -> None:
        self.settings = ReportingSettings()
        self.db = Database("reporting", url, store.tables)
        self.app: FastAPI = create_app(self.settings, self.db, clock=lambda: NOW)

    def consumer(self) -> Consumer:
        handle = consumers.handler(self.settings.zone)
        return Consumer(self.db, handle, consumers.HANDLED, lambda: NOW)

    async def hear(self, *events: Event) -> None:
        messages = [message(e.source.rpartition("/")[2], e) for e in events]
        await self.consumer().process(messages)

    async def key(self, *roles: str) -> str:
        async with self.db.transaction() as tx:
            return await keys.create(
                tx, store.tables, NewKey(f"{'-'.join(roles)}-test", roles=roles), actor="test", now=NOW
            )

    async def client(self, *roles: str) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {await self.key(*roles)}"} if roles else {}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app), base_url="http://reporting.test", headers=headers
        )


@pytest.fixture
async def bench(migrated: Callable[[str], str]) -> AsyncIterator[Bench]:
    found = Bench(migrated("reporting"))
    yield found
    await found.db.close()


@pytest.fixture
def told() -> Callable[[int], dict[str, list[Message]]]:
    """`told(200)`: what intake, routing and sla tell of 200 complaints, by service."""
    return stories


@pytest.fixture
def a_story() -> Callable[..., list[Event]]:
    """`a_story(channel="phone")`: the events of one complaint, all services after one another."""
    chance = random.Random(7)
    return lambda **known: [e for events in story(chance, **known).values() for e in events]
