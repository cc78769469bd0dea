"""Every route of every service: no body without a limit, nothing open to all without a rate."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Mount

from deploy.registry import SERVICES
from shared.web.access import declared

ADDRESS = "192.0.2.9"
READING = {"GET", "HEAD", "OPTIONS"}
LARGER = {
    ("intake", "/v1/uploads"),
    ("intake", "/v1/form/uploads"),
    ("intake", "/v1/channels/email"),
    ("intake", "/v1/channels/letter"),  # with its scans, in one form
    ("intake", "/v1/channels/branch"),
    ("intake", "/v1/track/{reference}/files"),
    ("intake", "/track/{reference}/files"),
}
"""What takes more than other routes do: files and whole mails. A route is put here on purpose."""
FREE = {
    "/openapi.json",  # made once, from memory
    "/health/live",  # probes and collectors are never turned away
    "/health/ready",
    "/metrics",
    "/docs",
    "/docs.js",
    "/embed.js",
}
"""What anybody may ask for at any speed: nothing of it touches a database but the probes, which share their answer."""


@pytest.fixture(scope="module", params=list(SERVICES))
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """A service's app that lets each address send and read one thing an hour."""
    service = SERVICES[request.param]
    one = {"rate_limit_addresses": "1/hour", "rate_limit_readers": "1/hour"}
    settings = service.settings(home=tmp_path_factory.mktemp(request.param), **one)
    db = service.database(settings)
    yield service.app(settings, db)
    asyncio.run(db.close())


def _routes(app: FastAPI) -> Iterator[tuple[str, str, Any]]:
    for route in iter_route_contexts(app.routes):
        for method in sorted(getattr(route, "methods", None) or ()):
            yield method, str(route.path), route


async def _ask(app: FastAPI, method: str, path: str, *, address: str = "203.0.113.1", **headers: str) -> int:
    """The status of an answer; the body, if one is announced, is not sent."""
    filled = re.sub(r"{[^}]+}", "a-1", path)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": filled,
        "raw_path": filled.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "client": (address, 1),
        "server": ("testserver", 80),
    }
    found: list[int] = []

    coming = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        return coming.pop() if coming else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    await app(scope, receive, send)
    return found[0]


async def test_no_route_takes_a_body_without_a_limit(app: FastAPI) -> None:
    checked = 0
    for method, path, _ in _routes(app):
        if method in READING:
            continue
        kinds = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
        for kind in kinds:
            beyond = str(app.state.settings.max_body + 1)
            status = await _ask(app, method, path, content_length=beyond, content_type=kind)
            if status != 413:
                assert (app.state.service, path) in LARGER, f"{method} {path} takes more than {beyond} bytes of {kind}"
            whole = await _ask(app, method, path, content_length=str(2**31), content_type=kind)
            assert whole == 413, f"{method} {path} has no limit at all for {kind}"
        checked += 1
    assert checked > 10


async def test_what_is_open_to_all_has_a_rate(app: FastAPI) -> None:
    opened = [
        (method, path, route)
        for method, path, route in _routes(app)
        if declared(route) == ("public",) and not isinstance(route.original_route, Mount)
    ]
    assert await _ask(app, "POST", "/session", address=ADDRESS) == 401  # so the one thing an hour is used up
    pages = [path for method, path, _ in opened if method == "GET" and path not in FREE and "/v1/" not in path]
    if pages:
        assert await _ask(app, "GET", pages[0], address=ADDRESS) != 429
    checked = set()
    for method, path, route in opened:
        status = await _ask(app, method, path, address=ADDRESS)
        if path in FREE:
            assert status != 429, f"{method} {path} must answer probes"
            continue
        assert isinstance(route.original_route, APIRoute)
        assert status == 429, f"{method} {path} is open to all at any speed"
        checked.add(path)
    assert {"/session", "/session/end"} <= checked


async def test_keys_cannot_be_guessed_at_any_speed_at_any_service(app: FastAPI) -> None:
    guarded = [
        (method, path)
        for method, path, route in _routes(app)
        if declared(route) not in (None, ("public",)) and method == "GET"
    ]
    for number, (method, path) in enumerate(guarded):
        address = f"198.51.100.{number % 250}"
        assert await _ask(app, method, path, address=address, authorization="Bearer no") == 401
        assert await _ask(app, method, path, address=address, authorization="Bearer no") == 429, path
    assert guarded
