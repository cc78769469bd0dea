"""What is known of a complaint so far, from events in any order, and which casework meets which step.

- `first_contact`: the first word to the complainant: an acknowledgement, a question, a message of staff, a response.
- `acknowledge`: the acknowledgement, or whatever says at least as much: a response of either kind, or closure.
- `resolve`: the decision, or closure.
- `interim`: a response, holding or final; or resolution or closure, after which nothing is left to hold.
- `provisional_credit`: the final response makes it needless; else staff record it (`commands.record`).
- `internal_escalation`: the case went before the complaint office's review; or the complaint was upheld, and there is
  nothing to review.
- `final`: the final response; or closure of a complaint that was withdrawn. Resolution alone is not enough: the bank
  has decided, and the complainant still waits to be told.

What counts is when a step was taken (the time in the event), not when we heard of it.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from services.sla.domain.policy import Subject
from shared.events import (
    UNDONE,
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
    Event,
    StepName,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """Times are those of the deeds themselves.

    Of each deed the first is kept (`responded_at`: the first response of either kind). A later classification, routing
    or assignment replaces an earlier one, and so does `governs_from`, the earliest receipt of the matter.
    `last_closed_at` and `last_final_response_at` differ from the first ones once a complaint was reopened.
    """

    received_at: datetime | None = None
    reference: str | None = None
    jurisdiction: str | None = None
    channel: str | None = None
    branch: str | None = None
    product: str | None = None
    category: str | None = None
    severity: str | None = None
    classified_at: datetime | None = None
    referred_by: str | None = None
    imposed_due_at: datetime | None = None
    imported: bool = False
    department: str | None = None
    routed_at: datetime | None = None
    assignee: str | None = None
    assigned_at: datetime | None = None
    first_contact_at: datetime | None = None
    acknowledged_at: datetime | None = None
    responded_at: datetime | None = None
    final_response_at: datetime | None = None
    last_final_response_at: datetime | None = None
    resolved_at: datetime | None = None
    upheld_at: datetime | None = None
    withdrawn_at: datetime | None = None
    closed_at: datetime | None = None
    last_closed_at: datetime | None = None
    reopened_at: datetime | None = None
    review_opened_at: datetime | None = None
    waiting_since: datetime | None = None
    governs_from: datetime | None = None

    @property
    def start(self) -> datetime | None:
        """From when the clocks count; None until the complaint is known to be received."""
        return _earliest(self.received_at, self.governs_from) if self.received_at else None

    @property
    def subject(self) -> Subject:
        """What decides which policy packs apply."""
        return Subject(
            jurisdiction=self.jurisdiction,
            product=self.product,
            channel=self.channel,
            category=self.category,
            severity=self.severity,
            referred_by=self.referred_by,
        )

    def learn(self, event: Event) -> "Facts":
        """What is known after `event`; events that tell nothing about deadlines change nothing."""
        match event:
            case ComplaintReceived():
                return self._received(event)
            case ComplaintLinked():  # whatever the link's state: it is what the confirmed ones come to
                return replace(self, governs_from=event.governs_from)
            case ComplaintClassified() if _later(self.classified_at, event.classified_at):
                return replace(
                    self,
                    category=event.category,
                    severity=event.severity,
                    product=event.product or self.product,
                    classified_at=event.classified_at,
                )
            case ComplaintRouted() if _later(self.routed_at, event.routed_at):
                given_since = self.assigned_at is not None and self.assigned_at > event.routed_at
                assignee = None if event.reason == UNDONE and not given_since else self.assignee
                return replace(self, department=event.department, routed_at=event.routed_at, assignee=assignee)
            case ComplaintTransferred() if _later(self.routed_at, event.transferred_at):
                # who had it has it no longer, and the new department has nobody on it yet
                return replace(self, department=event.department, routed_at=event.transferred_at, assignee=None)
            case ComplaintAssigned() if _later(self.assigned_at, event.assigned_at):
                return replace(self, assignee=event.assignee, assigned_at=event.assigned_at)
            case ComplaintMessageAdded(direction="out", author="staff"):
                return replace(self, first_contact_at=_earliest(self.first_contact_at, event.added_at))
            case _:
                return self._worked(event)

    def _received(self, event: ComplaintReceived) -> "Facts":
        return replace(
            self,
            received_at=self.received_at or event.received_at,
            reference=self.reference or event.reference,
            jurisdiction=self.jurisdiction or event.jurisdiction,
            channel=self.channel or event.channel,
            branch=self.branch or event.branch,
            product=self.product or event.product,
            referred_by=self.referred_by or event.referred_by,
            imposed_due_at=self.imposed_due_at or event.imposed_due_at,
            imported=self.imported or event.imported,
        )

    def _worked(self, event: Event) -> "Facts":
        match event:
            case ComplaintAcknowledged():
                return replace(self, acknowledged_at=_earliest(self.acknowledged_at, event.acknowledged_at))
            case ComplaintInformationRequested():
                contact = _earliest(self.first_contact_at, event.requested_at)
                return replace(self, first_contact_at=contact, waiting_since=event.requested_at)
            case ComplaintInformationReceived():
                return replace(self, waiting_since=None)
            case ComplaintResponded():
                final = event.responded_at if event.final else None
                return replace(
                    self,
                    responded_at=_earliest(self.responded_at, event.responded_at),
                    final_response_at=_earliest(self.final_response_at, final),
                    last_final_response_at=_latest(self.last_final_response_at, final),
                )
            case ComplaintResolved():
                withdrawn = event.resolved_at if event.outcome == "withdrawn" else None
                upheld = event.resolved_at if event.outcome in ("upheld", "goodwill") else None
                return replace(
                    self,
                    resolved_at=_earliest(self.resolved_at, event.resolved_at),
                    upheld_at=_earliest(self.upheld_at, upheld),
                    withdrawn_at=_earliest(self.withdrawn_at, withdrawn),
                )
            case ComplaintClosed():
                return replace(
                    self,
                    closed_at=_earliest(self.closed_at, event.closed_at),
                    last_closed_at=_latest(self.last_closed_at, event.closed_at),
                    waiting_since=None,
                )
            case ComplaintReopened():
                return replace(self, reopened_at=_latest(self.reopened_at, event.reopened_at))
            case ComplaintReviewOpened():
                return replace(self, review_opened_at=_earliest(self.review_opened_at, event.opened_at))
            case _:
                return self

    def met_at(self, step: StepName) -> datetime | None:
        """When `step` was taken, as far as is known; see the module's docstring for what meets what."""
        match step:
            case "first_contact":
                return _earliest(self.first_contact_at, self.acknowledged_at, self.responded_at, self.closed_at)
            case "acknowledge":
                return _earliest(self.acknowledged_at, self.responded_at, self.closed_at)
            case "resolve":
                return _earliest(self.resolved_at, self.closed_at)
            case "interim":
                return _earliest(self.responded_at, self.resolved_at, self.closed_at)
            case "provisional_credit":
                return _earliest(self.final_response_at, self._closed_as_withdrawn())
            case "internal_escalation":
                return _earliest(self.review_opened_at, self.upheld_at, self._closed_as_withdrawn())
            case "final":
                return _earliest(self.final_response_at, self._closed_as_withdrawn())

    def met_again_at(self, step: StepName, since: datetime) -> datetime | None:
        """When `step`, open again since `since`, was taken after that."""
        known = {"final": self.last_final_response_at, "resolve": self.last_closed_at}.get(step)
        found = (known, self.last_closed_at if self.withdrawn_at else None)
        return _earliest(*(at if at and at >= since else None for at in found))

    def _closed_as_withdrawn(self) -> datetime | None:
        """The closure that followed a withdrawal; one before it, of a complaint since reopened, was another matter."""
        for closed_at in (self.closed_at, self.last_closed_at):
            if self.withdrawn_at is not None and closed_at is not None and closed_at >= self.withdrawn_at:
                return closed_at
        return None


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((m for m in moments if m is not None), default=None)


def _latest(*moments: datetime | None) -> datetime | None:
    return max((m for m in moments if m is not None), default=None)


def _later(known: datetime | None, told: datetime) -> bool:
    return known is None or told >= known
