"""Hearing of a complaint: keep the fact, begin its clocks, settle the steps that were taken."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.domain import handling, watching
from services.sla.domain.clock import SYSTEM, Clock, Watch
from services.sla.domain.foresight import foreseen
from services.sla.domain.ledger import Entry
from services.sla.domain.watching import Heard
from services.sla.store import editions
from services.sla.usecases.current import Current
from shared import audit, outbox
from shared.events import ClockMet, Event
from shared.ids import uuid7

NOBODY, NOTHING = "none", "none"
"""The department and type of complaints that never had one, in the statistics of handling."""


class Book:
    """The complaints that one batch of events is about, loaded and locked together, written together."""

    def __init__(self, watches: dict[str, Watch], current: Current) -> None:
        self._current = current
        self._before = watches
        self._now = dict(watches)
        self._entries: list[tuple[str, Entry]] = []
        self._taken: Counter[tuple[str, str, int]] = Counter()

    @classmethod
    async def open(cls, tx: AsyncSession, complaint_ids: Collection[str], current: Current) -> "Book":
        watches = await store.take(tx, complaint_ids)
        await current.recall(tx, {c.calendar for w in watches.values() for c in w.clocks})
        return cls(watches, current)

    def hear(self, tx: AsyncSession, event: Event, *, grace: timedelta, now: datetime) -> None:
        """Apply one event and publish what follows from it. Raises UncountableTime."""
        known = self._now[event.complaint_id]
        heard = watching.hear(known, event, self._current.policies, new_id=uuid7, grace=grace, now=now)
        for clock in heard.begun:
            _enter_start(tx, event.complaint_id, clock, now)
        for one in heard.events:
            outbox.add(tx, one, now=now)
            if isinstance(one, ClockMet) and one.primary and one.step == "final":
                self._learn(heard.watch, one)
        self._keep(heard)

    def _keep(self, heard: Heard) -> None:
        self._entries.extend(heard.entries)
        self._now[heard.watch.complaint_id] = heard.watch

    def _learn(self, watch: Watch, met: ClockMet) -> None:
        facts = watch.facts
        if facts.start is not None:
            key = (facts.department or NOBODY, facts.category or NOTHING, handling.bucket(met.met_at - facts.start))
            self._taken[key] += 1

    async def save(self, tx: AsyncSession, now: datetime) -> None:
        after = {id: foreseen(w, self._before[id], self._current.estimates) for id, w in self._now.items()}
        await self._current.keep(tx, {entry.calendar for _, entry in self._entries}, now)
        await store.save(tx, self._before, after, self._entries)
        await editions.handled(tx, self._taken)


def _enter_start(tx: AsyncSession, complaint_id: str, clock: Clock, now: datetime) -> None:
    detail = {"clock": clock.id, "pack": clock.pack, "version": clock.pack_version, "reason": clock.reason}
    audit.add(tx, SYSTEM, "clock.started", complaint_id, now=now, detail=detail)
