"""What a process goes by: the policy packs, every edition of the calendars that a clock may have been counted with, and
how long complaints take. Kept fresh from the database."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store
from services.sla.domain import watching
from services.sla.domain.foresight import foreseen
from services.sla.domain.handling import Estimates
from services.sla.domain.policy import Policies
from services.sla.store import editions
from shared import audit, outbox
from shared.db import Database

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
        """Learn of editions that other processes have kept, keep our own, and count estimates anew; at most every five
        minutes, or when the clock went back."""
        if self._seen_at is not None and self._seen_at <= now < self._seen_at + FRESH:
            return
        async with db.reading() as session:
            known = await editions.known(session)
            others = await editions.editions(session, known - self.policies.editions.keys())
            self.estimates = Estimates.of(await editions.handling(session))
        self.policies = replace(self.policies, editions={**others, **self.policies.editions})
        if mine := [c for c in self.policies.calendars.values() if c.version not in known]:
            async with db.transaction() as tx:
                await editions.keep(tx, mine, now)
            known |= {c.version for c in mine}
        self._kept |= known
        self._seen_at = now

    async def recall(self, session: AsyncSession, versions: Collection[str]) -> None:
        """Learn of these editions of calendars, if they are another process's."""
        if missing := set(versions) - self.policies.editions.keys():
            found = await editions.editions(session, missing)
            self.policies = replace(self.policies, editions={**self.policies.editions, **found})

    async def keep(self, tx: AsyncSession, versions: Collection[str], now: datetime) -> None:
        """Have these editions in the database before anything names them. They count as kept from the next refresh on,
        since `tx` may not commit."""
        if missing := set(versions) - self._kept:
            await editions.keep(tx, [self.policies.editions[v] for v in missing], now)


async def recalculate(db: Database, current: Current, now: datetime) -> int:
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
            now_are, entries = dict(before), []
            for id, watch in before.items():
                heard = watching.recalculate(watch, current.policies, now=now)
                now_are[id] = foreseen(heard.watch, watch, current.estimates)
                entries += heard.entries
                for event in heard.events:
                    outbox.add(tx, event, now=now)
                    audit.add(tx, "system:sla", "clock.recalculated", id, now=now, detail={"cause": "calendar"})
                moved += bool(heard.entries)
            await store.save(tx, before, now_are, entries)
