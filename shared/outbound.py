"""Posting to addresses that callers have given us, without being led to our own network.

The name is resolved here, every address it has is checked, and the connection goes to the one that was checked: a name
that resolves otherwise a moment later (DNS rebinding) gains nothing. Redirects are not followed.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

import httpx

TIMEOUT = 10.0  # seconds for one delivery
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class NotReached(Exception):
    """Nobody answered. The message is a short reason without the address."""


class NotAllowed(NotReached):
    """The address leads where nothing may be sent."""


async def _resolve(host: str, port: int) -> Sequence[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise NotReached("the name does not resolve") from None
    return [str(info[4][0]) for info in found]


class Outbound:
    """An async context manager that holds the connections. `private` allows addresses that are not public."""

    def __init__(
        self, *, private: bool = False, resolve: Resolve = _resolve, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._private = private
        self._resolve = resolve
        # nothing from the environment: a proxy would resolve names for itself
        self._http = httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False, trust_env=False, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """The status that was answered. Raises NotReached, NotAllowed."""
        target = httpx.URL(url)
        address = await self._checked(target)
        request = self._http.build_request(
            "POST",
            target.copy_with(host=address),
            content=body,
            headers=headers | {"Host": target.netloc.decode("ascii")},
            extensions={"sni_hostname": target.host},
        )
        try:
            async with asyncio.timeout(TIMEOUT):
                response = await self._http.send(request, stream=True)
                await response.aclose()  # what is answered beyond the status is nobody's business here
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise NotReached(type(error).__name__) from None
        return response.status_code

    async def _checked(self, target: httpx.URL) -> str:
        port = target.port or (443 if target.scheme == "https" else 80)
        found = await self._resolve(target.host, port)
        if not found:
            raise NotReached("the name does not resolve")
        if not self._private and not all(_public(address) for address in found):
            raise NotAllowed("the address is not public")
        return found[0]


def _public(address: str) -> bool:
    """Whether `address` is one of the open internet: not private, loopback, link-local (cloud metadata), reserved, or
    an IPv6 form of one that is."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None:
            return _public(str(inner))
        if found in _NAT64:
            return _public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return found.is_global and not found.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
