"""Facts and counters, taken for a unit of work and written back. Never commits."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain.fact import Fact
from services.reporting.domain.place import UNSTATED, Cell, place
from services.reporting.store.base import customers, deadlines, facts, read_model
from shared.db.bulk import bulk_update, driver, in_one_hop

_TALLY = "INSERT INTO tally (slot, series, day, code, count)"


async def slots(tx: AsyncSession, *, alone: bool = False) -> list[int]:
    """The slots that events are written to: the live one, and the one that is being built, if one is. They stay so
    until this unit of work ends; `alone`: nobody else writes events until then."""
    query = select(read_model.c.live, read_model.c.building).with_for_update(read=not alone)
    live, building = (await tx.execute(query)).one()
    return [live] if building is None else [live, building]


async def meet_customers(tx: AsyncSession, refs: Collection[str]) -> None:
    """Hold these persons for this unit of work, in order: whoever else brings a complaint of one of them waits."""
    if refs:
        statement = _insert(tx, customers)
        held = statement.on_conflict_do_update(
            index_elements=["customer_ref"], set_={"customer_ref": statement.excluded.customer_ref}
        )
        await tx.execute(held, [{"customer_ref": ref} for ref in sorted(refs)])


async def customers_of(tx: AsyncSession, ids: Collection[str]) -> set[str]:
    """Whose complaints these are, as far as anybody is known to be."""
    query = select(facts.c.customer_ref).where(facts.c.complaint_id.in_(ids), facts.c.customer_ref.is_not(None))
    return set((await tx.scalars(query)).all())


async def forget_customers(tx: AsyncSession, refs: Collection[str] | None = None) -> None:
    """Forget those of these persons, or of all, of whom no complaint is left that is theirs."""
    theirs = select(facts.c.slot).where(facts.c.customer_ref == customers.c.customer_ref)
    gone = delete(customers).where(~theirs.exists())
    await tx.execute(gone if refs is None else gone.where(customers.c.customer_ref.in_(refs)))


async def neighbours(
    tx: AsyncSession, slot: int, visits: Mapping[str, Sequence[datetime]], within: timedelta
) -> set[str]:
    """The complaints of persons, by `customer_ref`, that were received `within` of the times given."""
    found: set[str] = set()
    wanted = sorted(visits)
    for start in range(0, len(wanted), 200):
        near = or_(
            *(
                (facts.c.customer_ref == ref)
                & facts.c.received_at.between(min(visits[ref]) - within, max(visits[ref]) + within)
                for ref in wanted[start : start + 200]
            )
        )
        found |= set((await tx.scalars(select(facts.c.complaint_id).where(facts.c.slot == slot, near))).all())
    return found


async def hold(tx: AsyncSession, slot: int, ids: Collection[str]) -> dict[str, Fact]:
    """The facts of complaints `ids`, new where there were none, held for this transaction: whoever else would change
    one of them waits. All holders come by in the order of the ids, so none waits for another in a circle."""
    which = facts.c.slot == slot, facts.c.complaint_id.in_(sorted(set(ids)))
    there = set((await tx.scalars(select(facts.c.complaint_id).where(*which))).all())
    if lacking := sorted(set(ids) - there):
        blank = _row(slot, Fact(""), _UTC)
        rows = [{**blank, "complaint_id": id} for id in lacking]
        await tx.execute(_insert(tx, facts).on_conflict_do_nothing(), rows)
    query = select(facts.c.complaint_id, facts.c.known).where(*which)
    found = (await tx.execute(query.order_by(facts.c.complaint_id).with_for_update())).all()
    return {id: Fact.load(id, known) for id, known in found}


async def save(
    tx: AsyncSession, slot: int, changed: Sequence[Fact], before: Mapping[str, Fact], zone: ZoneInfo
) -> None:
    """Write `changed` facts, which are held, and those of their deadlines that were not so `before`."""
    if not changed:
        return
    changes = [tuple(_row(slot, fact, zone).values()) for fact in changed]
    await bulk_update(await tx.connection(), facts, _COLUMNS[:2], _COLUMNS[2:], changes)
    rows = [
        {
            "slot": slot,
            "complaint_id": fact.complaint_id,
            "key": key,
            "step": one.step,
            "rule": one.rule or UNSTATED,
            "kind": one.kind,
            "is_primary": one.primary,
            "result": one.result,
        }
        for fact in changed
        for key, one in sorted(fact.deadlines.items())
        if before[fact.complaint_id].deadlines.get(key) != one
    ]
    if rows:
        await _upsert(tx, deadlines, rows)


async def move(tx: AsyncSession, slot: int, changes: Mapping[Cell, int]) -> None:
    """Move the counters, cells in order: two that count at the same time never wait for each other in a circle."""
    if not changes:
        return
    connection = await tx.connection()
    added = "ON CONFLICT (slot, series, day, code) DO UPDATE SET count = tally.count + excluded.count"
    moved = sorted(changes.items())
    # past SQLAlchemy, since there are many cells to a batch: one statement, or one trip to SQLite's thread
    if connection.dialect.name == "sqlite":
        values = [(slot, cell.series, cell.day.isoformat(), cell.code, by) for cell, by in moved]
        await in_one_hop(connection, lambda raw: raw.executemany(f"{_TALLY} VALUES (?, ?, ?, ?, ?) {added}", values))
    else:
        cells = "SELECT $1::integer, * FROM unnest($2::text[], $3::date[], $4::text[], $5::bigint[])"
        columns = zip(*((*cell, by) for cell, by in moved), strict=True)
        await (await driver(connection)).execute(f"{_TALLY} {cells} {added}", slot, *columns)


_UTC = ZoneInfo("UTC")


def _row(slot: int, fact: Fact, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "slot": slot,
        "complaint_id": fact.complaint_id,
        "known": fact.dump(),
        "reference": fact.reference,
        "received_at": fact.received_at,
        "customer_ref": fact.customer_ref,
        **place(fact, zone)._asdict(),
    }


_COLUMNS = tuple(_row(0, Fact(""), _UTC))  # the first two are the key


async def _upsert(tx: AsyncSession, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    statement = _insert(tx, table)
    index = [c.name for c in table.primary_key]
    values = {c.name: c for c in statement.excluded if c.name not in index}
    await tx.execute(statement.on_conflict_do_update(index_elements=index, set_=values), rows)


def _insert(tx: AsyncSession, table: Table) -> Any:
    """An INSERT that may say what to do on conflict; SQLite and PostgreSQL say it alike, SQLAlchemy does not."""
    dialect = sqlite if tx.get_bind().dialect.name == "sqlite" else postgresql
    return dialect.insert(table)
