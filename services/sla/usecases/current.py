"""What a process goes by: the policy packs, every edition of the calendars that a clock may have been counted with, and
how long complaints take. Kept fresh from the database."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.domain import watching
from services.sla.domain.clock import SYSTEM, Watch
from services.sla.domain.foresight import foreseen
from services.sla.domain.handling import Estimates
from services.sla.domain.notice import NewNotice, Setup
from services.sla.domain.policy import Policies
from services.sla.domain.post import Directory, resolve_officer
from services.sla.store import editions
from services.sla.usecases import notices, posts
from shared import audit, outbox
from shared.db import Database
from shared.events import ClockMoved, Event

FRESH = timedelta(minutes=5)
_PAGE = 200


class Current:
    """One for each process. `policies` as loaded from the packs' files and the calendars' overrides."""

    def __init__(self, policies: Policies) -> None:
        self.policies = policies
        self.estimates = Estimates()
        self._kept: set[str] = set()
        self._seen_at: datetime | None = None

    async def refresh(self, db: Database, now: datetime) -> None:
        """Learn of editions that other processes have kept, and count estimates anew; at most every five minutes, or
        when the clock went back. Only reads, so that it may be called with a transaction under way."""
        if self._seen_at is not None and self._seen_at <= now < self._seen_at + FRESH:
            return
        async with db.reading() as session:
            known = await editions.known(session)
            others = await editions.editions(session, known - self.policies.editions.keys())
            self.estimates = Estimates.of(await editions.handling(session))
        self.policies = replace(self.policies, past={**self.policies.past, **others})
        self._kept |= known
        self._seen_at = now

    async def recall(self, session: AsyncSession, versions: Collection[str]) -> None:
        """Learn of these editions of calendars, if they are another process's."""
        if missing := set(versions) - self.policies.editions.keys():
            found = await editions.editions(session, missing)
            self.policies = replace(self.policies, past={**self.policies.past, **found})

    async def keep(self, tx: AsyncSession, versions: Collection[str], now: datetime) -> None:
        """Have these editions in the database before anything names them. They count as kept from the next refresh on,
        since `tx` may not commit."""
        if missing := set(versions) - self._kept:
            await editions.keep(tx, [self.policies.editions[v] for v in missing], now)


async def recalculate(db: Database, current: Current, setup: Setup, now: datetime) -> int:
    """Count provisional deadlines anew whose calendar has another edition now, a page in each transaction; how many
    complaints that moved."""
    moved, after = 0, ""
    while True:
        async with db.reading() as session:
            ids = await store.provisional(session, after, _PAGE)
        if not ids:
            return moved
        after = ids[-1]
        async with db.transaction() as tx:
            before = await store.take(tx, ids)
            now_are, entries, told = dict(before), [], []
            for id, watch in before.items():
                heard = watching.recalculate(watch, current.policies, now=now)
                now_are[id] = foreseen(heard.watch, watch, current.estimates)
                entries += heard.entries
                for event in heard.events:
                    outbox.add(tx, event, now=now)
                    audit.add(tx, SYSTEM, "clock.recalculated", id, now=now, detail={"cause": "calendar"})
                    told += _moved(heard.watch, watch, event, now)
                moved += bool(heard.entries)
            await current.keep(tx, {entry.calendar for _, entry in entries}, now)
            await store.save(tx, before, now_are, entries)
            directory = await posts.directory(tx, setup)
            await notices.add(tx, [to_officer(n, w, directory, now) for n, w in told], setup, directory=directory)


def _moved(after: Watch, before: Watch, event: Event, now: datetime) -> list[tuple[NewNotice, Watch]]:
    """What a recalculation tells the officers: each deadline that is another one now."""
    if not isinstance(event, ClockMoved):
        return []
    old = {s.name: s.due_at for c in before.clocks if c.id == event.clock_id for s in c.steps}
    facts = after.facts
    return [
        (
            NewNotice(
                kind="recalculated",
                complaint_id=after.complaint_id,
                step=step.name,
                level=0,
                due_at=step.due_at,
                was_due_at=old.get(step.name),
                department=facts.department,
                branch=facts.branch,
                reached=None,
                urgent=False,
                at=now,
                reference=facts.reference,
            ),
            after,
        )
        for step in event.steps
    ]


def to_officer(notice: NewNotice, watch: Watch, directory: Directory, now: datetime) -> NewNotice:
    """The notice, for whoever works on the complaint."""
    facts = watch.facts
    reached = resolve_officer(directory, facts.assignee, facts.department, facts.branch, now)
    return replace(notice, reached=reached)
