"""The background process of a service: consumers, outbox relay, timers, heartbeat. One shape for all four."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import structlog

from shared import __version__, erasure, metrics
from shared.bus import Bus
from shared.clock import Clock
from shared.db import Database
from shared.events import TOPICS, ComplaintErased, StaffSignedOut
from shared.inbox import Consumer, Handle
from shared.relay import Relay
from shared.security import ended
from shared.serve import settle_memory

log = structlog.get_logger()

LISTEN_AGAIN = 5.0  # seconds after a listener has failed


@dataclass(frozen=True, slots=True)
class Timer:
    """Something to do every `every` seconds, beginning at once. A failure is logged and tried again."""

    name: str
    every: float
    run: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Consumes:
    """What a service listens to: `services` whose topics it reads, `types` of events that `handle` knows."""

    services: tuple[str, ...]
    types: frozenset[str]
    handle: Handle


class Worker:
    """Runs one service's background work. `bus` is shared with other services only in the embedded default. Each of
    `listeners` serves a protocol until it is cancelled."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        clock: Clock,
        *,
        consumes: Consumes | None,
        timers: Sequence[Timer] = (),
        listeners: Sequence[Callable[[], Awaitable[None]]] = (),
        retention_days: int = 90,
        max_parked: int = 1000,
    ) -> None:
        self.db = db
        self.bus = bus
        if consumes is not None:
            heeding = erasure.heeding(consumes.handle, consumes.types, db.tables)
            types = consumes.types | {ComplaintErased.type}
            heeding = ended.heeding(heeding, types, db.tables)
            consumes = Consumes(consumes.services, types | {StaffSignedOut.type}, heeding)
        self.consumes = consumes
        self._clock = clock
        self._relay = Relay(db, bus, TOPICS[db.service], clock)
        prune = Timer("prune", 3600, lambda: self._relay.prune(clock() - timedelta(days=retention_days)))
        self._listeners = listeners
        self._timers = (*timers, Timer("heartbeat", 2, self._beat), prune)
        self._measured: set[tuple[str, str]] = set()
        self.process = f"{db.service}@{socket.gethostname()[:30]}"
        if consumes is not None:
            consumer = Consumer(db, consumes.handle, consumes.types, clock, max_parked=max_parked)
            bus.subscribe(db.service, [TOPICS[s] for s in consumes.services], consumer.process)

    async def run(self) -> None:
        """Work until cancelled. The caller starts and stops the bus."""
        jobs = [self._relay.run(), *(self._every(timer) for timer in self._timers)]
        jobs += [self._listen(listener) for listener in self._listeners]
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)

    async def _every(self, timer: Timer) -> None:
        while True:
            try:
                await timer.run()
            except Exception as error:
                log.warning("timer.failed", service=self.db.service, timer=timer.name, error=type(error).__name__)
            await asyncio.sleep(timer.every)

    async def _listen(self, listener: Callable[[], Awaitable[None]]) -> None:
        """Keep `listener`, which serves until cancelled, alive: a port that is taken must not stop the other work."""
        while True:
            try:
                await listener()
            except Exception as error:
                log.error("listener.failed", service=self.db.service, error=type(error).__name__)
            await asyncio.sleep(LISTEN_AGAIN)

    async def _beat(self) -> None:
        """Tell the HTTP processes, through the database, that this worker lives and how its bus is."""
        state = self.bus.status()
        lag: dict[str, Any] = state.get("lag", {}).get(self.db.service, {})
        partitions = state.get("partitions", {}).get(self.db.service, {})
        self._measure(partitions)
        told = {"version": __version__, "pid": os.getpid(), "lag": lag, "partitions": partitions, "bus": _brief(state)}
        detail = orjson.dumps(told, option=orjson.OPT_NON_STR_KEYS).decode()
        table = self.db.tables.heartbeat
        async with self.db.transaction() as tx:
            done: Any = await tx.execute(
                table.update().where(table.c.process == self.process).values(at=self._clock(), detail=detail)
            )
            if done.rowcount == 0:
                await tx.execute(table.insert().values(process=self.process, at=self._clock(), detail=detail))

    def _measure(self, partitions: dict[str, dict[int, int]]) -> None:
        now = {(topic, str(n)): behind for topic, of in partitions.items() for n, behind in of.items()}
        for topic, number in self._measured - now.keys():  # another worker's now
            metrics.consumer_lag.remove(self.db.service, topic, number)
        for (topic, number), behind in now.items():
            metrics.consumer_lag.labels(self.db.service, topic, number).set(behind)
        self._measured = set(now)


def _brief(state: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in state.items() if k in ("ok", "kind", "reason")}


async def run_until_cancelled(workers: Sequence[Worker], bus: Bus) -> None:
    """Start the bus, run `workers`, stop the bus."""
    await bus.start()
    settle_memory()
    try:
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker.run())
    finally:
        with contextlib.suppress(Exception):
            await bus.stop()
