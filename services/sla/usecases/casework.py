"""Hearing of a complaint: keep the fact, begin its clock, settle the steps that were taken."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.domain import clock as domain
from services.sla.domain.clock import Watch
from services.sla.domain.policy import Policies
from shared import audit, outbox
from shared.events import Event
from shared.ids import uuid7

ACTOR = "system:sla"


class Book:
    """The complaints that one batch of events is about, loaded and locked together, written together."""

    def __init__(self, watches: dict[str, Watch]) -> None:
        self._before = watches
        self._now = dict(watches)

    @classmethod
    async def open(cls, tx: AsyncSession, complaint_ids: Collection[str]) -> "Book":
        return cls(await store.take(tx, complaint_ids))

    def hear(self, tx: AsyncSession, event: Event, policies: Policies, *, grace: timedelta, now: datetime) -> None:
        """Apply one event and publish what follows from it. Raises UncountableTime."""
        known = self._now[event.complaint_id]
        watch = replace(known, facts=known.facts.learn(event))
        if watch.clock is not None:
            same = watch.facts.start == known.facts.start
            watch, moved = (watch, []) if same else domain.recount(watch, now=now)
            watch, met = domain.settle(watch)
            published = [*moved, *met]
        elif watch.facts.received_at is not None:
            watch, published = domain.begin(watch, policies, clock_id=uuid7(), now=now, grace=grace)
            _enter_start(tx, watch, now)
        else:
            published = []
        self._now[event.complaint_id] = watch
        for one in published:
            outbox.add(tx, one, now=now)

    async def save(self, tx: AsyncSession) -> None:
        await store.save(tx, self._before, self._now)


def _enter_start(tx: AsyncSession, watch: Watch, now: datetime) -> None:
    assert watch.clock is not None
    detail = {"pack": watch.clock.pack, "version": watch.clock.pack_version, "reason": watch.clock.pack_reason}
    audit.add(tx, ACTOR, "clock.started", watch.complaint_id, now=now, detail=detail)
