"""A new complaint is compared with its person's others; what may be one matter is suggested to an operator."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.consumers.context import Context, Handle, Part
from services.intake.usecases.link import Matcher
from shared.cloudevents import Envelope
from shared.events import ComplaintReceived


def make(context: Context) -> Handle:
    matcher = Matcher(context.desk, context.zone, context.link_window)

    async def handle(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        await matcher.hear(tx, events, now=context.clock())

    return handle


PART = Part(frozenset((ComplaintReceived.type,)), make)
