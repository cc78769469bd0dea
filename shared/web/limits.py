"""How much a caller may send: `RateLimit` fields (draft-ietf-httpapi-ratelimit-headers-10) and 429 with `Retry-After`.

A key or a member of staff is limited on the endpoints that write; an address on those that are open to all, and when it
sends keys that are none. Every app has these limits (`shared.web.app`). Counted in this process alone, over a moving
window.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from fastapi import FastAPI, Request
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from shared.errors import TooManyRequests, Unauthenticated
from shared.security.principal import Principal
from shared.web.access import Authenticator, bearer
from shared.web.edge import MORE_HEADERS
from shared.web.problems import documented

_READING = frozenset(("GET", "HEAD", "OPTIONS"))
_FREE = frozenset(("/health/live", "/health/ready", "/metrics", "/docs", "/docs.js", "/embed.js"))
"""Answered to anybody at any speed: from memory, and a probe or a collector must never be turned away."""
_BLOCKS = 100  # of which a quota consists: it is exact to one of them
_FORGET_ABOVE = 10_000  # callers remembered


@dataclass(slots=True)
class _Block:
    """Requests granted to one caller in advance. `beyond` are left in the window besides; `resets` and `ends` are times
    in seconds."""

    left: int
    beyond: int
    resets: float
    ends: float


class Quota:
    """So many requests in a window of time for each caller, as `limits` writes it: `600/minute`.

    They are taken from the window in blocks of a hundredth: the library's count costs some 20 microseconds and grows
    with the limit, which every complaint would pay.
    """

    def __init__(self, name: str, limit: str) -> None:
        self._item = parse(limit)
        self._window = self._item.get_expiry()
        self._size = max(1, self._item.amount // _BLOCKS)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._blocks: dict[str, _Block] = {}
        self._latest = 0.0
        self._name = name
        self._policy = (b"ratelimit-policy", f'"{name}";q={self._item.amount};w={self._window}'.encode())

    def spend(self, caller: str, request: Request) -> None:
        """Count one request of `caller`, and say on its answer what is left. Raises TooManyRequests."""
        now = time.time()
        if now < self._latest - self._window:
            # The clock was set back: what was counted under the wrong time would lie in every window until that time.
            self._limiter.storage.reset()
            self._blocks.clear()
        self._latest = now
        block = self._blocks.get(caller)
        if block is None or block.left == 0 or block.ends <= now:
            block = self._take(caller, now)
        wait = min(self._window, max(1, math.ceil(block.resets - now)))
        if block.left == 0:
            self._tell(request, 0, wait)
            error = TooManyRequests(f"More than {self._item.amount} requests in {self._window} seconds; wait a little.")
            error.retry_after = wait
            raise error
        block.left -= 1
        self._tell(request, block.left + block.beyond, wait)

    def _tell(self, request: Request, left: int, wait: int) -> None:
        standing = (b"ratelimit", f'"{self._name}";r={left};t={wait}'.encode())
        request.scope[MORE_HEADERS] = [self._policy, standing]

    def _take(self, caller: str, now: float) -> _Block:
        """The next block; an empty one where nothing is left."""
        if len(self._blocks) > _FORGET_ABOVE:
            self._blocks = {c: b for c, b in self._blocks.items() if b.ends > now}
        size = min(self._size, self._limiter.get_window_stats(self._item, caller).remaining)
        if size > 0 and not self._limiter.hit(self._item, caller, cost=size):
            size = 0
        stats = self._limiter.get_window_stats(self._item, caller)
        block = _Block(size, stats.remaining, stats.reset_time, now + self._window)
        if size > 0:
            self._blocks[caller] = block
        return block


class LimitedAuthenticator(Authenticator):
    """Knows callers, and counts what they send."""

    def __init__(self, plain: Authenticator, *, callers: Quota, addresses: "Addresses", readers: "Addresses") -> None:
        super().__init__(plain.keys, plain.staff, plain.sessions)
        self._callers = callers
        self._addresses = addresses
        self._readers = readers

    async def principal(self, request: Request, *, own_form: bool = False) -> Principal:
        """As the base; also raises TooManyRequests."""
        try:
            found = await super().principal(request, own_form=own_form)
        except Unauthenticated:
            self._addresses.spend(request)  # or keys could be guessed at any speed
            raise
        if request.method not in _READING:
            self._callers.spend(found.key_id or found.id, request)
        return found

    def stranger(self, request: Request) -> None:
        """Count a request to an endpoint that is open to all. Raises TooManyRequests."""
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        if request.method in _READING and not path.startswith("/v1/"):
            if path not in _FREE:
                self._readers.spend(request)
            return
        try:
            if self.keys.remembered(bearer(request)) is not None:
                return
        except Unauthenticated:
            pass
        self._addresses.spend(request)


class Addresses:
    """Callers known by nothing but their address; of an IPv6 address, its network of 64 bits. Addresses are personal
    data: they stay in memory."""

    def __init__(self, quota: Quota, proxies: Sequence[str]) -> None:
        self._quota = quota
        self._proxies: list[IPv4Network | IPv6Network] = [ip_network(p, strict=False) for p in proxies]

    def spend(self, request: Request) -> None:
        """Raises TooManyRequests."""
        self._quota.spend(self.of(request), request)

    def of(self, request: Request) -> str:
        """Who sent `request`: the last address that is none of the bank's own proxies, as these tell it."""
        peer = request.client.host if request.client else ""
        hops = [h.strip() for line in request.headers.getlist("x-forwarded-for") for h in line.split(",")]
        found = _parsed(peer)
        while found is not None and hops and self._is_proxy(found):
            found = _parsed(hops.pop())
        if found is None:
            return peer
        if isinstance(found, IPv6Address):
            return str(ip_network((found, 64), strict=False))
        return str(found)

    def _is_proxy(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._proxies)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def install(app: FastAPI, *, callers: str, addresses: str, readers: str, proxies: Sequence[str]) -> None:
    """Limit what is sent to `app`, and say so in its OpenAPI document. `app.state.addresses` tells whose a request
    is."""
    plain: Authenticator = app.state.authenticator
    app.state.addresses = Addresses(Quota("address", addresses), proxies)
    limited = LimitedAuthenticator(
        plain,
        callers=Quota("caller", callers),
        addresses=app.state.addresses,
        readers=Addresses(Quota("reader", readers), proxies),
    )
    app.state.authenticator = limited
    app.state.strangers = limited.stranger
    describe = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            _describe(describe())
        return describe()

    app.openapi = described  # type: ignore[method-assign]


def _describe(document: dict[str, Any]) -> None:
    """Add to each operation of `document` that it may answer 429, and what the fields on its answers mean."""
    document["components"]["headers"] = {
        "RateLimit": {
            "description": "What is left of the quota, and in how many seconds more becomes free",
            "schema": {"type": "string"},
            "example": '"caller";r=119999;t=60',
        },
        "RateLimit-Policy": {
            "description": "The quota, and its window in seconds",
            "schema": {"type": "string"},
            "example": '"caller";q=120000;w=60',
        },
        "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}, "required": True},
    }
    fields = {name: {"$ref": f"#/components/headers/{name}"} for name in ("RateLimit", "RateLimit-Policy")}
    refusal = documented(TooManyRequests)[429]
    for path, operations in document["paths"].items():
        if not path.startswith("/v1/"):
            continue
        for method, operation in operations.items():
            retry = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
            operation["responses"]["429"] = {**refusal, "headers": fields | retry}
            for status, answer in list(operation["responses"].items()):
                if method.upper() not in _READING and status.startswith("2"):
                    # a new one: parts of what the routes declared are shared between them
                    operation["responses"][status] = answer | {"headers": answer.get("headers", {}) | fields}
