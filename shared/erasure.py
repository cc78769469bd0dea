"""What every service does when a complaint has been erased: people's words, and what stands for the person, leave the
events that it keeps."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Table, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.cloudevents import Envelope
from shared.db import SystemTables
from shared.events import EVENTS, ComplaintErased, Event
from shared.inbox import Handle


def heeding(handle: Handle, types: frozenset[str], tables: SystemTables) -> Handle:
    """`handle`, which knows events of `types`, and afterwards `scrub` for each complaint that was erased."""

    async def both(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        if known := [event for event in events if event.type in types]:
            await handle(tx, known)
        for event in events:
            if event.type == ComplaintErased.type:
                await scrub(tx, tables, event.subject)

    return both


async def scrub(tx: AsyncSession, tables: SystemTables, complaint_id: str) -> int:
    """Blank what is erasable in a complaint's events in the outbox's archive and the parking lot; how many held any.

    The events themselves stay, and are replayed as any other: what was counted stays counted.
    """
    outbox, parked = tables.outbox, tables.parked
    found = await _rows(tx, outbox, outbox.c.seq, outbox.c.key == complaint_id)
    found += await _rows(tx, parked, parked.c.id, parked.c.subject == complaint_id)
    changed = 0
    for table, id, payload in found:
        without = blanked(payload)
        if without is not None:
            await tx.execute(update(table).where(table.primary_key.columns[0] == id).values(payload=without))
            changed += 1
    return changed


async def _rows(tx: AsyncSession, table: Table, id: Any, alike: Any) -> list[tuple[Table, Any, str]]:
    return [(table, row[0], row[1]) for row in (await tx.execute(select(id, table.c.payload).where(alike))).all()]


def blanked(payload: str) -> str | None:
    """`payload`, an event in JSON, without what is erasable; None where there is nothing, or where it is no event."""
    try:
        event = orjson.loads(payload)
        kind, data = EVENTS[event["type"]], event["data"]
        held = {name: _blank(kind, name) for name in kind.erasable if data.get(name)}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None
    if not held:
        return None
    event["data"] = data | held
    return orjson.dumps(event).decode()


def _blank(kind: type[Event], name: str) -> str | None:
    return "" if kind.model_fields[name].is_required() else None
