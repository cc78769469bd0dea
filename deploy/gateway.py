"""One address for all services, as people's browsers need it: links between pages, one sign-in, one cookie.

`/intake/...` goes to intake, and so on; everything else to the front page. A bank has its own reverse proxy or ingress
for this (docs/operations.md says what that one must do); this one serves the cluster on one machine.
"""

import ssl
from collections.abc import AsyncIterator, Mapping

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# What belongs to one connection, not to the message (RFC 9110, section 7.6.1), and what we say ourselves.
_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-proto",
    )
)
_WAIT = httpx.Timeout(30, read=None)  # a page that is kept up to date reads for as long as it is open
_MOST = httpx.Limits(max_connections=500, max_keepalive_connections=50)


class Gateway:
    """The ASGI app. `services`: how each is reached (`to`), by the first part of the path."""

    def __init__(self, services: Mapping[str, httpx.AsyncClient], front: ASGIApp) -> None:
        self._clients, self._front = services, front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope.get("path", "").lstrip("/").partition("/")[0]
        client = self._clients.get(name) if scope["type"] == "http" else None
        if client is None or not scope["path"].startswith(f"/{name}/"):
            await self._front(scope, receive, send)
            return
        request = Request(scope, receive)
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0]
        try:
            url = httpx.URL(path=path.removeprefix(f"/{name}") or "/", query=scope["query_string"])
            answer = await client.send(
                client.build_request(request.method, url, headers=_onward(request), content=_body(request)), stream=True
            )
        except httpx.InvalidURL:
            await JSONResponse({"title": "Not found", "status": 404, "code": "not_found"}, 404)(scope, receive, send)
            return
        except (httpx.HTTPError, ClientDisconnect):
            body = {"type": "about:blank", "title": "No answer", "status": 503, "code": "unavailable"}
            gone = JSONResponse(body, 503, {"retry-after": "2"}, media_type="application/problem+json")
            await gone(scope, receive, send)
            return
        response = StreamingResponse(answer.aiter_raw(), answer.status_code)
        response.raw_headers = [(k, v) for k, v in answer.headers.raw if k.decode("latin-1").lower() not in _HOP]
        try:
            await response(scope, receive, send)
        finally:
            await answer.aclose()


def to(address: str, verify: ssl.SSLContext | bool = True) -> httpx.AsyncClient:
    """The way to a service at `address`, which over https must show a certificate that `verify` trusts."""
    return httpx.AsyncClient(base_url=address, timeout=_WAIT, limits=_MOST, follow_redirects=False, verify=verify)


def _onward(request: Request) -> list[tuple[str, str]]:
    """The request's headers as the service is to see them, with who sent it and how, which it believes us alone."""
    kept = [(k, v) for k, v in request.headers.items() if k not in _HOP and k != "content-length"]
    length = request.headers.get("content-length")
    kept += [("content-length", length)] if length else []
    peer = request.client.host if request.client else ""
    return [*kept, ("x-forwarded-for", peer), ("x-forwarded-proto", request.url.scheme)]


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        if piece:
            yield piece
