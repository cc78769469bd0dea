"""The bus: how events travel between services. Two implementations under one contract: in-process and Kafka.

Obligations, proven by one test suite on both:
- `publish` answers, for each message, whether it is durably taken. A message that was not taken is never followed by
  a taken one of the same key from the same call: order per key holds when the caller sends the rest again.
- Every subscribed group gets every message at least once, those of one key in the order of publishing.
- A handler that returns has made its effect durable; one that raises gets the same messages again, later.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """What travels: `key` is the complaint's id, `value` an event in CloudEvents JSON. `position`: where it lay."""

    topic: str
    key: str
    value: bytes
    position: str = field(default="", compare=False)


Handler = Callable[[Sequence[Message]], Awaitable[None]]


class Bus(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        """Publish `messages` in order; for each, whether it is durably taken. Does not raise when the bus is away."""
        ...

    def subscribe(self, group: str, topics: Sequence[str], handler: Handler) -> None:
        """Have `handler` called with batches of `topics` on behalf of `group`. Call before `start`."""
        ...

    def status(self) -> dict[str, Any]:
        """For health and metrics: `ok`, `reason` when not, and `lag` (messages not yet handled) by group and topic."""
        ...


def waves(messages: Sequence[Message]) -> list[list[int]]:
    """Indexes of `messages` in rounds, each key at most once a round: the n-th message of a key is in the n-th round.

    Sending round by round, and leaving out a key once it failed, keeps order per key whatever the transport does.
    """
    seen: dict[str, int] = {}
    rounds: list[list[int]] = []
    for i, message in enumerate(messages):
        nth = seen.get(message.key, 0)
        seen[message.key] = nth + 1
        if nth == len(rounds):
            rounds.append([])
        rounds[nth].append(i)
    return rounds
