"""The life of a case, as one table of verbs; who may do what, when, and what must be there first. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from shared.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Refused
from shared.events import Outcome


class State(StrEnum):
    """Where a case stands. It is born routed: a complaint is never without a department."""

    ROUTED = "routed"
    IN_PROGRESS = "in_progress"
    RESPONDED = "responded"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Verb(StrEnum):
    """What people do with a case. `respond` sends a holding response or the final one."""

    CLAIM = "claim"
    ACKNOWLEDGE = "acknowledge"
    RESPOND = "respond"
    RESOLVE = "resolve"
    CLOSE = "close"


MACHINE: Mapping[State, Mapping[Verb, State]] = {
    State.ROUTED: {Verb.CLAIM: State.IN_PROGRESS, Verb.ACKNOWLEDGE: State.ROUTED},
    State.IN_PROGRESS: {
        Verb.ACKNOWLEDGE: State.IN_PROGRESS,
        Verb.RESPOND: State.RESPONDED,  # a holding response leaves the case where it is
        Verb.CLOSE: State.CLOSED,
    },
    State.RESPONDED: {
        Verb.ACKNOWLEDGE: State.RESPONDED,
        Verb.RESOLVE: State.RESOLVED,
        Verb.CLOSE: State.CLOSED,
    },
    State.RESOLVED: {Verb.ACKNOWLEDGE: State.RESOLVED, Verb.CLOSE: State.CLOSED},
    State.CLOSED: {},
}
"""State -> verb -> next state. `close` may be asked for early and is then refused with what is missing (`missing`)."""


class CaseNotFound(NotFound):
    """No case has this id."""


class VerbNotAllowed(Conflict):
    """The case's state does not permit this verb."""

    code = "verb_not_allowed"


class NotAssignee(Forbidden):
    """Only the officer who claimed the case, or a supervisor, may do this."""

    code = "not_assignee"


class CloseIncomplete(Refused):
    """The case lacks what must be there before it is closed."""

    code = "close_incomplete"


class ImpossibleTime(Invalid):
    """The time given for a step cannot be."""

    code = "impossible_time"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `supervisor`: may act on cases that others have claimed."""

    id: str
    supervisor: bool = False


@dataclass(frozen=True, slots=True)
class Redress:
    """What the bank pays the complainant. `currency` is an ISO 4217 code."""

    value: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Case:
    """What decisions about a case rest on. Times are aware; `version` rises by one with each change."""

    complaint_id: str
    received_at: datetime
    state: State = State.ROUTED
    version: int = 1
    assignee: str | None = None
    assigned_at: datetime | None = None
    acknowledged_at: datetime | None = None
    holding_response_at: datetime | None = None
    final_response_at: datetime | None = None
    outcome: Outcome | None = None
    root_cause: str | None = None
    redress: Redress | None = None
    no_redress_reason: str | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Take the case on. `at`: when it happened, for work that is recorded later; so in every action."""

    at: datetime | None = None
    verb = Verb.CLAIM


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The complainant was told that the complaint is in hand."""

    at: datetime | None = None
    verb = Verb.ACKNOWLEDGE


@dataclass(frozen=True, slots=True)
class Respond:
    """A reply went out: the final response, or a holding one (any number of those)."""

    final: bool = True
    at: datetime | None = None
    verb = Verb.RESPOND


@dataclass(frozen=True, slots=True)
class Resolve:
    """The bank has decided: outcome, root cause, and redress or the reason why there is none (exactly one of them)."""

    outcome: Outcome
    root_cause: str
    redress: Redress | None = None
    no_redress_reason: str | None = None
    at: datetime | None = None
    verb = Verb.RESOLVE


@dataclass(frozen=True, slots=True)
class Close:
    """Nothing more is to be done."""

    at: datetime | None = None
    verb = Verb.CLOSE


Action = Claim | Acknowledge | Respond | Resolve | Close


def take(case: Case, action: Action, *, actor: Actor, now: datetime) -> Case:
    """The case after `action`.

    Raises VerbNotAllowed, NotAssignee, CloseIncomplete, ImpossibleTime, or Invalid for a resolution without exactly one
    of redress and the reason for none.
    """
    target = MACHINE[case.state].get(action.verb)
    if target is None or (isinstance(action, Acknowledge) and case.acknowledged_at is not None):
        raise VerbNotAllowed(_refusal(case, action.verb))
    if case.assignee is not None and actor.id != case.assignee and not actor.supervisor:
        raise NotAssignee
    at = moment(case, action, now=now)
    match action:
        case Claim():
            changed = replace(case, assignee=actor.id, assigned_at=at)
        case Acknowledge():
            changed = replace(case, acknowledged_at=at)
        case Respond(final=True):
            changed = replace(case, final_response_at=at)
        case Respond():
            changed, target = replace(case, holding_response_at=at), case.state
        case Resolve():
            if (action.redress is None) == (action.no_redress_reason is None):
                wrong = FieldError(
                    "/redress", "name the redress, or the reason for none: exactly one of them", "redress"
                )
                raise Invalid("A resolution says what is paid or why nothing is.", errors=(wrong,))
            changed = replace(
                case,
                outcome=action.outcome,
                root_cause=action.root_cause,
                redress=action.redress,
                no_redress_reason=action.no_redress_reason,
                resolved_at=at,
            )
        case Close():
            if lacking := missing(case):
                raise CloseIncomplete(
                    f"Before it is closed, the case needs: {', '.join(lacking)}.",
                    errors=tuple(FieldError(f"/{name}", f"{name} is missing", "missing") for name in lacking),
                )
            changed = replace(case, closed_at=at)
    return replace(changed, state=target, version=case.version + 1)


def permitted(case: Case) -> tuple[Verb, ...]:
    """The verbs that the case's state permits next, whoever asks, in the order of the work."""
    return tuple(
        verb
        for verb in MACHINE[case.state]
        if not (verb is Verb.ACKNOWLEDGE and case.acknowledged_at) and not (verb is Verb.CLOSE and missing(case))
    )


def missing(case: Case) -> tuple[str, ...]:
    """What must still be there before the case may be closed."""
    needed = {
        "final_response": case.final_response_at,
        "outcome": case.outcome,
        "root_cause": case.root_cause,
        "redress": case.redress or case.no_redress_reason,
    }
    return tuple(name for name, value in needed.items() if value is None)


def moment(case: Case, action: Action, *, now: datetime) -> datetime:
    """When `action` happened, in UTC to the millisecond. Raises ImpossibleTime.

    Acknowledging stands beside the other steps, so it is measured against the receipt alone.
    """
    if action.at is None:
        return now
    if action.at > now:
        raise _impossible("lies in the future")
    latest_first: dict[str, datetime | None] = {
        "the case was resolved": case.resolved_at,
        "the final response went out": case.final_response_at,
        "the last holding response went out": case.holding_response_at,
        "the case was claimed": case.assigned_at,
        "the complaint was received": case.received_at,
    }
    if isinstance(action, Acknowledge):
        latest_first = {"the complaint was received": case.received_at}
    for what, when in latest_first.items():
        if when is not None and action.at < when:
            raise _impossible(f"lies before {what}")
    at = action.at.astimezone(UTC)
    return max(at.replace(microsecond=at.microsecond // 1000 * 1000), case.received_at)


def _impossible(why: str) -> ImpossibleTime:
    return ImpossibleTime(f"The time given {why}.", errors=(FieldError("/at", why, ImpossibleTime.code),))


def _refusal(case: Case, verb: Verb) -> str:
    if verb is Verb.ACKNOWLEDGE and case.acknowledged_at is not None and case.state is not State.CLOSED:
        return f"The case, now {case.state}, was acknowledged before."
    allowed = ", ".join(permitted(case)) or "nothing"
    return f"The case is {case.state}; {verb} is not allowed there. Allowed next: {allowed}."
