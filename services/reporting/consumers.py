"""What reporting hears: everything that the others tell of complaints."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.usecases import record
from shared.cloudevents import Envelope
from shared.events import EVENTS
from shared.inbox import Handle

SOURCES = ("intake", "routing", "sla")
_OF_SOURCES = {f"/redress/{name}" for name in SOURCES}
HANDLED = frozenset(type_ for type_, event in EVENTS.items() if event.source in _OF_SOURCES)


def handler(zone: ZoneInfo) -> Handle:
    """The handler of the events in HANDLED; days are those of `zone`, the bank's."""

    async def handle(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        await record.record(tx, events, zone)

    return handle
