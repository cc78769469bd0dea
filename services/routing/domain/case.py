"""A case: where it stands, and what must be there before it is closed."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from shared.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from shared.events import Outcome, Severity


class State(StrEnum):
    """Where a case stands. It has a department from the first moment; in `triage` a person has yet to confirm which."""

    TRIAGE = "triage"
    ROUTED = "routed"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    PROPOSED = "proposed"
    APPROVED = "approved"
    RESPONDED = "responded"
    RESOLVED = "resolved"
    CLOSED = "closed"
    IN_REVIEW = "in_review"


class CaseNotFound(NotFound):
    """No case has this id."""


class VerbNotAllowed(Conflict):
    """The case's state does not permit this verb."""

    code = "verb_not_allowed"


class NotAssignee(Forbidden):
    """Only the officer who works on the case, or a supervisor, may do this."""

    code = "not_assignee"


class NotEntitled(Forbidden):
    """This step needs a supervisor or manager."""

    code = "not_entitled"


class ConflictOfInterest(Forbidden):
    """Nobody handles a complaint about themselves, or the rejection of one about their own branch."""

    code = "conflict_of_interest"


class SamePerson(Forbidden):
    """A proposal is approved by somebody else than who made it."""

    code = "same_person"


class ApprovalNeeded(Conflict):
    """This outcome needs a second person: propose it, and let it be approved."""

    code = "approval_needed"


class CloseIncomplete(Refused):
    """The case lacks what must be there before it is closed."""

    code = "close_incomplete"


class ImpossibleTime(Invalid):
    """The time given for a step cannot be."""

    code = "impossible_time"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `supervisor`: may act on cases that others work on; `manager`: may approve what is beyond the power of
    a supervisor; `branch`: where they work, if that is known."""

    id: str
    supervisor: bool = False
    manager: bool = False
    branch: str | None = None


@dataclass(frozen=True, slots=True)
class Redress:
    """What the bank pays the complainant. `currency` is an ISO 4217 code."""

    value: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What the bank decides: outcome, root cause, and redress or the reason for none (exactly one of them)."""

    outcome: Outcome
    root_cause: str
    redress: Redress | None = None
    no_redress_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What decisions about a case rest on. Times are aware; `version` rises by one with each change.

    `about`: staff whom the complaint is about. `proposed` is the decision that waits for, or has, its approval;
    `delivered_via` says how the final response reached the complainant, `rights_told` that it names their right to go
    further.
    """

    complaint_id: str
    received_at: datetime
    department: str = "complaint_office"
    category: str = "other"
    severity: Severity = "normal"
    branch: str | None = None
    about: tuple[str, ...] = ()
    state: State = State.ROUTED
    version: int = 1
    assignee: str | None = None
    assigned_at: datetime | None = None
    acknowledged_at: datetime | None = None
    holding_response_at: datetime | None = None
    waiting_since: datetime | None = None
    proposed: Decision | None = None
    proposed_by: str | None = None
    proposed_at: datetime | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    final_response_at: datetime | None = None
    delivered_via: str | None = None
    delivered_at: datetime | None = None
    rights_told: bool = False
    decision: Decision | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    reopened: int = 0


def missing(case: Case) -> tuple[str, ...]:
    """What must still be there before the case may be closed, in the order of the work."""
    decision = case.decision
    needed = {
        "final_response": case.final_response_at,
        "delivery": case.delivered_at,
        "right_to_go_further": case.rights_told or None,
        "outcome": decision and decision.outcome,
        "root_cause": decision and decision.root_cause,
        "redress": decision and (decision.redress or decision.no_redress_reason),
    }
    return tuple(name for name, value in needed.items() if value is None)
