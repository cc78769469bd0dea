"""Calling a service until it answers: "not now" is tried again, all callers holding back together.

A final answer, good or bad, goes to whoever asked; only silence that outlasts patience is an error here.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import httpx

_NOT_NOW = frozenset({408, 425, 429, 502, 503, 504})
_DOUBTFUL_TRIES = 5
"""How many doubtful answers one request may get before the last of them counts: one that the service chokes on must
not stop the rest."""

_LONGEST_ASKED = 300.0


class DeskError(Exception):
    """Calling cannot go on; the message says why in plain words."""


class DeskUnreachable(DeskError):
    """Nobody answered, or only "not now", for as long as patience lasts."""


class NotAccepted(DeskError):
    """The address or the key is wrong: every further request would fail alike."""


class Stopped(Exception):
    """Asked to stop while waiting for the next attempt; whether the request arrived is not known."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try again, in seconds: waits double from `first` up to `longest`, and end after `total`."""

    first: float = 0.25
    longest: float = 20.0
    total: float = 180.0


class Caller:
    """A service at `base_url`, as an async context manager that holds the connections.

    `stop`, once set, ends all waiting with `Stopped`; a request under way is left to finish.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        concurrency: int,
        patience: Patience | None = None,
        stop: asyncio.Event | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.patience = patience or Patience()
        self._stop = stop or asyncio.Event()
        self._not_before = 0.0
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(30.0, connect=5.0),
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def greet(self, *, tries: int = 3) -> httpx.Response:
        """See that somebody answers at all, so that a wrong address is told at once. Raises DeskUnreachable."""
        while True:
            tries -= 1
            try:
                return await self._client.get(f"{self.base_url}/health/live")
            except httpx.InvalidURL as error:
                raise DeskUnreachable(f"{self.base_url} is not an address ({error}).") from error
            except httpx.RequestError as error:
                if tries <= 0:
                    raise DeskUnreachable(f"Nobody answers at {self.base_url} ({_name(error)}).") from error
                await asyncio.sleep(min(self.patience.first * 2, 1.0))

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        doubtful: Callable[[httpx.Response], bool] = lambda response: response.status_code >= 500,
    ) -> httpx.Response:
        """The answer to one request, which must bear to be repeated. Raises DeskUnreachable or Stopped.

        `doubtful` tells which answers another try may mend; they are tried a few times, "not now" as long as
        patience lasts.
        """
        began = time.monotonic()
        wait, doubts = self.patience.first, 0
        while True:
            await self._hold_back()
            asked: float | None = None
            try:
                response = await self._client.request(method, f"{self.base_url}{path}", json=body, headers=headers)
            except httpx.RequestError as error:
                trouble = _name(error)
            else:
                if response.status_code not in _NOT_NOW:
                    doubts += 1
                    if not doubtful(response) or doubts >= _DOUBTFUL_TRIES:
                        return response
                trouble = f"status {response.status_code}"
                asked = _retry_after(response)
            if time.monotonic() - began >= self.patience.total:
                tried = f"for {self.patience.total:.0f} s ({trouble})"
                raise DeskUnreachable(f"The desk at {self.base_url} has taken nothing {tried}.")
            # Jitter keeps many senders from coming back in the same instant.
            pause = wait * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
            if asked is not None:
                pause = max(pause, asked)
                self._not_before = max(self._not_before, time.monotonic() + asked)
            await self.wait(pause)
            wait = min(wait * 2, self.patience.longest)

    async def wait(self, seconds: float) -> None:
        """Sleep; raises Stopped once asked to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        if self._stop.is_set():
            raise Stopped

    async def _hold_back(self) -> None:
        while (left := self._not_before - time.monotonic()) > 0:
            await self.wait(left)
        if self._stop.is_set():
            raise Stopped


def first(group: BaseExceptionGroup[DeskError]) -> BaseException:
    """The first error itself: several callers may have met the same one."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def said(response: httpx.Response) -> Mapping[str, Any]:
    """The JSON object in the answer, empty where there is none."""
    try:
        read = response.json()
    except ValueError:
        return {}
    return read if isinstance(read, Mapping) else {}


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds to wait, at most five minutes, from either form of the header (RFC 9110, 10.2.3)."""
    told = response.headers.get("Retry-After")
    if not told:
        return None
    try:
        if told.strip().isdigit():
            return min(float(told), _LONGEST_ASKED)
        left = (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()
        return min(max(left, 0.0), _LONGEST_ASKED)
    except (TypeError, ValueError):
        return None


def _name(error: Exception) -> str:
    return type(error).__name__
