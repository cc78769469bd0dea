"""The read model built anew from events, beside the live one, and put in its place.

While a slot is being built, consumers write what they hear into both (`record.record`), so nothing that happens
meanwhile is missed; what happened before is replayed. Facts take each event as often as it comes and in any order, so
the two meet without a seam. Readers see the live slot, whole, until one statement makes the other the live one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting import store
from services.reporting.domain.fact import HEARD
from services.reporting.domain.place import change
from services.reporting.store import Build
from services.reporting.usecases.record import record_in, who
from shared.cloudevents import Envelope, Undecodable, decode
from shared.db import Database, is_outage
from shared.errors import Conflict

log = structlog.get_logger()
BATCH = 1000


class AnotherRebuild(Conflict):
    """The slot that was being built is no longer: another rebuild has begun since."""

    code = "another_rebuild"


@dataclass(slots=True)
class Done:
    """`replayed` events; `kept` complaints whose receipt is no longer among the events, taken over as they were;
    `skipped` events that could not be applied, as ids (the live read model has them parked, or never had them)."""

    replayed: int = 0
    kept: int = 0
    skipped: list[str] = field(default_factory=list)


async def begin(db: Database, *, now: datetime) -> Build:
    """Have consumers write into a second, empty slot as well. One that was left half built is dropped, and whoever is
    still at it hears AnotherRebuild."""
    async with db.transaction() as tx:
        live = await store.stop_building(tx)
    build = Build(1 - live, now)
    await clear(db, build.slot)
    async with db.transaction() as tx:
        await store.start_building(tx, build)
    return build


async def replay(db: Database, build: Build, payloads: Sequence[str | bytes], zone: ZoneInfo, done: Done) -> None:
    """Apply events, as CloudEvents JSON, to the slot being built. Those of a batch that fails are tried one by one.
    Raises AnotherRebuild."""
    events = []
    for payload in payloads:
        try:
            event = decode(payload.encode() if isinstance(payload, str) else payload)
        except Undecodable:
            done.skipped.append("undecodable")
            continue
        if event.type in HEARD:
            events.append(event)
    try:
        await _apply(db, build, events, zone)
    except Exception as error:
        if is_outage(error) or isinstance(error, AnotherRebuild):
            raise
        for event in events:
            try:
                await _apply(db, build, [event], zone)
            except Exception as error:
                if is_outage(error) or isinstance(error, AnotherRebuild):
                    raise
                log.warning("rebuild.skipped", event_id=event.id, error=type(error).__name__)
                done.skipped.append(event.id)
    done.replayed += len(payloads)


async def _apply(db: Database, build: Build, events: Sequence[Envelope], zone: ZoneInfo) -> None:
    async with db.transaction() as tx:
        await _still(tx, build)
        await store.meet_customers(tx, {ref for event in events if (ref := who(event))})
        await record_in(tx, build.slot, events, zone)


async def keep(db: Database, build: Build, zone: ZoneInfo, done: Done) -> None:
    """Take over the complaints of which the receipt is not among the events any more: outboxes and topics are kept for
    a time, figures for good."""
    after = ""
    while True:
        async with db.transaction() as tx:
            live = await _still(tx, build)
            ids = await store.lacking(tx, live, build.slot, after, BATCH)
            if not ids:
                return
            facts = await store.hold(tx, live, ids)
            before = await store.hold(tx, build.slot, ids)
            await store.save(tx, build.slot, list(facts.values()), before, zone)
            await store.move(tx, build.slot, change(((before[id], facts[id]) for id in ids), zone))
        done.kept += len(ids)
        after = ids[-1]


async def finish(db: Database, build: Build) -> None:
    """Make the slot the live one, and take the other down."""
    async with db.transaction() as tx:
        await _still(tx, build, alone=True)
        await store.swap(tx, build.slot)
    await clear(db, 1 - build.slot)
    async with db.transaction() as tx:
        await store.forget_customers(tx)  # topics may still tell of people whose complaints are erased


async def clear(db: Database, slot: int) -> None:
    """Empty a slot that is neither live nor being built, bit by bit, so that nobody waits for it; where another rebuild
    has begun in it meanwhile, what is left is that one's."""
    for table in store.SLOTTED:
        more = True
        while more:
            async with db.transaction() as tx:
                if slot in await store.slots(tx):
                    return
                more = await store.drop_some(tx, table, slot, 5 * BATCH)


async def _still(tx: AsyncSession, build: Build, *, alone: bool = False) -> int:
    """The live slot. Raises AnotherRebuild."""
    live = await store.of_build(tx, build, alone=alone)
    if live is None:
        raise AnotherRebuild
    return live
