"""What of a closed case broke a rule. The state machine lets none of it happen: what is found came in past it, or the
rules were others then."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from services.routing.domain.case import Case, Decision, missing
from services.routing.domain.powers import Powers


@dataclass(frozen=True, slots=True)
class Closed:
    """A case as it was closed. Who decided: `proposed_by`, and where a second person was needed `approved_by`."""

    case: Case
    closed_at: datetime

    @property
    def decided_by(self) -> tuple[str, ...]:
        """Who had a hand in it, in the order of the work."""
        people = (self.case.assignee, self.case.proposed_by, self.case.approved_by)
        return tuple(dict.fromkeys(person for person in people if person))


_REPLY = ("final_response", "delivery", "right_to_go_further")


def unanswered(closed: Closed) -> tuple[str, ...]:
    """What is missing of the final response: itself, its delivery, or the right to go further."""
    return tuple(name for name in missing(closed.case) if name in _REPLY)


def undecided(closed: Closed) -> tuple[str, ...]:
    """What is missing of the decision: outcome, root cause, or what is paid or why nothing is."""
    return tuple(name for name in missing(closed.case) if name not in _REPLY)


def approved_oneself(closed: Closed) -> bool:
    case = closed.case
    return case.approved_by is not None and case.approved_by == case.proposed_by


def beyond_powers(closed: Closed, powers: Powers) -> tuple[str, ...]:
    """Why a second person should have approved what one decided alone; empty where none was needed, or one has."""
    decision: Decision | None = closed.case.decision
    if decision is None or closed.case.approved_by is not None:
        return ()
    return powers.reasons(closed.case, decision)


def involved(closed: Closed) -> Collection[str]:
    """Those who had a hand in it although the complaint is about them."""
    return [person for person in closed.decided_by if person in closed.case.about]
