"""Looking again and again, so that the page can say since when: in this process's memory, gone with it."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from deploy.health import samples
from deploy.health.alarms import Alarm, alarms
from deploy.health.kinds import Kind
from deploy.health.samples import Series
from deploy.health.survey import Source, measure, survey
from shared.clock import Clock

log = structlog.get_logger()
LOOKS_EVERY = 5.0  # seconds
MEASURES_EVERY = 10.0
FRESH = 1.0  # seconds for which what was seen serves whoever else asks
OVER_KEPT = 10
_TOGETHER = timedelta(minutes=1)

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm and since when it stands; `at_least` when it stood already as this process first looked."""

    alarm: Alarm
    since: datetime
    at_least: bool


@dataclass(frozen=True, slots=True)
class Over:
    """What stands no more: an alarm of these services, from when to when."""

    kind: Kind
    services: tuple[str, ...]
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen at a moment: every service's report, and the alarms, the worst first."""

    at: datetime
    survey: dict[str, Any]
    standing: tuple[Standing, ...]
    over: tuple[Over, ...]


class Watch:
    """Keeps an eye on `sources`."""

    def __init__(
        self, sources: Mapping[str, Source], clock: Clock, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.sources = sources
        self.series = {name: Series() for name in sources}
        self._clock = clock
        self._monotonic = monotonic
        self._known: dict[Key, Standing] = {}
        self._over: deque[Over] = deque(maxlen=OVER_KEPT)
        self._seen: Seen | None = None
        self._seen_at = 0.0
        self._looking = asyncio.Lock()

    async def look(self) -> Seen:
        """How all are at this moment; asked at most once a second, however many people look."""
        async with self._looking:
            if self._seen is None or self._monotonic() - self._seen_at > FRESH:
                found = await survey(self.sources)
                self._seen = self._remember(found, self._clock())
                self._seen_at = self._monotonic()
            return self._seen

    async def measure(self) -> None:
        """Read every service's counters."""
        texts = await asyncio.gather(*(measure(source, samples.NAMES) for source in self.sources.values()))
        for (name, series), text in zip(self.series.items(), texts, strict=True):
            if text is not None:
                series.add(samples.read(text, name, self._monotonic()))

    async def run(self) -> None:
        """Look and measure until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(LOOKS_EVERY, self.look))
            group.create_task(self._every(MEASURES_EVERY, self.measure))

    async def _every(self, seconds: float, do: Callable[[], Any]) -> None:
        while True:
            await asyncio.sleep(seconds)  # first of all: those that start together with the desk are not up yet
            try:
                await do()
            except Exception as error:
                log.warning("health.look_failed", error=type(error).__name__)

    def _remember(self, found: dict[str, Any], now: datetime) -> Seen:
        first = self._seen is None
        present = {
            alarm.key: alarm
            for name, report in found["services"].items()
            for alarm in alarms(name, report, self.series[name].lately(), now)
        }
        unknown = {name for name, report in found["services"].items() if not report["checks"].get("outbox")}
        for key, standing in list(self._known.items()):
            if key in present or (standing.alarm.service in unknown and key[0] not in _OF_ITSELF):
                continue  # nobody can say now that it is over
            del self._known[key]
            self._ended(standing, now)
        for key, alarm in present.items():
            before = self._known.get(key)
            since = min(t for t in (before and before.since, alarm.since, now) if t)
            at_least = before.at_least if before else first and alarm.since is None
            self._known[key] = Standing(alarm, since, at_least)
        return Seen(now, found, tuple(self._known[key] for key in present), tuple(self._over))

    def _ended(self, standing: Standing, now: datetime) -> None:
        """Services that recover one soon after the other recover from one thing."""
        kind, since = standing.alarm.kind, standing.since
        services: tuple[str, ...] = (standing.alarm.service,)
        for one in self._over:
            if one.kind is kind and now - one.until < _TOGETHER:
                services = tuple(name for name in self.sources if name in {*one.services, *services})
                since = min(since, one.since)
                self._over.remove(one)
                break
        self._over.appendleft(Over(kind, services, since, now))


_OF_ITSELF = frozenset(("service_down", "database_away"))
"""Alarms that end as soon as the service says otherwise; of all others nothing is known while it does not answer."""


@asynccontextmanager
async def watching(watch: Watch) -> AsyncIterator[None]:
    """`watch` runs meanwhile."""
    task = asyncio.create_task(watch.run(), name="watch-health")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
