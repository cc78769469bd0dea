"""Posting complaints to a desk so that each arrives exactly once: retries with the same key, refusals told apart.

"This row is wrong" (`Refused`) is told apart from "not now" (retried here, all senders holding back together) and from
"this will never work" (`DeskError`), on which the sender stops.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import httpx

_NOT_NOW = frozenset({408, 425, 429, 502, 503, 504})
_STOP = {
    401: "The desk does not accept this key.",
    403: "The key is not allowed to do this; it needs the scope complaints:import.",
    404: "There is no complaint desk at this address.",
    405: "There is no complaint desk at this address.",
}
_CONFLICT_OF_CONTENT = "channel_ref_conflict"
_DOUBTFUL_TRIES = 5
"""How many server errors or conflicts one complaint may cause before it counts as refused: a row that the desk chokes
on must not stop the rest."""

_LONGEST_ASKED = 300.0


class DeskError(Exception):
    """Posting cannot go on; the message says why in plain words."""


class DeskUnreachable(DeskError):
    """Nobody answered, or only "not now", for as long as patience lasts."""


class NotAccepted(DeskError):
    """The address or the key is wrong: every further complaint would fail alike."""


class Stopped(Exception):
    """Asked to stop while waiting for the next attempt; whether the complaint arrived is not known."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try again, in seconds: waits double from `first` up to `longest`, and end after `total`."""

    first: float = 0.25
    longest: float = 20.0
    total: float = 180.0


@dataclass(frozen=True, slots=True)
class Taken:
    """The desk has the complaint. `replayed` where it says that it had it already."""

    answer: Mapping[str, Any]
    replayed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The desk will not have this complaint, however often it is sent. `reasons` are pairs of pointer and detail."""

    status: int
    code: str
    detail: str
    reasons: tuple[tuple[str, str], ...] = ()


class Desk:
    """An intake service at `base_url`, as an async context manager that holds the connections.

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
        self._patience = patience or Patience()
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

    async def greet(self, *, tries: int = 3) -> None:
        """See that somebody answers at all, so that a wrong address is told at once. Raises DeskUnreachable."""
        for number in range(1, tries + 1):
            try:
                await self._client.get(f"{self.base_url}/health/live")
            except httpx.InvalidURL as error:
                raise DeskUnreachable(f"{self.base_url} is not an address ({error}).") from error
            except httpx.RequestError as error:
                if number == tries:
                    raise DeskUnreachable(f"Nobody answers at {self.base_url} ({_name(error)}).") from error
                await asyncio.sleep(min(self._patience.first * 2, 1.0))
            else:
                return

    async def post(self, body: Mapping[str, Any], key: str) -> Taken | Refused:
        """Post one complaint under its idempotency key, as often as it takes.

        Raises DeskUnreachable, NotAccepted, or Stopped.
        """
        began = time.monotonic()
        wait, doubtful = self._patience.first, 0
        while True:
            await self._hold_back()
            asked: float | None = None
            try:
                response = await self._client.post(
                    f"{self.base_url}/v1/complaints", json=body, headers={"Idempotency-Key": key}
                )
            except httpx.RequestError as error:
                trouble = _name(error)
            else:
                if response.status_code in (200, 201):
                    return _taken(response)
                trouble = f"status {response.status_code}"
                problem = _json(response)
                if response.status_code not in _NOT_NOW:
                    doubtful += 1
                    if not _in_doubt(response.status_code, problem) or doubtful >= _DOUBTFUL_TRIES:
                        return self._refused(response.status_code, problem)
                asked = _retry_after(response)
            if time.monotonic() - began >= self._patience.total:
                tried = f"for {self._patience.total:.0f} s ({trouble})"
                raise DeskUnreachable(f"The desk at {self.base_url} has not taken a complaint {tried}.")
            # Jitter keeps many senders from coming back in the same instant.
            pause = wait * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
            if asked is not None:
                pause = max(pause, asked)
                self._not_before = max(self._not_before, time.monotonic() + asked)
            await self._wait(pause)
            wait = min(wait * 2, self._patience.longest)

    async def _hold_back(self) -> None:
        while (left := self._not_before - time.monotonic()) > 0:
            await self._wait(left)
        if self._stop.is_set():
            raise Stopped

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        if self._stop.is_set():
            raise Stopped

    def _refused(self, status: int, problem: Mapping[str, Any]) -> Refused:
        detail = str(problem.get("detail") or problem.get("title") or "")
        if status in _STOP or 300 <= status < 400:
            told = _STOP.get(status, "The address leads elsewhere; give the one of the intake service itself.")
            raise NotAccepted(f"{told} ({self.base_url}, status {status}{': ' + detail if detail else ''})")
        errors = problem.get("errors")
        reasons = tuple(
            (str(error.get("pointer") or ""), str(error.get("detail") or ""))
            for error in (errors if isinstance(errors, list) else [])
            if isinstance(error, Mapping)
        )
        return Refused(status, str(problem.get("code") or f"http_{status}"), detail, reasons)


def _taken(response: httpx.Response) -> Taken:
    answer = _json(response)
    # The draft on Idempotency-Key leaves open how a replay is told; a header of this name, or a plain 200, are usual.
    told = response.headers.get("Idempotency-Replayed", "").lower() == "true"
    return Taken(answer, replayed=told or response.status_code == 200)


def _in_doubt(status: int, problem: Mapping[str, Any]) -> bool:
    """Whether another try may mend it: a server's own error, or a twin of this very request still under way."""
    return status >= 500 or (status == 409 and problem.get("code") != _CONFLICT_OF_CONTENT)


def _json(response: httpx.Response) -> Mapping[str, Any]:
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
