"""Facts and counters, taken for a unit of work and written back. Never commits."""

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain.fact import Fact
from services.reporting.domain.place import UNSTATED, Cell, place
from services.reporting.store.base import counters, customers, deadlines, facts, read_model, terms
from shared.db.bulk import driver, in_one_hop

_BLANK = "{}"
_TERMS = "INSERT INTO term_count (slot, day, term, count)"
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
    ordered = sorted(set(ids))
    blank = _insert(tx, facts).on_conflict_do_nothing()
    await tx.execute(blank, [_row(slot, Fact(id), _UTC) for id in ordered])
    query = select(facts.c.complaint_id, facts.c.known)
    query = query.where(facts.c.slot == slot, facts.c.complaint_id.in_(ordered))
    found = (await tx.execute(query.order_by(facts.c.complaint_id).with_for_update())).all()
    return {id: Fact.load(id, known) for id, known in found}


async def save(
    tx: AsyncSession, slot: int, changed: Sequence[Fact], before: Mapping[str, Fact], zone: ZoneInfo
) -> None:
    """Write `changed` facts, which are held, and those of their deadlines that were not so `before`."""
    if not changed:
        return
    await _upsert(tx, facts, 2, [_row(slot, fact, zone) for fact in changed])
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
        await _upsert(tx, deadlines, 3, rows)


async def move(tx: AsyncSession, slot: int, changes: Mapping[Cell, int]) -> None:
    """Move the counters, cells in order: two that count at the same time never wait for each other in a circle."""
    rows = [(slot, *cell, by) for cell, by in sorted(changes.items())]
    await _add(tx, counters, _TALLY, "slot, series, day, code", ("integer", "text", "date", "text", "bigint"), rows)


async def count_terms(tx: AsyncSession, slot: int, found: Mapping[tuple[Any, str], int]) -> None:
    """Add to in how many complaints of a day a term occurs; `found` is by day and term."""
    rows = [(slot, day, term, by) for (day, term), by in sorted(found.items())]
    await _add(tx, terms, _TERMS, "slot, day, term", ("integer", "date", "text", "integer"), rows)


async def _add(
    tx: AsyncSession, table: Table, into: str, keys: str, types: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Add the last value of each row to the `count` of its cell. There are many cells to a batch: in one statement on
    PostgreSQL, in one trip to SQLite's thread."""
    if not rows:
        return
    connection = await tx.connection()
    added = f"ON CONFLICT ({keys}) DO UPDATE SET count = {table.name}.count + excluded.count"
    if connection.dialect.name == "sqlite":
        values = [tuple(v if isinstance(v, int | str) else v.isoformat() for v in row) for row in rows]
        sql = f"{into} VALUES ({', '.join('?' * len(types))}) {added}"
        await in_one_hop(connection, lambda raw: _many(raw, sql, values))
    else:
        arrays = ", ".join(f"${i}::{kind}[]" for i, kind in enumerate(types, 1))
        sql = f"{into} SELECT * FROM unnest({arrays}) {added}"  # noqa: S608
        await (await driver(connection)).execute(sql, *zip(*rows, strict=True))


def _many(raw: sqlite3.Connection, sql: str, values: Iterable[tuple[Any, ...]]) -> None:
    raw.executemany(sql, values)


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


async def _upsert(tx: AsyncSession, table: Table, keys: int, rows: Sequence[dict[str, Any]]) -> None:
    statement = _insert(tx, table)
    index = [c.name for c in table.primary_key]
    assert len(index) == keys
    values = {c.name: c for c in statement.excluded if c.name not in index}
    await tx.execute(statement.on_conflict_do_update(index_elements=index, set_=values), rows)


def _insert(tx: AsyncSession, table: Table) -> Any:
    """An INSERT that may say what to do on conflict; SQLite and PostgreSQL say it alike, SQLAlchemy does not."""
    dialect = sqlite if tx.get_bind().dialect.name == "sqlite" else postgresql
    return dialect.insert(table)
