"""The edge of every service: request id and trace, body limit, security headers, metrics, and no exception let through.

Plain ASGI, because this is on the path of every request.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import structlog
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import metrics, trace
from shared.errors import FieldError, Malformed, RedressError, TooLarge
from shared.web import leaving, problems

log = structlog.get_logger()

_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
]
# A year; browsers heed it over https alone. Where a proxy ends TLS in front of us, the proxy must say it.
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_CSP = (
    b"content-security-policy",
    b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
)


MORE_HEADERS = "redress.headers"
"""Where in the ASGI scope headers are put that belong on the answer, whatever it be: `[(name, value)]`, in bytes."""

Endpoint = Callable[[Request], Awaitable[Response]]
BodyLimits = Mapping[str, int | Mapping[str, int]]
"""By path: the largest body in bytes, or that of each media type for which it is not the limit of all."""


def direct(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that needs nothing but the request and checks its caller itself: the edge calls it straight,
    past the framework's routing and dependencies, which cost more than all that intake does with a complaint. Its route
    is declared as any other, without parameters in its path, and documented by that."""
    endpoint.__redress_direct__ = True  # type: ignore[attr-defined]
    return endpoint


class Edge:
    """ASGI middleware around one service. `max_body` in bytes."""

    def __init__(self, app: ASGIApp, *, service: str, max_body: int) -> None:
        self._app = app
        self._service = service
        self._max_body = max_body
        self._counters: dict[tuple[str, str, int], Any] = {}
        self._timers: dict[tuple[str, str], Any] = {}
        self._direct: dict[tuple[str, str], RouteContext] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        sent = _headers(scope["headers"])
        here = trace.begin(sent.get(b"x-request-id"), sent.get(b"traceparent"))
        token = trace.enter(here)
        status = 500
        started = False

        async def answer(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                started = True
                status = message["status"]
                self._dress(scope, message, here.correlation_id)
            await send(message)

        try:
            if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
                raise Malformed("The address holds a NUL character.")  # PostgreSQL takes none in a text
            length, most = sent.get(b"content-length", ""), self._most(scope)
            if length.isdigit() and int(length) > most:
                raise self._too_large(most)
            limited = receive if length.isdigit() else self._limited(receive, most)
            caller = sent.get(b"traceparent", "")
            with trace.span(f"{scope['method']} {self._service}", service=self._service, kind="server", parent=caller):
                if (route := self._straight(scope)) is None:
                    await self._app(scope, limited, answer)
                else:
                    scope["route"] = route
                    response = await route.endpoint(Request(scope, limited))
                    await response(scope, limited, answer)
        except RedressError as error:
            if started:
                raise
            await problems.response(error, request_id=here.correlation_id)(scope, receive, answer)
        except ClientDisconnect:
            status = _CLIENT_GONE
            log.info("request.client_gone", service=self._service)
        except Exception as error:
            # the message of an unforeseen error may quote what somebody wrote: its kind and place are enough
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{place.tb_lineno}" if place else ""
            log.error("request.failed", service=self._service, error=type(error).__name__, where=where)
            if started:
                raise RuntimeError("failed after the answer had begun") from None
            detail = "Something went wrong on our side. Send the request again; the id below helps us find out why."
            failure = problems.build(500, "Internal error", "internal_error", detail, request_id=here.correlation_id)
            await failure(scope, receive, answer)
        finally:
            if status in _REFUSED:
                route = getattr(scope.get("route"), "path", "unmatched")
                at = {"service": self._service, "method": scope["method"], "route": route}
                log.warning("request.refused", **at, status=status)
            trace.leave(token)
            self._count(scope, status, time.perf_counter() - began)

    def _straight(self, scope: Scope) -> Any:
        """The route of an endpoint marked `direct`, if it is asked for."""
        if self._direct is None:
            routes = [r for r in iter_route_contexts(scope["app"].routes) if hasattr(r.endpoint, "__redress_direct__")]
            self._direct = {(method, str(r.path)): r for r in routes for method in r.methods or ()}
        return self._direct.get((scope["method"], scope["path"].removeprefix(scope.get("root_path", ""))))

    def _most(self, scope: Scope) -> int:
        """What `app.state.body_limits` says of this path, or of the body's media type there; else the limit of all."""
        limits: BodyLimits = getattr(scope["app"].state, "body_limits", {}) if "app" in scope else {}
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        most = limits.get(path)
        if most is None and limits and path.count("/") > 2:
            # `*` stands for one part of the path
            before, _, after = path.rpartition("/")
            most = limits.get(f"{before.rpartition('/')[0]}/*/{after}")
        if most is None:
            return self._max_body
        return most if isinstance(most, int) else most.get(_media_type(scope), self._max_body)

    def _limited(self, receive: Receive, most: int) -> Receive:
        """A body without a declared length is counted as it comes."""
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise self._too_large(most)
            return message

        return limited

    @staticmethod
    def _too_large(limit: int) -> TooLarge:
        most = f"At most {limit} bytes are taken here."
        return TooLarge(most, errors=(FieldError("", most, TooLarge.code),))

    @staticmethod
    def _dress(scope: Scope, message: MutableMapping[str, Any], request_id: str) -> None:
        headers: list[tuple[bytes, bytes]] = message["headers"]
        own = dict(headers)
        if b"content-security-policy" not in own:
            headers.append(_CSP)
        # who names the sites that may frame a page means it: the older header knows none or all
        policy = own.get(b"content-security-policy", b"")
        framed = b"frame-ancestors" in policy and b"frame-ancestors 'none'" not in policy
        left_out = own.keys() | ({b"x-frame-options"} if framed else set())
        headers.extend((name, value) for name, value in _SECURITY if name not in left_out)
        if scope.get("scheme") == "https":
            headers.append(_HSTS)
        if leaving.told():
            headers.append((b"connection", b"close"))
        headers.append((b"x-request-id", request_id.encode()))
        headers.extend(scope.get(MORE_HEADERS, ()))

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        counter = self._counters.get((method, route, status))
        if counter is None:
            counter = metrics.requests_total.labels(self._service, method, route, str(status))
            self._counters[method, route, status] = counter
        counter.inc()
        timer = self._timers.get((method, route))
        if timer is None:
            timer = self._timers[method, route] = metrics.request_seconds.labels(self._service, method, route)
        timer.observe(seconds)


_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_CLIENT_GONE = 499  # as proxies count it: nobody is there to be answered
_REFUSED = frozenset((401, 403))  # 429 is counted alone: whoever floods us must not flood the log as well
_WANTED = frozenset((b"x-request-id", b"traceparent", b"content-length"))


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[bytes, str]:
    return {name: value.decode("latin-1") for name, value in raw if name in _WANTED}


def _media_type(scope: Scope) -> str:
    sent: bytes = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return sent.partition(b";")[0].strip().lower().decode("latin-1")
