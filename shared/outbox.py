"""The outbox: events are written with the state they tell of, and published afterwards by the relay."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from shared import trace
from shared.clock import rfc3339
from shared.cloudevents import encode_parts
from shared.db.pending import OutboxRow, pending
from shared.events import Event
from shared.ids import uuid7


def row(event: Event, *, now: datetime) -> OutboxRow:
    """`event` as an outbox row, under the current trace."""
    here = trace.current()
    id = uuid7()
    payload = encode_parts(
        id=id,
        event=event,
        time=rfc3339(now),
        traceparent=here.traceparent if here else None,
        correlationid=here.correlation_id if here else None,
    )
    return OutboxRow(event_id=id, key=event.complaint_id, type=event.type, payload=payload, created_at=now)


def add(tx: AsyncSession, event: Event, *, now: datetime) -> None:
    """Publish `event` if, and only if, the unit of work `tx` commits."""
    pending(tx).events.append(row(event, now=now))
