"""An SLA service on a database of its own, with a clock that tests move, fed through its inbox."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text

from services.sla import consumers, packs, store
from services.sla.app import create_app
from services.sla.domain.policy import Pack, Policies, Rule
from services.sla.settings import SlaSettings
from services.sla.store.mapping import step_of
from services.sla.usecases import engine
from services.sla.usecases.current import Current
from shared.bus import Message
from shared.cloudevents import Envelope, encode
from shared.db import Database
from shared.events import (
    TOPICS,
    ComplaintAcknowledged,
    ComplaintClosed,
    ComplaintReceived,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintRouted,
    Event,
)
from shared.ids import uuid7
from shared.inbox import Consumer
from shared.security import keys
from shared.security.keys import NewKey

RECEIVED = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)  # 10:00 in Hong Kong
GRACE = timedelta(seconds=60)
SETUP = SlaSettings().notice_setup()


def complaint_id(n: int) -> str:
    return f"01900000-0000-7000-8000-{n:012d}"


def envelope(event: Event, *, at: datetime, correlation: str | None = None) -> Envelope:
    return Envelope(
        id=uuid7(),
        source=event.source,
        type=event.type,
        subject=event.complaint_id,
        time=at,
        data=event,
        correlationid=correlation,
    )


class Make:
    """Events of one of several complaints, `day` days after the first was received."""

    @staticmethod
    def received(n: int = 1, day: float = 0, **changes: Any) -> ComplaintReceived:
        base = {"reference": "260301-AAAA-AAAAA", "channel": "phone", "narrative": "redacted"}
        at = RECEIVED + timedelta(days=day)
        return ComplaintReceived(**{**base, "complaint_id": complaint_id(n), "received_at": at, **changes})

    @staticmethod
    def routed(n: int = 1, day: float = 0, department: str = "cards") -> ComplaintRouted:
        at = RECEIVED + timedelta(days=day)
        return ComplaintRouted(complaint_id=complaint_id(n), department=department, reason="r", routed_at=at)

    @staticmethod
    def acknowledged(n: int = 1, day: float = 0) -> ComplaintAcknowledged:
        return ComplaintAcknowledged(complaint_id=complaint_id(n), acknowledged_at=RECEIVED + timedelta(days=day))

    @staticmethod
    def responded(n: int = 1, day: float = 0, *, final: bool = True) -> ComplaintResponded:
        at = RECEIVED + timedelta(days=day)
        return ComplaintResponded(complaint_id=complaint_id(n), responded_at=at, final=final)

    @staticmethod
    def resolved(n: int = 1, day: float = 0, outcome: Any = "upheld") -> ComplaintResolved:
        at = RECEIVED + timedelta(days=day)
        return ComplaintResolved(
            complaint_id=complaint_id(n), outcome=outcome, root_cause="system_failure", resolved_at=at
        )

    @staticmethod
    def closed(n: int = 1, day: float = 0) -> ComplaintClosed:
        return ComplaintClosed(complaint_id=complaint_id(n), closed_at=RECEIVED + timedelta(days=day))


@dataclass
class Sla:
    """One process of the service. Processes on the same database share `now`, a box with the time."""

    db: Database
    now: list[datetime]
    consumer: Consumer
    current: Current

    async def hear(self, *events: Event, correlation: str | None = None) -> None:
        """Deliver `events` as one batch through the inbox."""
        envelopes = [envelope(e, at=self.now[0], correlation=correlation) for e in events]
        await self.deliver(envelopes)

    async def deliver(self, envelopes: Sequence[Envelope]) -> None:
        def topic(source: str) -> str:
            return TOPICS[source.removeprefix("/redress/")]

        await self.consumer.process([Message(topic(e.source), e.subject, encode(e).encode()) for e in envelopes])

    async def engine(self, day: float | None = None, **options: Any) -> int:
        """Fire what is due, `day` days after the first receipt if given."""
        if day is not None:
            self.now[0] = RECEIVED + timedelta(days=day)
        return await engine.fire_due(self.db, lambda: self.now[0], SETUP, **options)

    async def published(self) -> list[dict[str, Any]]:
        """Every event in the order of the outbox."""
        outbox = self.db.tables.outbox
        async with self.db.reading() as session:
            rows = (await session.scalars(select(outbox.c.payload).order_by(outbox.c.seq))).all()
        return [orjson.loads(r) for r in rows]

    async def told(self, n: int | None = None) -> list[tuple[str, str]]:
        """What was published (about complaint `n`) as (event, step)."""
        return [
            (e["type"].removeprefix("com.redress.").removesuffix(".v1"), e["data"].get("step", ""))
            for e in await self.published()
            if n is None or e["subject"] == complaint_id(n)
        ]

    async def step(self, name: str, n: int = 1) -> dict[str, Any]:
        async with self.db.reading() as session:
            query = select(store.STEP).where(store.STEP.c.complaint_id == complaint_id(n), store.STEP.c.name == name)
            row = (await session.execute(query)).mappings().one()
        planned = step_of(row).warn_ats
        return {**row, "warn_at": planned[0] if planned else None}

    async def scalar(self, sql: str) -> Any:
        async with self.db.reading() as session:
            return (await session.execute(text(sql))).scalar()


Start = Callable[[], Sla]


@pytest.fixture
def make() -> type[Make]:
    return Make


@pytest.fixture
def id_of() -> Callable[[int], str]:
    return complaint_id


@pytest.fixture
def wrap() -> Callable[..., Envelope]:
    """`wrap(event)`: the event in an envelope, to be delivered more than once."""
    return lambda event: envelope(event, at=RECEIVED)


@pytest.fixture
def policies() -> Policies:
    """The regulators' packs that are shipped, with one warning and one level of escalation: a complaint has one clock,
    and a missed step is told once. Tests of more of it take `whole_policies`."""
    found = packs.load("hk-hkma")
    return replace(found, packs=tuple(_plain(p) for p in found.packs if p.kind == "regulatory"))


@pytest.fixture
def whole_policies() -> Policies:
    """Everything that is shipped."""
    return packs.load("hk-hkma")


def _plain(pack: Pack) -> Pack:
    def rule(one: Rule) -> Rule:
        ladder = one.ladder and replace(one.ladder, rungs=one.ladder.rungs[:1], repeat=None)
        return replace(one, ladder=ladder, warnings=one.warnings[:1])

    return replace(pack, rules=tuple(map(rule, pack.rules)))


@pytest.fixture
async def start(migrated: Callable[[str], str], policies: Policies) -> AsyncIterator[Start]:
    """`start()`: one more process on the same database, under `policies`."""
    url = migrated("sla")
    now = [RECEIVED]
    current = Current(policies)
    async with AsyncExitStack() as stack:

        def one() -> Sla:
            db = Database("sla", url, store.tables)
            stack.push_async_callback(db.close)
            handle = consumers.handler(current, lambda: now[0], grace=GRACE)
            return Sla(db, now, Consumer(db, handle, consumers.HANDLED, lambda: now[0]), current)

        yield one


@pytest.fixture
def sla(start: Start) -> Sla:
    return start()


@dataclass
class Web:
    """The HTTP side on the same database; a token for each role, and for a system that only writes."""

    http: httpx.AsyncClient
    tokens: dict[str, str]
    app: FastAPI

    async def get(self, path: str, *, who: str | None = "officer", **params: Any) -> httpx.Response:
        return await self.http.get(path, headers=self._headers(who), params=params)

    async def post(self, path: str, body: Any, *, who: str | None = "officer") -> httpx.Response:
        return await self.http.post(path, headers=self._headers(who), json=body)

    def _headers(self, who: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}


@pytest.fixture
async def web(sla: Sla, policies: Policies, tmp_path: Path) -> AsyncIterator[Web]:
    new = {r: NewKey(r, roles=[r]) for r in ("agent", "officer", "supervisor", "manager", "auditor", "admin")}
    new["system"] = NewKey("system", scopes=["complaints:write", "complaints:read"], channels=["phone"])
    async with sla.db.transaction() as tx:
        tokens = {who: await keys.create(tx, store.tables, key, actor="test", now=RECEIVED) for who, key in new.items()}
    app = create_app(SlaSettings(home=tmp_path), sla.db, clock=lambda: sla.now[0])
    app.state.current = Current(policies)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sla") as http:
        yield Web(http, tokens, app)
