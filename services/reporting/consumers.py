"""What reporting hears: what the others tell of complaints that counts."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain.fact import HEARD
from services.reporting.usecases import record
from shared.cloudevents import Envelope
from shared.inbox import Handle

SOURCES = ("intake", "routing", "sla")
HANDLED = HEARD


def handler(zone: ZoneInfo) -> Handle:
    """The handler of the events in HANDLED; days are those of `zone`, the bank's."""

    async def handle(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        await record.record(tx, events, zone)

    return handle
