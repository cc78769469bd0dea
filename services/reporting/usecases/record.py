"""Events become facts, and facts move the counters."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting import store
from services.reporting.domain.fact import Fact, applied
from services.reporting.domain.place import change
from services.reporting.domain.theme import terms
from shared import trace
from shared.cloudevents import Envelope
from shared.events import ComplaintErased, ComplaintReceived

EXCERPT = 280
"""How many letters of a narrative are kept to be shown as an example."""
REPEAT_WITHIN = timedelta(days=365)
"""Whoever has complained within this time before complains again."""


async def record(tx: AsyncSession, events: Sequence[Envelope], zone: ZoneInfo) -> None:
    """Bring facts and counters up to date with `events`, also those that are being built anew beside the live ones;
    days are those of `zone`.

    A number of statements that does not depend on how many events there are.
    """
    slots = await store.slots(tx)
    erased = {event.subject for event in events if isinstance(event.data, ComplaintErased)}
    await _words(tx, events, erased, zone)
    leaving = await store.customers_of(tx, erased) if erased else set()
    await store.meet_customers(tx, leaving | {ref for event in events if (ref := who(event))})
    for slot in slots:
        await record_in(tx, slot, events, zone)
    if leaving:
        await store.forget_customers(tx, leaving)


async def record_in(tx: AsyncSession, slot: int, events: Sequence[Envelope], zone: ZoneInfo) -> None:
    """As `record`, in one slot alone; the persons who complain are held already."""
    visits: dict[str, list[datetime]] = defaultdict(list)
    for event in events:
        if (ref := who(event)) and isinstance(event.data, ComplaintReceived):
            visits[ref].append(event.data.received_at)
    ids = {event.subject for event in events}
    if visits:
        ids |= await store.neighbours(tx, slot, visits, REPEAT_WITHIN)
    before = await store.hold(tx, slot, ids)
    after = dict(before)
    for event in events:
        with trace.following(event, service="reporting"):
            after[event.subject] = applied(after[event.subject], event.data, event.id)
    after |= _repeats(after, visits)
    changed = [fact for id, fact in after.items() if fact != before[id]]
    await store.save(tx, slot, changed, before, zone)
    await store.move(tx, slot, change(((before[fact.complaint_id], fact) for fact in changed), zone))


async def _words(tx: AsyncSession, events: Sequence[Envelope], erased: set[str], zone: ZoneInfo) -> None:
    """Keep what complaints say, redacted as it comes, and forget it when one is erased."""
    rows = []
    for event in events:
        data = event.data
        if isinstance(data, ComplaintReceived) and data.narrative and event.subject not in erased:
            day = data.received_at.astimezone(zone).date()
            rows.append((event.subject, day, data.narrative[:EXCERPT], terms(data.narrative)))
    await store.keep_texts(tx, rows)
    await store.forget_texts(tx, erased)


def who(event: Envelope) -> str | None:
    """Whom a receipt is of, if it says so; a keyed hash."""
    return event.data.customer_ref if isinstance(event.data, ComplaintReceived) else None


def _repeats(known: Mapping[str, Fact], refs: Mapping[str, object]) -> dict[str, Fact]:
    """Who among these persons' complaints is repeating: those whose complainant had complained shortly before."""
    of_one: dict[str, list[Fact]] = defaultdict(list)
    for fact in known.values():
        if fact.customer_ref and fact.customer_ref in refs and fact.received_at is not None:
            of_one[fact.customer_ref].append(fact)
    found: dict[str, Fact] = {}
    for theirs in of_one.values():
        last: datetime | None = None
        for fact in sorted(theirs, key=lambda f: (f.received_at, f.complaint_id)):
            assert fact.received_at is not None
            again = last is not None and fact.received_at - last <= REPEAT_WITHIN
            if again and not fact.repeat:
                found[fact.complaint_id] = replace(fact, repeat=True)
            last = fact.received_at
    return found
