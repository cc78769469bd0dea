"""What intake does with what it hears, its own events among it: one part a subject, all in one transaction."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.consumers import linking, notices, progress, webhooks
from services.intake.consumers.context import Context, Handle
from shared.cloudevents import Envelope

PARTS = (progress.PART, linking.PART, notices.PART, webhooks.PART)
HANDLED = frozenset().union(*(part.types for part in PARTS))

__all__ = ["HANDLED", "Context", "handler"]


def handler(context: Context) -> Handle:
    """Hands each part those events that it knows, in their order."""
    parts = [(part.types, part.make(context)) for part in PARTS]

    async def handle(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        for types, part in parts:
            if mine := [event for event in events if event.type in types]:
                await part(tx, mine)

    return handle
