"""The life of a case as one table of verbs: who may do what, when, and what it changes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import get_args

from services.routing.domain.case import (
    Actor,
    ApprovalNeeded,
    Case,
    CloseIncomplete,
    ConflictOfInterest,
    Decision,
    ImpossibleTime,
    NotAssignee,
    NotEntitled,
    State,
    VerbNotAllowed,
    missing,
)
from services.routing.domain.powers import Powers
from shared.errors import FieldError, Invalid
from shared.events import Severity


class Verb(StrEnum):
    """What people do with a case, in the order of the work."""

    TRIAGE = "triage"
    CLAIM = "claim"
    ASSIGN = "assign"
    TRANSFER = "transfer"
    ACKNOWLEDGE = "acknowledge"
    NOTE = "note"
    CONSULT = "consult"
    ADVISE = "advise"
    REQUEST_INFORMATION = "request_information"
    RECEIVE_INFORMATION = "receive_information"
    PROPOSE = "propose"
    APPROVE = "approve"
    RETURN = "return"
    RESPOND = "respond"
    DELIVER = "deliver"
    RESOLVE = "resolve"
    CLOSE = "close"
    REOPEN = "reopen"
    REFER = "refer"


_S = State
_BESIDE = {Verb.NOTE, Verb.CONSULT, Verb.ADVISE, Verb.ACKNOWLEDGE}
"""Verbs that stand beside the others and leave a case where it is."""


def _open(state: State, ways: dict[Verb, State]) -> Mapping[Verb, State]:
    return dict.fromkeys(_BESIDE, state) | ways


MACHINE: Mapping[State, Mapping[Verb, State]] = {
    State.TRIAGE: _open(
        State.TRIAGE,
        {
            Verb.TRIAGE: State.ROUTED,
            Verb.CLAIM: State.IN_PROGRESS,
            Verb.ASSIGN: State.IN_PROGRESS,
            Verb.TRANSFER: State.ROUTED,
        },
    ),
    State.ROUTED: _open(
        State.ROUTED,
        {
            Verb.TRIAGE: State.ROUTED,
            Verb.CLAIM: State.IN_PROGRESS,
            Verb.ASSIGN: State.IN_PROGRESS,
            Verb.TRANSFER: State.ROUTED,
        },
    ),
    State.IN_PROGRESS: _open(
        State.IN_PROGRESS,
        {
            Verb.TRIAGE: State.IN_PROGRESS,
            Verb.ASSIGN: State.IN_PROGRESS,
            Verb.TRANSFER: State.ROUTED,
            Verb.REQUEST_INFORMATION: State.WAITING,
            Verb.PROPOSE: State.PROPOSED,  # approved at once where it needs no second person
            Verb.RESPOND: State.RESPONDED,  # a holding response leaves the case where it is
            Verb.CLOSE: State.CLOSED,
        },
    ),
    State.WAITING: _open(
        State.WAITING,
        {
            Verb.ASSIGN: State.WAITING,
            Verb.TRANSFER: State.ROUTED,
            Verb.RECEIVE_INFORMATION: State.IN_PROGRESS,
            Verb.RESPOND: State.WAITING,
            Verb.CLOSE: State.CLOSED,
        },
    ),
    State.PROPOSED: _open(
        State.PROPOSED,
        {
            Verb.ASSIGN: State.PROPOSED,
            Verb.APPROVE: State.APPROVED,
            Verb.RETURN: State.IN_PROGRESS,
            Verb.RESPOND: State.PROPOSED,
            Verb.CLOSE: State.CLOSED,
        },
    ),
    State.APPROVED: _open(
        State.APPROVED,
        {
            Verb.ASSIGN: State.APPROVED,
            Verb.RETURN: State.IN_PROGRESS,
            Verb.RESPOND: State.RESPONDED,
            Verb.CLOSE: State.CLOSED,
        },
    ),
    State.RESPONDED: _open(
        State.RESPONDED,
        {
            Verb.ASSIGN: State.RESPONDED,
            Verb.PROPOSE: State.PROPOSED,
            Verb.DELIVER: State.RESPONDED,
            Verb.RESOLVE: State.RESOLVED,
            Verb.CLOSE: State.CLOSED,
            Verb.REOPEN: State.IN_PROGRESS,
        },
    ),
    State.RESOLVED: _open(
        State.RESOLVED,
        {
            Verb.DELIVER: State.RESOLVED,
            Verb.CLOSE: State.CLOSED,
            Verb.REOPEN: State.IN_PROGRESS,
            Verb.REFER: State.IN_REVIEW,
        },
    ),
    State.CLOSED: {Verb.NOTE: State.CLOSED, Verb.REOPEN: State.IN_PROGRESS, Verb.REFER: State.IN_REVIEW},
    State.IN_REVIEW: _open(
        State.IN_REVIEW, {Verb.ASSIGN: State.IN_REVIEW, Verb.CLOSE: State.CLOSED, Verb.REOPEN: State.IN_PROGRESS}
    ),
}
"""State -> verb -> next state. `close` may be asked for early and is then refused with what is missing (`missing`)."""

SUPERVISED = frozenset((Verb.ASSIGN, Verb.APPROVE, Verb.RETURN, Verb.REFER))
"""Verbs that need a supervisor or manager."""
_GRAVITY: tuple[Severity, ...] = get_args(Severity)
_ANYBODY = frozenset((Verb.NOTE, Verb.ADVISE, Verb.TRIAGE, Verb.RECEIVE_INFORMATION)) | SUPERVISED
"""Verbs that do not wait for the officer who works on the case."""


@dataclass(frozen=True, slots=True)
class Step:
    """Common to all steps. `at`: when it happened, for work that is recorded later."""

    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Triage(Step):
    """A person says what kind of complaint it is, how grave, and whose. What is None stays as it is; less grave only a
    supervisor makes it. A case about the officer who works on it is theirs no longer."""

    category: str | None = None
    product: str | None = None
    department: str | None = None
    about: tuple[str, ...] | None = None
    severity: Severity | None = None
    verb = Verb.TRIAGE


@dataclass(frozen=True, slots=True)
class Claim(Step):
    """Take the case on."""

    verb = Verb.CLAIM


@dataclass(frozen=True, slots=True)
class Assign(Step):
    """Give the case to an officer."""

    assignee: str = ""
    verb = Verb.ASSIGN


@dataclass(frozen=True, slots=True)
class Transfer(Step):
    """Another department takes charge, for a reason."""

    department: str = ""
    verb = Verb.TRANSFER


@dataclass(frozen=True, slots=True)
class Acknowledge(Step):
    """The complainant was told that the complaint is in hand."""

    verb = Verb.ACKNOWLEDGE


@dataclass(frozen=True, slots=True)
class Note(Step):
    """Something worth keeping."""

    verb = Verb.NOTE


@dataclass(frozen=True, slots=True)
class Consult(Step):
    """Another department is asked; the case goes on meanwhile."""

    department: str = ""
    verb = Verb.CONSULT


@dataclass(frozen=True, slots=True)
class Advise(Step):
    """A department that was consulted answers."""

    consult_id: str = ""
    verb = Verb.ADVISE


@dataclass(frozen=True, slots=True)
class RequestInformation(Step):
    """The complainant is asked for something without which the work cannot go on."""

    verb = Verb.REQUEST_INFORMATION


@dataclass(frozen=True, slots=True)
class ReceiveInformation(Step):
    """The complainant has answered."""

    verb = Verb.RECEIVE_INFORMATION


@dataclass(frozen=True, slots=True)
class Propose(Step):
    """Put a decision before a second person, or, where none is needed, settle it."""

    decision: Decision | None = None
    verb = Verb.PROPOSE


@dataclass(frozen=True, slots=True)
class Approve(Step):
    """A second person agrees."""

    verb = Verb.APPROVE


@dataclass(frozen=True, slots=True)
class Return(Step):
    """A second person does not agree, for a reason; the case goes back to work."""

    verb = Verb.RETURN


@dataclass(frozen=True, slots=True)
class Respond(Step):
    """A reply went out: the final response, or a holding one (any number of those). `via`: how it was handed over, if
    it was; `rights_told`: it names the complainant's right to go further."""

    final: bool = True
    via: str | None = None
    rights_told: bool = False
    verb = Verb.RESPOND


@dataclass(frozen=True, slots=True)
class Deliver(Step):
    """The final response reached the complainant."""

    via: str = ""
    rights_told: bool | None = None
    verb = Verb.DELIVER


@dataclass(frozen=True, slots=True)
class Resolve(Step):
    """The bank has decided; None: as proposed and approved."""

    decision: Decision | None = None
    verb = Verb.RESOLVE


@dataclass(frozen=True, slots=True)
class Close(Step):
    """Nothing more is to be done."""

    verb = Verb.CLOSE


@dataclass(frozen=True, slots=True)
class Reopen(Step):
    """The work goes on, for a reason; what was decided is open again."""

    verb = Verb.REOPEN


@dataclass(frozen=True, slots=True)
class Refer(Step):
    """The complaint office looks at a decided case again, for a reason."""

    verb = Verb.REFER


Action = (
    Triage | Claim | Assign | Transfer | Acknowledge | Note | Consult | Advise | RequestInformation | ReceiveInformation
    | Propose | Approve | Return | Respond | Deliver | Resolve | Close | Reopen | Refer
)  # fmt: skip


def take(case: Case, action: Action, *, actor: Actor, powers: Powers, now: datetime) -> Case:
    """The case after `action`.

    Raises VerbNotAllowed, NotAssignee, NotEntitled, ConflictOfInterest, SamePerson, ApprovalNeeded, CloseIncomplete,
    ImpossibleTime, or Invalid for a decision without exactly one of redress and the reason for none.
    """
    target = MACHINE[case.state].get(action.verb)
    if target is None or not _open_to(case, action.verb) or not _may_respond(case, action):
        raise VerbNotAllowed(_refusal(case, action.verb))
    _check_actor(case, action, actor)
    at = moment(case, action, now=now)
    changed = _changed(case, action, actor, powers, at)
    if isinstance(action, Respond) and not action.final:
        target = case.state
    elif isinstance(action, Propose) and changed.approved_at is not None:
        target = State.RESPONDED if case.state is State.RESPONDED else State.APPROVED
    elif isinstance(action, Approve) and case.final_response_at is not None:
        target = State.RESPONDED
    elif isinstance(action, Triage) and changed.assignee is None:
        target = State.ROUTED
    return replace(changed, state=target, version=case.version + 1)


def _changed(case: Case, action: Action, actor: Actor, powers: Powers, at: datetime) -> Case:
    match action:
        case Triage():
            about = case.about if action.about is None else action.about
            told = replace(
                case,
                category=action.category or case.category,
                department=action.department or case.department,
                severity=action.severity or case.severity,
                about=about,
            )
            return replace(told, assignee=None, assigned_at=None) if case.assignee in about else told
        case Claim():
            return replace(case, assignee=actor.id, assigned_at=at)
        case Assign():
            return replace(case, assignee=action.assignee, assigned_at=at)
        case Transfer():
            return replace(case, department=action.department, assignee=None, assigned_at=None, waiting_since=None)
        case Acknowledge():
            return replace(case, acknowledged_at=at)
        case RequestInformation():
            return replace(case, waiting_since=at)
        case ReceiveInformation():
            return replace(case, waiting_since=None)
        case Propose():
            decision = _whole(action.decision)
            needs = powers.reasons(case, decision)
            return replace(
                case,
                proposed=decision,
                proposed_by=actor.id,
                proposed_at=at,
                approved_by=None,
                approved_at=None if needs else at,
            )
        case Approve():
            powers.check_approver(case, _whole(case.proposed), actor)
            return replace(case, approved_by=actor.id, approved_at=at)
        case Return():
            return replace(case, proposed=None, proposed_by=None, proposed_at=None, approved_by=None, approved_at=None)
        case Respond(final=False):
            return replace(case, holding_response_at=at)
        case Respond():
            told = replace(case, final_response_at=at, rights_told=action.rights_told)
            return replace(told, delivered_via=action.via, delivered_at=at) if action.via else told
        case Deliver():
            rights = case.rights_told if action.rights_told is None else action.rights_told
            return replace(case, delivered_via=action.via, delivered_at=at, rights_told=rights)
        case Resolve():
            return replace(case, decision=_decided(case, action, powers), resolved_at=at)
        case Close():
            if lacking := missing(case):
                raise CloseIncomplete(
                    f"Before it is closed, the case needs: {', '.join(lacking)}.",
                    errors=tuple(FieldError(f"/{name}", f"{name} is missing", "missing") for name in lacking),
                )
            return replace(case, closed_at=at)
        case Reopen():
            return replace(
                case,
                reopened=case.reopened + 1,
                final_response_at=None,
                delivered_via=None,
                delivered_at=None,
                rights_told=False,
                decision=None,
                proposed=None,
                proposed_by=None,
                proposed_at=None,
                approved_by=None,
                approved_at=None,
                resolved_at=None,
                closed_at=None,
            )
        case Note() | Consult() | Advise() | Refer():
            return case


def permitted(case: Case) -> tuple[Verb, ...]:
    """The verbs that the case's state permits next, whoever asks, in the order of the work."""
    return tuple(
        verb
        for verb in Verb
        if verb in MACHINE[case.state] and _open_to(case, verb) and not (verb is Verb.CLOSE and missing(case))
    )


def _open_to(case: Case, verb: Verb) -> bool:
    match verb:
        case Verb.ACKNOWLEDGE:
            return case.acknowledged_at is None
        case Verb.PROPOSE:
            return case.decision is None
        case _:
            return True


def _may_respond(case: Case, action: Action) -> bool:
    """A final response waits for what is before a second person or the complainant; a holding one for nothing."""
    held = (State.WAITING, State.PROPOSED)
    return not (isinstance(action, Respond) and action.final and case.state in held)


def _check_actor(case: Case, action: Action, actor: Actor) -> None:
    if actor.id in case.about:
        raise ConflictOfInterest
    if action.verb in SUPERVISED and not (actor.supervisor or actor.manager):
        raise NotEntitled
    if isinstance(action, Assign) and action.assignee in case.about:
        raise ConflictOfInterest("The complaint is about this officer.")
    said = action.decision if isinstance(action, Propose | Resolve) else None
    if said is not None and said.outcome == "rejected" and actor.branch is not None and actor.branch == case.branch:
        raise ConflictOfInterest("A branch does not reject a complaint about itself.")
    if isinstance(action, Triage) and _softened(case, action) and not (actor.supervisor or actor.manager):
        raise NotEntitled("Only a supervisor makes a case less grave.")
    free = action.verb in _ANYBODY or actor.supervisor
    if case.assignee is not None and actor.id != case.assignee and not free:
        raise NotAssignee


def _softened(case: Case, action: Triage) -> bool:
    return action.severity is not None and _GRAVITY.index(action.severity) < _GRAVITY.index(case.severity)


def _decided(case: Case, action: Resolve, powers: Powers) -> Decision:
    approved = case.proposed if case.approved_at is not None else None
    decision = _whole(action.decision if action.decision is not None else approved)
    if (decision != approved or case.approved_by is None) and (needs := powers.reasons(case, decision)):
        raise ApprovalNeeded(f"A second person has to approve this (because of: {', '.join(needs)}); propose it first.")
    return decision


def _whole(decision: Decision | None) -> Decision:
    if decision is None:
        wrong = FieldError("/outcome", "is needed: nothing has been proposed and approved", "missing")
        raise Invalid("A decision is needed.", errors=(wrong,))
    if (decision.redress is None) == (decision.no_redress_reason is None):
        wrong = FieldError("/redress", "name the redress, or the reason for none: exactly one of them", "redress")
        raise Invalid("A resolution says what is paid or why nothing is.", errors=(wrong,))
    return decision


def moment(case: Case, action: Action, *, now: datetime) -> datetime:
    """When `action` happened, in UTC to the millisecond. Raises ImpossibleTime.

    Verbs that stand beside the other steps are measured against the receipt alone.
    """
    if action.at is None:
        return now
    if action.at > now:
        raise _impossible("lies in the future")
    latest_first: dict[str, datetime | None] = {
        "the case was closed": case.closed_at,
        "the case was resolved": case.resolved_at,
        "the final response went out": case.final_response_at,
        "the decision was approved": case.approved_at,
        "the decision was proposed": case.proposed_at,
        "the last holding response went out": case.holding_response_at,
        "the case was claimed": case.assigned_at,
        "the complaint was received": case.received_at,
    }
    if action.verb in _BESIDE:
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
