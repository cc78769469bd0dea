"""A bank's channels as they ought to behave: each complaint has its key and is sent until the desk has taken it."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from tests.chaos.scale import PATIENCE

CONCURRENT = 16
_PATIENCE = 120.0 * PATIENCE  # seconds after which a complaint that is still not taken counts as lost
_CHANNELS = ("phone", "web_chat", "mobile", "web_form", "email", "letter", "branch", "social", "regulator")
_SAID = (
    ("en", "The mobile app was down all morning and I could not pay my credit card bill. Case {n}."),
    ("en", "The counter staff were rude and made me wait for two hours. Visit {n}."),
    ("en", "I was charged an annual fee for a card that I had cancelled. Statement {n}."),
    ("zh-Hant", "分行職員態度惡劣,等候超過兩小時仍未處理。第{n}次。"),
    ("zh-Hant", "手機銀行系統故障,轉賬失敗但已扣款。編號{n}。"),
    ("zh-Hans", "信用卡被收取不合理的年费,客服多次推诿。第{n}笔。"),
    ("zh-Hans", "理财产品的风险没有说明清楚,亏损后无人解释。第{n}期。"),
)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a channel sends and the key under which it sends it, however often."""

    key: str
    body: dict[str, Any]


def complaints(count: int, rng: random.Random, *, series: str) -> list[Complaint]:
    """`count` different complaints without a word of personal data; `series` keeps their keys apart from others'."""
    made = []
    for n in range(count):
        language, said = rng.choice(_SAID)
        body: dict[str, Any] = {
            "channel": rng.choice(_CHANNELS),
            "narrative": said.format(n=n),
            "complainant": {"anonymous": True},
            "language": language,
        }
        if rng.random() < 0.3:
            body["channel_ref"] = f"{series}-{n}"
        made.append(Complaint(f"{series}-{n}", body))
    return made


@dataclass(slots=True)
class Told:
    """What the desk answered: by key the body of its 201, the tries that failed by their cause, and what it must never
    answer."""

    answers: dict[str, bytes] = field(default_factory=dict)
    retries: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def taken(self) -> int:
        return len(self.answers)


class Channels:
    """Sends complaints to the intake at `url`, `CONCURRENT` at once, each again and again until it is taken.

    A complaint in `again` out of a hundred is sent once more after it was taken: it must answer the same bytes.
    """

    def __init__(self, url: str, token: str, rng: random.Random, *, again: int = 5) -> None:
        self.told = Told()
        self._rng = rng
        self._again = again / 100
        self._waiting: asyncio.Queue[Complaint] = asyncio.Queue()
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(20, connect=2),
            limits=httpx.Limits(max_connections=CONCURRENT, max_keepalive_connections=CONCURRENT),
        )
        self._senders: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._senders = [asyncio.create_task(self._send()) for _ in range(CONCURRENT)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        await self._client.aclose()

    def post(self, batch: Iterable[Complaint]) -> None:
        """Have these sent; `finished` waits for them."""
        for one in batch:
            self._waiting.put_nowait(one)

    async def finished(self) -> None:
        await self._waiting.join()

    async def try_once(self, one: Complaint) -> httpx.Response:
        """A single try, whatever comes of it. Raises httpx.HTTPError when nobody answers."""
        return await self._client.post("/v1/complaints", json=one.body, headers={"Idempotency-Key": one.key})

    async def _send(self) -> None:
        while True:
            one = await self._waiting.get()
            try:
                await self._until_taken(one)
                if self._rng.random() < self._again:
                    await self._until_taken(one)
            finally:
                self._waiting.task_done()

    async def _until_taken(self, one: Complaint) -> None:
        pause, until = 0.05, time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            try:
                response = await self.try_once(one)
            except httpx.HTTPError as error:
                self.told.retries[type(error).__name__] += 1
            else:
                if response.status_code == 201:
                    first = self.told.answers.setdefault(one.key, response.content)
                    if first != response.content:
                        self.told.wrong.append(f"{one.key} was answered in two ways")
                    return
                self.told.retries[str(response.status_code)] += 1
                if problem := _no_honest_503(response):
                    self.told.wrong.append(f"{one.key}: {problem}")
                    return
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1))
            pause = min(pause * 2, 1.0)
        self.told.wrong.append(f"{one.key} was not taken within {_PATIENCE:.0f} s")


def _no_honest_503(response: httpx.Response) -> str | None:
    """What is wrong with an answer that is no 201; None for a problem that says 'not now'."""
    kind = response.headers.get("content-type")
    if response.status_code != 503:
        return f"answered {response.status_code}: {response.text[:300]}"
    if kind != "application/problem+json" or "retry-after" not in response.headers:
        return f"a 503 of type {kind} without what it needs: {dict(response.headers)}"
    return None


def portions(batch: Sequence[Complaint], count: int) -> list[Sequence[Complaint]]:
    """`batch` in `count` parts that differ by at most one."""
    edges = [round(len(batch) * i / count) for i in range(count + 1)]
    return [batch[a:b] for a, b in itertools.pairwise(edges)]
