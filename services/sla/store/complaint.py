"""Complaints with their clocks, taken for a unit of work and written back."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.domain.clock import Clock, Step, Watch
from services.sla.domain.ledger import Entry
from services.sla.store.base import CLOCK, COMPLAINT, ENTRY, STEP
from services.sla.store.mapping import (
    CLOCK_COLUMNS,
    ENTRY_COLUMNS,
    FACTS,
    FIRED,
    MOVING,
    STEP_COLUMNS,
    TURNING,
    clock_values,
    entry_of,
    entry_values,
    facts_values,
    step_values,
    watches,
)
from shared.db.bulk import bulk_insert, bulk_update


async def take(tx: AsyncSession, complaint_ids: Collection[str]) -> dict[str, Watch]:
    """These complaints, locked for this unit of work; one that is new here begins with nothing known.

    Four statements, however many complaints. First every row is made that is not there: whoever brings the first
    event of a complaint at the same moment waits here for the other, so that neither misses the other's fact.
    """
    ids = sorted(complaint_ids)
    insert = sqlite.insert if tx.get_bind().dialect.name == "sqlite" else postgresql.insert
    blank = [{"complaint_id": id, "imported": False} for id in ids]
    await tx.execute(insert(COMPLAINT).on_conflict_do_nothing(), blank)
    return await _locked(tx, ids)


async def locked(tx: AsyncSession, complaint_id: str) -> Watch | None:
    """One complaint whose clocks have begun, locked for this unit of work."""
    found = (await _locked(tx, [complaint_id])).get(complaint_id)
    return found if found and found.clocks else None


async def _locked(tx: AsyncSession, ids: Sequence[str]) -> dict[str, Watch]:
    heads = select(COMPLAINT).where(COMPLAINT.c.complaint_id.in_(ids)).order_by(COMPLAINT.c.complaint_id)
    clocks = select(CLOCK).where(CLOCK.c.complaint_id.in_(ids)).order_by(CLOCK.c.clock_id)
    steps = select(STEP).where(STEP.c.complaint_id.in_(ids)).order_by(STEP.c.clock_id, STEP.c.name)
    found = [(await tx.execute(query.with_for_update())).mappings().all() for query in (heads, clocks, steps)]
    return watches(*found)


async def save(
    tx: AsyncSession,
    before: Mapping[str, Watch],
    after: Mapping[str, Watch],
    entries: Iterable[tuple[str, Entry]] = (),
) -> None:
    """Write what has changed between `before`, as taken, and `after`, and the ledgers' new rows: a number of statements
    that does not depend on how many they are."""
    connection = await tx.connection()
    changed = [w for id, w in after.items() if w is not before[id]]
    heads = [(w.complaint_id, *facts_values(w.facts)) for w in changed if w.facts != before[w.complaint_id].facts]
    await bulk_update(connection, COMPLAINT, ("complaint_id",), FACTS, heads)
    fresh: list[dict[str, Any]] = []
    turned: list[dict[str, Any]] = []
    new_steps: list[dict[str, Any]] = []
    moved: list[tuple[str, Step]] = []
    for watch in changed:
        known = {c.id: c for c in before[watch.complaint_id].clocks}
        for clock in watch.clocks:
            old = known.get(clock.id)
            if old is None:
                fresh.append(clock_values(watch.complaint_id, clock))
                new_steps.extend(_new_step(watch.complaint_id, clock, s) for s in clock.steps)
            elif old is not clock:
                turned.append(clock_values(watch.complaint_id, clock))
                pairs = zip(old.steps, clock.steps, strict=True)
                moved.extend((clock.id, new) for was, new in pairs if new is not was and new != was)
    await bulk_insert(connection, CLOCK, CLOCK_COLUMNS, [tuple(row[c] for c in CLOCK_COLUMNS) for row in fresh])
    rows = [tuple(row[c] for c in ("clock_id", *TURNING)) for row in turned]
    await bulk_update(connection, CLOCK, ("clock_id",), TURNING, rows)
    await bulk_insert(connection, STEP, STEP_COLUMNS, [tuple(row[c] for c in STEP_COLUMNS) for row in new_steps])
    rows = [(clock_id, step.name, *_moving(step_values(step))) for clock_id, step in moved]
    await bulk_update(connection, STEP, ("clock_id", "name"), MOVING, rows)
    await bulk_insert(connection, ENTRY, ENTRY_COLUMNS, [entry_values(id, entry) for id, entry in entries])


async def save_fired(tx: AsyncSession, steps: Iterable[tuple[str, Step]]) -> None:
    """Write where steps, each with its clock's id, have come to by firing."""
    rows = [(clock_id, step.name, *_fired(step)) for clock_id, step in steps]
    await bulk_update(await tx.connection(), STEP, ("clock_id", "name"), FIRED, rows)


_moving = itemgetter(*MOVING)
_fired = attrgetter(*FIRED)


def _new_step(complaint_id: str, clock: Clock, step: Step) -> dict[str, Any]:
    return {"clock_id": clock.id, "complaint_id": complaint_id, **step_values(step)}


async def ledger(session: AsyncSession, clock_ids: Collection[str]) -> dict[str, list[Entry]]:
    """The rows of these clocks' ledgers, each in order."""
    query = select(ENTRY).where(ENTRY.c.clock_id.in_(clock_ids)).order_by(ENTRY.c.clock_id, ENTRY.c.seq)
    found: dict[str, list[Entry]] = {id: [] for id in clock_ids}
    for row in (await session.execute(query)).mappings():
        found[row["clock_id"]].append(entry_of(row))
    return found
