"""Hearing of a complaint: keep the fact, begin its clocks, settle the steps that were taken."""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.domain import handling, watching
from services.sla.domain.clock import SYSTEM, Clock, Step, Watch
from services.sla.domain.handling import Estimates
from services.sla.domain.ledger import Entry
from services.sla.domain.policy import Policies
from services.sla.domain.watching import Heard
from services.sla.store import editions
from shared import audit, outbox
from shared.events import ClockMet, Event
from shared.ids import uuid7

_WORKED = frozenset(("resolve", "interim", "final"))
"""Steps that are reached only by handling the complaint; others take no more than a word."""
NOBODY, NOTHING = "none", "none"
"""The department and type of complaints that never had one, in the statistics of handling."""


class Book:
    """The complaints that one batch of events is about, loaded and locked together, written together."""

    def __init__(self, watches: dict[str, Watch], estimates: Estimates) -> None:
        self._before = watches
        self._now = dict(watches)
        self._entries: list[tuple[str, Entry]] = []
        self._taken: Counter[tuple[str, str, int]] = Counter()
        self._estimates = estimates

    @classmethod
    async def open(cls, tx: AsyncSession, complaint_ids: Collection[str], estimates: Estimates) -> "Book":
        return cls(await store.take(tx, complaint_ids), estimates)

    def hear(self, tx: AsyncSession, event: Event, policies: Policies, *, grace: timedelta, now: datetime) -> None:
        """Apply one event and publish what follows from it. Raises UncountableTime."""
        known = self._now[event.complaint_id]
        heard = watching.hear(known, event, policies, new_id=uuid7, grace=grace, now=now)
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

    async def save(self, tx: AsyncSession) -> None:
        after = {id: foreseen(w, self._before[id], self._estimates) for id, w in self._now.items()}
        await store.save(tx, self._before, after, self._entries)
        await editions.handled(tx, self._taken)


def foreseen(watch: Watch, before: Watch, estimates: Estimates) -> Watch:
    """The complaint with the moments by which work must begin, where they may have changed."""
    same = (watch.facts.department, watch.facts.category) == (before.facts.department, before.facts.category)
    if watch is before or (same and watch.clocks == before.clocks):
        return watch
    expected = estimates.expected(watch.facts.department, watch.facts.category)

    def begun_by(step: Step) -> Step:
        at = step.due_at - expected if expected is not None and step.name in _WORKED else step.due_at
        at = max(at, step.line.since)
        return step if step.act_by == at or not step.open else replace(step, act_by=at)

    clocks = []
    for clock in watch.clocks:
        steps = tuple(map(begun_by, clock.steps))
        changed = any(new is not old for new, old in zip(steps, clock.steps, strict=True))
        clocks.append(replace(clock, steps=steps) if changed else clock)
    return replace(watch, clocks=tuple(clocks))


def _enter_start(tx: AsyncSession, complaint_id: str, clock: Clock, now: datetime) -> None:
    detail = {"clock": clock.id, "pack": clock.pack, "version": clock.pack_version, "reason": clock.reason}
    audit.add(tx, SYSTEM, "clock.started", complaint_id, now=now, detail=detail)
