"""A process that is told to stop: first it says so and serves on, then it finishes what has begun, then it is gone."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from deploy.infra.ports import free_port
from services.sla import store
from services.sla.app import create_app
from services.sla.settings import SlaSettings
from shared.db import Database
from shared.serve import Server, server
from shared.web import leaving

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
Eventually = Callable[..., Awaitable[Any]]


class Serving:
    """A server in this process. A request for `/metrics` has `begun` and goes on once it `may_go_on`."""

    def __init__(self, url: str) -> None:
        app, port = create_app(SlaSettings(), Database("sla", url, store.tables)), free_port()
        self.begun, self.may_go_on = asyncio.Event(), asyncio.Event()

        async def held(scope: Any, receive: Any, send: Any) -> None:
            if scope.get("path") == "/metrics":
                self.begun.set()
                await self.may_go_on.wait()
            await app(scope, receive, send)

        self.server: Server = server(held, host="127.0.0.1", port=port, signals=False)
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60)

    async def gone(self) -> bool:
        """Whether nobody takes a new connection any more."""
        try:
            await self.client.get("/health/live")
        except httpx.ConnectError:
            return True
        return False


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[tuple[Serving, "asyncio.Task[None]"]]:
    here = Serving(url)
    running = asyncio.create_task(here.server.serve())
    try:
        async with here.client:
            while not here.server.started:
                await asyncio.sleep(0.02)
            yield here, running
    finally:
        here.may_go_on.set()
        for _ in range(2):
            here.server.handle_exit(signal.SIGTERM, None)
        await running
        leaving.arrive()


async def test_it_says_that_it_leaves_serves_on_and_finishes_what_has_begun(
    migrated: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setenv("REDRESS_DRAIN_SECONDS", "60")
    async with serving(migrated("sla")) as (here, running):
        before = await here.client.get("/health/ready")
        assert before.status_code == 200
        assert "connection" not in before.headers
        here.server.handle_exit(signal.SIGTERM, None)
        assert await eventually(leaving.told)
        told = await here.client.get("/health/ready")
        assert told.status_code == 503
        assert [cause["code"] for cause in told.json()["causes"]][-1] == "leaving"
        assert told.headers["connection"] == "close", "no request is to come on a connection that is about to go"
        for _ in range(3):
            assert (await here.client.get("/health/live")).status_code == 200
        last = asyncio.create_task(here.client.get("/metrics"))
        await here.begun.wait()
        here.server.handle_exit(signal.SIGTERM, None)  # the time is over
        assert await eventually(here.gone, within=60)
        assert not running.done()
        here.may_go_on.set()
        assert (await last).status_code == 200
        await running


async def test_it_serves_on_as_long_as_it_is_set_to(
    migrated: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDRESS_DRAIN_SECONDS", "1.5")
    async with serving(migrated("sla")) as (here, running):
        asked = time.monotonic()
        here.server.handle_exit(signal.SIGTERM, None)
        await running
        assert time.monotonic() - asked >= 1.5


async def test_asked_a_second_time_it_hurries(
    migrated: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setenv("REDRESS_DRAIN_SECONDS", "60")
    async with serving(migrated("sla")) as (here, running):
        here.server.handle_exit(signal.SIGTERM, None)
        assert await eventually(leaving.told)
        assert not running.done()
        here.server.handle_exit(signal.SIGTERM, None)
        await asyncio.wait_for(running, 30)


async def test_the_side_of_a_worker_leaves_the_signals_alone(migrated: Callable[[str], str]) -> None:
    """uvicorn raises a signal again when it has stopped: the worker would be cancelled while it leaves its group."""
    before = signal.getsignal(signal.SIGTERM)
    async with serving(migrated("sla")):
        assert signal.getsignal(signal.SIGTERM) == before
