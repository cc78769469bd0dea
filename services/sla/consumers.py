"""What the service hears from intake and routing."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.usecases.casework import Book
from services.sla.usecases.current import Current
from shared import trace
from shared.clock import Clock
from shared.cloudevents import Envelope
from shared.events import (
    ComplaintAcknowledged,
    ComplaintAssigned,
    ComplaintClassified,
    ComplaintClosed,
    ComplaintInformationReceived,
    ComplaintInformationRequested,
    ComplaintLinked,
    ComplaintMessageAdded,
    ComplaintReceived,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintReviewOpened,
    ComplaintRouted,
    ComplaintTransferred,
)
from shared.inbox import Handle

HANDLED = frozenset(
    event.type
    for event in (
        ComplaintReceived,
        ComplaintLinked,
        ComplaintMessageAdded,
        ComplaintClassified,
        ComplaintRouted,
        ComplaintTransferred,
        ComplaintAssigned,
        ComplaintAcknowledged,
        ComplaintInformationRequested,
        ComplaintInformationReceived,
        ComplaintResponded,
        ComplaintResolved,
        ComplaintClosed,
        ComplaintReopened,
        ComplaintReviewOpened,
    )
)


def handler(current: Current, clock: Clock, *, grace: timedelta) -> Handle:
    """The handler of the events in HANDLED. `grace`: see `domain.watching.hear`."""

    async def handle(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        """Apply `events` in order, in a number of statements that does not depend on how many they are."""
        book = await Book.open(tx, {event.subject for event in events}, current)
        now = clock()
        for event in events:
            with trace.following(event, service="sla"):
                book.hear(tx, event.data, grace=grace, now=now)
        await book.save(tx, now)

    return handle
