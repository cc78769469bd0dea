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


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[tuple[Server, httpx.AsyncClient, "asyncio.Task[None]"]]:
    app, port = create_app(SlaSettings(), Database("sla", url, store.tables)), free_port()

    async def slowly(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") == "/health/live":
            await asyncio.sleep(1)
        await app(scope, receive, send)

    served = server(slowly, host="127.0.0.1", port=port, signals=False)
    running = asyncio.create_task(served.serve())
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            while not served.started:
                await asyncio.sleep(0.02)
            yield served, client, running
    finally:
        served.should_exit = True
        served.handle_exit(signal.SIGTERM, None)
        await running
        leaving.arrive()


async def test_it_says_that_it_leaves_serves_on_and_finishes_what_has_begun(
    migrated: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setenv("REDRESS_DRAIN_SECONDS", "3")
    async with serving(migrated("sla")) as (served, client, running):
        before = await client.get("/health/ready")
        assert before.status_code == 200
        assert "connection" not in before.headers
        served.handle_exit(signal.SIGTERM, None)
        asked = time.monotonic()
        assert await eventually(leaving.told)
        told = await client.get("/health/ready")
        assert told.status_code == 503
        assert [cause["code"] for cause in told.json()["causes"]][-1] == "leaving"
        assert told.headers["connection"] == "close", "no request is to come on a connection that is about to go"
        while time.monotonic() - asked < 2:
            assert (await client.get("/openapi.json")).status_code == 200
            await asyncio.sleep(0.1)
        while time.monotonic() - asked < 2.7:
            await asyncio.sleep(0.05)
        last = await client.get("/health/live")  # it takes a second: longer than the process goes on taking requests
        assert last.status_code == 200
        await running
        assert time.monotonic() - asked >= 3
        with pytest.raises(httpx.ConnectError):
            await client.get("/health/live")


async def test_asked_a_second_time_it_hurries(
    migrated: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setenv("REDRESS_DRAIN_SECONDS", "60")
    async with serving(migrated("sla")) as (served, _, running):
        served.handle_exit(signal.SIGTERM, None)
        assert await eventually(leaving.told)
        assert not running.done()
        served.handle_exit(signal.SIGTERM, None)
        await asyncio.wait_for(running, 30)


async def test_the_side_of_a_worker_leaves_the_signals_alone(migrated: Callable[[str], str]) -> None:
    """uvicorn raises a signal again when it has stopped: the worker would be cancelled while it leaves its group."""
    before = signal.getsignal(signal.SIGTERM)
    async with serving(migrated("sla")):
        assert signal.getsignal(signal.SIGTERM) == before
