"""The slots of the read model: one is read, a second may be built beside it. Never commits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.store.base import counters, deadlines, facts, read_model

SLOTTED = (facts, deadlines, counters)
"""Tables whose rows belong to a slot."""


@dataclass(frozen=True, slots=True)
class Build:
    """A slot being built, by whoever began then: should another begin anew, the slot is the same but not the build."""

    slot: int
    began_at: datetime


async def of_build(tx: AsyncSession, build: Build, *, alone: bool = False) -> int | None:
    """The live slot, beside which this build goes on until this unit of work ends; None where it does no longer.
    `alone`: nobody else writes events until then."""
    columns = (read_model.c.live, read_model.c.building, read_model.c.began_at)
    live, *going = (await tx.execute(select(*columns).with_for_update(read=not alone))).one()
    return int(live) if going == [build.slot, build.began_at] else None


async def stop_building(tx: AsyncSession) -> int:
    """Have events written to the live slot alone; its number."""
    live: int = (await tx.execute(select(read_model.c.live).with_for_update())).scalar_one()
    await tx.execute(update(read_model).values(building=None, began_at=None))
    return live


async def start_building(tx: AsyncSession, build: Build) -> None:
    """Have events written to its slot as well, from this commit on."""
    await tx.execute(update(read_model).values(building=build.slot, began_at=build.began_at))


async def swap(tx: AsyncSession, slot: int) -> None:
    """Have `slot` read and written, and no other."""
    await tx.execute(update(read_model).values(live=slot, building=None, began_at=None, stale=False))


async def stale(session: AsyncSession) -> bool:
    """Whether the figures lack what only replaying the events can tell."""
    return bool((await session.execute(select(read_model.c.stale))).scalar_one())


async def lacking(tx: AsyncSession, live: int, slot: int, after: str, limit: int) -> list[str]:
    """Complaints whose receipt is known in `live` and not in `slot`, by id, the first `limit` that come `after`."""
    there = facts.alias("there")
    same = (there.c.slot == slot) & (there.c.complaint_id == facts.c.complaint_id) & there.c.day.is_not(None)
    query = select(facts.c.complaint_id).where(facts.c.slot == live, facts.c.day.is_not(None))
    query = query.where(facts.c.complaint_id > after, ~select(there.c.slot).where(same).exists())
    return list((await tx.scalars(query.order_by(facts.c.complaint_id).limit(limit))).all())


async def drop_some(tx: AsyncSession, table: Table, slot: int, limit: int) -> bool:
    """Delete some rows of a slot; whether there were any."""
    key = [*table.primary_key]
    some = select(*key).where(table.c.slot == slot).limit(limit)
    done: Any = await tx.execute(delete(table).where(tuple_(*key).in_(some)))
    return bool(done.rowcount)
