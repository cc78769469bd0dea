"""The in-process bus of the embedded default. Durable because the outbox is: a message counts as taken only when every
subscribed group has handled it, and the relay sends it again until then."""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog

from shared.bus import Handler, Message

log = structlog.get_logger()


class LocalBus:
    """See `shared.bus` for the contract."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[str, frozenset[str], Handler]] = []
        self._failing: dict[str, str] = {}

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def subscribe(self, group: str, topics: Sequence[str], handler: Handler) -> None:
        self._subscribers.append((group, frozenset(topics), handler))

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        done = await asyncio.gather(
            *(
                self._deliver(group, handler, wanted)
                for group, topics, handler in self._subscribers
                if (wanted := [m for m in messages if m.topic in topics])
            )
        )
        return [all(done)] * len(messages)

    async def _deliver(self, group: str, handler: Handler, messages: Sequence[Message]) -> bool:
        try:
            await handler(messages)
        except Exception as error:  # the handler's service is unwell; the relay comes again
            self._failing[group] = type(error).__name__
            log.warning("bus.delivery_failed", group=group, error=type(error).__name__)
            return False
        self._failing.pop(group, None)
        return True

    def status(self) -> dict[str, Any]:
        reasons = [f"{group}: {error}" for group, error in self._failing.items()]
        return {
            "ok": not reasons,
            "kind": "in-process",
            "lag": {},
            **({"reason": "; ".join(reasons)} if reasons else {}),
        }
