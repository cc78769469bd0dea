"""A running intake on a database of its own, and somebody of every kind to call it."""

import io
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy import text

from services.intake import store
from services.intake.app import create_app
from services.intake.settings import IntakeSettings
from shared import logs
from shared.db import Database
from shared.security import keys
from shared.security.crypto import MasterKeys
from shared.security.keys import NewKey

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
MASTER_KEYS = MasterKeys({"k1": bytes(range(32))}, pseudonym_key=bytes(32))

CALLERS = {
    "phone": NewKey("phone", scopes=["complaints:write", "complaints:read"], channels=["phone"]),
    "web": NewKey("web", scopes=["complaints:write", "complaints:read"], channels=["web_chat", "web_form"]),
    "any": NewKey("any", scopes=["complaints:write", "complaints:read"]),
    "history": NewKey("history", scopes=["complaints:write", "complaints:import"]),
    "reader": NewKey("reader", scopes=["complaints:read"]),
    **{r: NewKey(r, roles=[r]) for r in ("agent", "officer", "supervisor", "manager", "auditor", "admin")},
}


@dataclass
class Running:
    """One intake: its app, its database, its clock (`desk.now` may be set), and a token for each of `CALLERS`."""

    app: FastAPI
    db: Database
    http: httpx.AsyncClient
    tokens: dict[str, str]
    now: datetime = NOW
    posted: int = field(default=0)

    def headers(self, who: str | None, key: str | None = None) -> dict[str, str]:
        found = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return found | ({"Idempotency-Key": key} if key is not None else {})

    async def post(
        self, body: Any = None, *, who: str | None = "any", key: str | None = None, raw: bytes | None = None
    ) -> httpx.Response:
        content = raw if raw is not None else orjson.dumps(body)
        headers = self.headers(who, key) | {"Content-Type": "application/json"}
        return await self.http.post("/v1/complaints", content=content, headers=headers)

    async def get(self, path: str, *, who: str | None = "officer", **more: str) -> httpx.Response:
        return await self.http.get(path, headers=self.headers(who) | more)

    async def scalar(self, sql: str) -> Any:
        async with self.db.reading() as session:
            return (await session.execute(text(sql))).scalar()

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        async with self.db.reading() as session:
            return [dict(r) for r in (await session.execute(text(sql))).mappings()]


Start = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """`await start(url, ...)`: an intake process on the database at `url`; more than one may share it."""
    async with AsyncExitStack() as stack:

        async def one(url: str, *, tokens: dict[str, str] | None = None, **options: Any) -> Running:
            settings = IntakeSettings(home=tmp_path, **options.pop("settings", {}))
            db = Database("intake", url, store.tables)
            keys_ = options.pop("keys", MASTER_KEYS)
            running: Running | None = None
            app = create_app(settings, db, keys=keys_, clock=lambda: running.now if running else NOW)
            if tokens is None:
                async with db.transaction() as tx:
                    tokens = {
                        who: await keys.create(tx, store.tables, new, actor="test", now=NOW)
                        for who, new in CALLERS.items()
                    }
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://intake"))
            await stack.enter_async_context(app.router.lifespan_context(app))
            running = Running(app, db, http, tokens)
            return running

        yield one


@pytest.fixture
async def desk(start: Start, migrated: Callable[[str], str]) -> Running:
    found: Running = await start(migrated("intake"))
    return found


@pytest.fixture
def complaint() -> Callable[..., dict[str, Any]]:
    """A body that is taken, with changes."""

    def make(**changes: Any) -> dict[str, Any]:
        body = {
            "channel": "phone",
            "narrative": "The machine kept my card and nobody rang back.",
            "complainant": {"name": "Chan Example", "customer_no": "C-000001"},
        }
        return {k: v for k, v in (body | changes).items() if v is not ...}

    return make


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """All that the process would print: structured logs, the libraries' loggers at their most talkative, stdout."""
    captured = io.StringIO()
    root = logging.getLogger()
    before, handlers = root.level, root.handlers[:]
    with redirect_stderr(captured), redirect_stdout(captured):
        logs.configure("DEBUG")
        yield captured
    root.handlers[:] = handlers
    root.setLevel(before)
    structlog.reset_defaults()
