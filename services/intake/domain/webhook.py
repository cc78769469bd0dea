"""What a channel's own system is told of its complaints. Pure."""

from urllib.parse import urlsplit

from shared.errors import Conflict, FieldError, Invalid
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


class AddressRefused(Invalid):
    """Webhooks go to public https addresses; others only where the bank has allowed it."""

    code = "webhook_address_refused"


class WebhookGone(Conflict):
    """The webhook is switched off: its receiver answered 410, or it was deleted."""

    code = "webhook_disabled"


def facts_of(event: Event) -> dict[str, object]:
    """The codes in `event` that a channel may know."""
    found = {name: getattr(event, name, None) for name in _FACTS}
    return {name: value for name, value in found.items() if value is not None}


def check_address(url: str, *, private: bool) -> None:
    """Raises AddressRefused for what is no plain https address; `private` allows http, too."""
    wrong = ""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        wrong = "is no address"
    else:
        if parts.scheme != "https" and not (private and parts.scheme == "http"):
            wrong = "must begin with https://"
        elif not parts.hostname or parts.username or parts.password or parts.fragment:
            wrong = "must be a host and a path, without user, password or fragment"
    if wrong:
        raise AddressRefused(errors=(FieldError("/url", wrong, AddressRefused.code),))
