"""A routing service on a database of its own, with a clock that tests move, fed through its inbox."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import select, text

from services.routing import consumers, store
from services.routing.app import create_app
from services.routing.classifier import OWN, Current, shipped
from services.routing.settings import RoutingSettings
from shared.bus import Message
from shared.cloudevents import Envelope, encode
from shared.db import Database
from shared.events import TOPICS, ComplaintEscalated, ComplaintReceived, Event
from shared.ids import uuid7
from shared.inbox import Consumer
from shared.security import keys
from shared.security.keys import NewKey

RECEIVED = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
CALLERS = {
    **{r: NewKey(r, roles=[r]) for r in ("agent", "officer", "supervisor", "manager", "auditor", "admin")},
    "colleague": NewKey("colleague", roles=["officer"]),
    "system": NewKey("system", scopes=["complaints:write", "complaints:read"], channels=["phone"]),
}


def complaint_id(n: int) -> str:
    return f"01900000-0000-7000-8000-{n:012d}"


class Make:
    """Events about one of several complaints."""

    @staticmethod
    def received(n: int = 1, narrative: str = "You charged me a late fee.", **changes: Any) -> ComplaintReceived:
        base = {
            "reference": f"261102-AAAA-{n:05d}",
            "channel": "phone",
            "product": "credit_card",
            "branch": "north_weir",
            "language": "en",
            "amount": "120.50",
            "currency": "HKD",
            "received_at": RECEIVED,
        }
        return ComplaintReceived(**{**base, "complaint_id": complaint_id(n), "narrative": narrative, **changes})

    @staticmethod
    def escalated(n: int = 1, level: int = 1, role: str = "department_head") -> ComplaintEscalated:
        return ComplaintEscalated(
            complaint_id=complaint_id(n),
            clock_id="clock-1",
            step="final",
            level=level,
            role=role,
            reason="the final response is late",
            escalated_at=NOW,
        )


@dataclass
class Routing:
    """The service: its database, its consumer, its HTTP side, and a token for each of `CALLERS`."""

    db: Database
    consumer: Consumer
    http: httpx.AsyncClient
    tokens: dict[str, str]
    now: list[datetime]

    async def hear(self, *events: Event) -> None:
        """Deliver `events` as one batch through the inbox."""
        await self.deliver([self.wrap(e) for e in events])

    @staticmethod
    def wrap(event: Event) -> Envelope:
        return Envelope(uuid7(), event.source, event.type, event.complaint_id, NOW, event)

    async def deliver(self, envelopes: Sequence[Envelope]) -> None:
        topic = {f"/redress/{name}": topic for name, topic in TOPICS.items()}
        await self.consumer.process([Message(topic[e.source], e.subject, encode(e).encode()) for e in envelopes])

    async def get(self, path: str, *, who: str | None = "officer", **params: Any) -> httpx.Response:
        return await self.http.get(path, headers=self.headers(who), params=params)

    async def post(self, path: str, body: Any = None, *, who: str | None = "officer", **more: str) -> httpx.Response:
        return await self.http.post(path, headers=self.headers(who) | more, json=body)

    async def do(
        self, verb: str, body: Any = None, *, n: int = 1, who: str | None = "officer", **more: str
    ) -> httpx.Response:
        return await self.post(f"/v1/cases/{complaint_id(n)}/{verb}", body, who=who, **more)

    async def case(self, n: int = 1, *, who: str = "officer") -> dict[str, Any]:
        answer = await self.get(f"/v1/cases/{complaint_id(n)}", who=who)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def headers(self, who: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}

    async def published(self, n: int | None = None) -> list[tuple[str, dict[str, Any]]]:
        """Every event (about complaint `n`) in the order of the outbox: short type and data."""
        outbox = self.db.tables.outbox
        async with self.db.reading() as session:
            rows = (await session.scalars(select(outbox.c.payload).order_by(outbox.c.seq))).all()
        events = [orjson.loads(r) for r in rows]
        return [
            (e["type"].removeprefix("com.redress.complaint.").removesuffix(".v1"), e["data"])
            for e in events
            if n is None or e["subject"] == complaint_id(n)
        ]

    async def audited(self, n: int = 1) -> list[tuple[str, str, dict[str, Any]]]:
        """The audit entries about complaint `n`: actor, action, detail."""
        audit = self.db.tables.audit
        async with self.db.reading() as session:
            query = select(audit).where(audit.c.subject == complaint_id(n)).order_by(audit.c.seq)
            rows = (await session.execute(query)).mappings().all()
        return [(r["actor"], r["action"], orjson.loads(r["detail"])) for r in rows]

    async def scalar(self, sql: str) -> Any:
        async with self.db.reading() as session:
            return (await session.execute(text(sql))).scalar()


@pytest.fixture
def make() -> type[Make]:
    return Make


@pytest.fixture
def id_of() -> Callable[[int], str]:
    return complaint_id


@pytest.fixture
async def routing(migrated: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Routing]:
    db = Database("routing", migrated("routing"), store.tables)
    now = [NOW]
    async with AsyncExitStack() as stack:
        stack.push_async_callback(db.close)
        async with db.transaction() as tx:
            tokens = {w: await keys.create(tx, store.tables, k, actor="test", now=NOW) for w, k in CALLERS.items()}
        app = create_app(RoutingSettings(home=tmp_path), db, clock=lambda: now[0])
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://routing"))
        consumer = Consumer(
            db,
            consumers.handler(Current(OWN, shipped()), lambda: now[0], RoutingSettings().letter_desk),
            consumers.HANDLED,
            lambda: now[0],
        )
        yield Routing(db, consumer, http, tokens, now)
