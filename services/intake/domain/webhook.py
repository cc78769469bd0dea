"""What a channel's own system is told of its complaints. Pure."""

from shared.errors import Conflict
from shared.events import (
    ComplaintAcknowledged,
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintEscalated,
    ComplaintMessageAdded,
    ComplaintNotified,
    ComplaintReceived,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintRouted,
    ComplaintWithdrawn,
    Event,
)

TOLD: dict[type[Event], str] = {
    ComplaintReceived: "complaint.received",
    ComplaintRouted: "complaint.routed",
    ComplaintAssigned: "complaint.assigned",
    ComplaintAcknowledged: "complaint.acknowledged",
    ComplaintResponded: "complaint.responded",
    ComplaintResolved: "complaint.resolved",
    ComplaintClosed: "complaint.closed",
    ComplaintEscalated: "complaint.escalated",
    ComplaintWithdrawn: "complaint.withdrawn",
    ComplaintMessageAdded: "complaint.message_added",
    ComplaintNotified: "complaint.notified",
}
TEST = "webhook.test"
EVENTS = tuple(TOLD.values())
_FACTS = ("outcome", "final", "level", "direction", "kind", "via", "state")
"""What of an event a channel is told besides that it happened: codes alone, nothing that anybody wrote."""


class WebhookGone(Conflict):
    """The webhook is switched off: its receiver answered 410, or it was deleted."""

    code = "webhook_disabled"


def facts_of(event: Event) -> dict[str, object]:
    """The codes in `event` that a channel may know."""
    found = {name: getattr(event, name, None) for name in _FACTS}
    return {name: value for name, value in found.items() if value is not None}
