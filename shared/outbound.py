"""Posting to addresses that callers have given us, without being led to our own network.

The name is resolved here, every address it has is checked, and the connection goes to the one that was checked: a name
that resolves otherwise a moment later (DNS rebinding) gains nothing. Redirects are not followed.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from shared.addresses import is_public

TIMEOUT = 10.0  # seconds for one delivery
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class NotReached(Exception):
    """Nobody answered. The message is a short reason without the address."""


class NotAllowed(NotReached):
    """The address leads where nothing may be sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the `status`, the first bytes of the body, and for how many seconds we were asked to wait."""

    status: int
    body: bytes
    retry_after: int | None


async def _resolve(host: str, port: int) -> Sequence[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise NotReached("the name does not resolve") from None
    return [str(info[4][0]) for info in found]


class Outbound:
    """An async context manager that holds the connections. `private` allows addresses that are not public; `timeout`
    is that of one delivery in seconds."""

    def __init__(
        self,
        *,
        private: bool = False,
        resolve: Resolve = _resolve,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._private = private
        self._timeout = timeout
        self._resolve = resolve
        # Nothing from the environment: a proxy would resolve names for itself. No connection is kept: the pool knows
        # them by address, and another name at the same address must not be told over one made for this name. And no
        # limit to how many: callers have theirs, and one that waits here would look like a receiver that is down.
        self._http = httpx.AsyncClient(
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            transport=transport,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

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
        return (await self.ask(url, body, headers, most=0)).status

    async def ask(self, url: str, body: bytes, headers: dict[str, str], *, most: int) -> Answer:
        """As `post`, with up to `most` bytes of the answer, where a receiver says in the body how it fared."""
        try:
            target = httpx.URL(url)
            async with asyncio.timeout(self._timeout):  # over all of it: a name server may be as dead as a receiver
                address = await self._checked(target)
                request = self._http.build_request(
                    "POST",
                    target.copy_with(host=address),
                    content=body,
                    headers=headers | {"Host": target.netloc.decode("ascii")},
                    extensions={"sni_hostname": target.host},
                )
                response = await self._http.send(request, stream=True)
                try:
                    found = await _beginning(response, most)
                finally:
                    await response.aclose()  # what is answered beyond that is nobody's business here
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            raise NotReached(type(error).__name__) from None
        return Answer(response.status_code, found, _seconds(response.headers.get("retry-after", "")))

    async def _checked(self, target: httpx.URL) -> str:
        port = target.port or (443 if target.scheme == "https" else 80)
        found = await self._resolve(target.host, port)
        if not found:
            raise NotReached("the name does not resolve")
        if not self._private and not all(is_public(address) for address in found):
            raise NotAllowed("the address is not public")
        return found[0]


async def _beginning(response: httpx.Response, most: int) -> bytes:
    found = b""
    if most:
        async for part in response.aiter_bytes():
            found += part
            if len(found) >= most:
                break
    return found[:most]


def _seconds(text: str) -> int | None:
    """Retry-After in its form of seconds; the other form, a date, would need the receiver's clock to be right."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
