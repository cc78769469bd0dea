"""Channels and staff behind a load balancer: a request goes, once, to an instance that says it is ready."""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.chaos.load import Complaint

_LOOK_EVERY = 0.25  # seconds
_AT_ONCE = 24  # requests under way
_READS = (
    ("routing", "/v1/cases"),
    ("sla", "/v1/at-risk"),
    ("reporting", "/v1/figures/total"),
    ("intake", "/v1/complaints/{id}"),
)


@dataclass(eq=False, slots=True)
class Instance:
    url: str
    client: httpx.AsyncClient
    ready: bool = False
    busy: int = 0
    """Requests under way."""
    leaves: bool = False
    """Whether it has said that it is not ready after it had said that it was."""


class Balancer:
    """Knows the instances of each service, asks them again and again whether they are ready, and spreads requests."""

    def __init__(self) -> None:
        self._of: dict[str, list[Instance]] = {}
        self._turn = itertools.count()

    def add(self, service: str, url: str) -> Instance:
        found = Instance(url, httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(30, connect=5)))
        self._of.setdefault(service, []).append(found)
        return found

    async def remove(self, service: str, instance: Instance) -> None:
        """Send it nothing more, and wait until what was under way is back."""
        self._of[service].remove(instance)
        while instance.busy:
            await asyncio.sleep(0.05)
        await instance.client.aclose()

    def pick(self, service: str) -> Instance | None:
        ready = [one for one in self._of[service] if one.ready]
        return ready[next(self._turn) % len(ready)] if ready else None

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._look())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for one in itertools.chain(*self._of.values()):
                await one.client.aclose()

    async def _look(self) -> None:
        while True:
            await asyncio.gather(*(self._ask(one) for one in itertools.chain(*self._of.values())))
            await asyncio.sleep(_LOOK_EVERY)

    @staticmethod
    async def _ask(one: Instance) -> None:
        try:
            status = (await one.client.get("/health/ready")).status_code
        except (httpx.HTTPError, RuntimeError):  # RuntimeError: it was removed meanwhile
            status = 0
        one.leaves = one.leaves or (one.ready and status == 503)
        one.ready = status == 200


@dataclass(slots=True)
class Seen:
    """`answers`: by key the body of each 201. `wrong`: each request that failed, and how. `longest` in seconds."""

    answers: dict[str, bytes] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0


class Traffic:
    """Posts `batch`, complaint after complaint, and reads from every service, at `rate` posts and reads a second until
    `stop` is set. Nothing is sent a second time."""

    def __init__(self, balancer: Balancer, tokens: dict[str, str], batch: Sequence[Complaint], rate: float) -> None:
        self.seen = Seen()
        self.stop = asyncio.Event()
        self._balancer, self._batch, self._pause = balancer, batch, 1 / rate
        self._tokens = tokens
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def flow(self) -> None:
        """Until `stop`; raises IndexError when the batch was too small for that."""
        async with asyncio.TaskGroup() as group:
            for n in itertools.count():
                if self.stop.is_set():
                    return
                await self._room.acquire()
                group.create_task(self._post(self._batch[n]))
                await self._room.acquire()
                group.create_task(self._read(n))
                await asyncio.sleep(self._pause)

    async def _post(self, one: Complaint) -> None:
        key = {"Idempotency-Key": one.key}
        answer = await self._send("POST", "intake", "/v1/complaints", "channels", 201, json=one.body, headers=key)
        if answer is not None:
            self.seen.answers[one.key] = answer

    async def _read(self, n: int) -> None:
        service, path = _READS[n % len(_READS)]
        known = list(self.seen.answers.values())
        if "{id}" in path:
            if not known:
                self._room.release()
                return
            path = path.format(id=json.loads(known[n % len(known)])["id"])
        await self._send("GET", service, path, "auditor", 200)

    async def _send(
        self,
        method: str,
        service: str,
        path: str,
        who: str,
        wanted: int,
        *,
        headers: dict[str, str] | None = None,
        **how: Any,
    ) -> bytes | None:
        began, what = time.monotonic(), f"{method} {service} {path}"
        headers = {"Authorization": f"Bearer {self._tokens[who]}", **(headers or {})}
        try:
            if (instance := self._balancer.pick(service)) is None:
                self.seen.wrong.append(f"{what}: nobody is ready")
                return None
            instance.busy += 1
            try:
                answer = await instance.client.request(method, path, headers=headers, **how)
            finally:
                instance.busy -= 1
        except httpx.HTTPError as error:
            self.seen.wrong.append(f"{what} at {instance.url}: {type(error).__name__} {error}")
            return None
        finally:
            self._room.release()
            self.seen.asked[f"{method} {service}"] += 1
            self.seen.longest = max(self.seen.longest, time.monotonic() - began)
        if answer.status_code != wanted:
            self.seen.wrong.append(f"{what} at {instance.url}: {answer.status_code} {answer.text[:300]}")
            return None
        return answer.content
