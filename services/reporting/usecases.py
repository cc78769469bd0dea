"""What reporting does: it records events."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting import store
from services.reporting.domain.counting import applied, change
from shared import trace
from shared.cloudevents import Envelope


async def record(tx: AsyncSession, events: Sequence[Envelope], zone: ZoneInfo) -> None:
    """Bring facts and counters up to date with `events`; days are those of `zone`.

    Six statements at most, however many events there are.
    """
    before = await store.hold(tx, {event.subject for event in events})
    after = dict(before)
    for event in events:
        with trace.following(event, service="reporting"):
            after[event.subject] = applied(after[event.subject], event.data, zone)
    changed = [fact for id, fact in after.items() if fact != before[id]]
    await store.save(tx, changed)
    await store.move(tx, change((before[fact.complaint_id] for fact in changed), changed))
