"""What channels' systems are told: a delivery for each webhook that wants to hear of an event."""

from collections.abc import Sequence

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.consumers.context import Context, Handle, Part
from services.intake.domain.webhook import TOLD, facts_of
from services.intake.store import caller, complaint
from shared import trace
from shared.clock import rfc3339
from shared.cloudevents import Envelope
from shared.ids import uuid7


def _make(context: Context) -> Handle:
    async def handle(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        webhooks = await caller.live_webhooks(tx)
        if not webhooks:
            return
        known = await complaint.headings(tx, {event.subject for event in events})
        now = context.clock()
        for event in events:
            heading = known.get(event.subject)
            if heading is None:
                continue
            code = TOLD[type(event.data)]
            with trace.following(event, service="intake"):
                for webhook in webhooks:
                    if not webhook.wants(code, heading.channel):
                        continue
                    tx.add(
                        caller.Delivery(
                            id=uuid7(),
                            webhook_id=webhook.id,
                            complaint_id=event.subject,
                            type=code,
                            payload=payload(code, event, heading.reference, heading.channel),
                            state="waiting",
                            created_at=now,
                            next_at=now,
                        )
                    )

    return handle


def payload(code: str, event: Envelope, reference: str, channel: str) -> str:
    """The body of a delivery, as Standard Webhooks recommends: `{type, timestamp, data}`."""
    data = {"id": event.subject, "reference": reference, "channel": channel} | facts_of(event.data)
    return orjson.dumps({"type": code, "timestamp": rfc3339(event.time), "data": data}).decode()


PART = Part(frozenset(kind.type for kind in TOLD), _make)
