"""Which steps a person may take with a case now, and in words why not the others. The domain decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.routing.domain import machine
from services.routing.domain.case import (
    Actor,
    ApprovalNeeded,
    Case,
    CloseIncomplete,
    ConflictOfInterest,
    Decision,
    NotAssignee,
    NotEntitled,
    SamePerson,
    VerbNotAllowed,
    missing,
)
from services.routing.domain.machine import MACHINE, Action, Verb
from services.routing.domain.powers import Powers
from services.routing.pages.words import person
from services.routing.usecases.bulk import UndoneBefore
from services.routing.usecases.staff import NobodyFree
from services.routing.usecases.steps import ConsultNotFound
from shared.errors import Invalid, PreconditionFailed, RedressError
from shared.i18n import Translator, mark

_PLAIN = Decision("withdrawn", "-", None, "-")
_PROBES: Mapping[Verb, Action] = {
    Verb.TRIAGE: machine.Triage(),
    Verb.CLAIM: machine.Claim(),
    Verb.ASSIGN: machine.Assign(assignee="-"),
    Verb.TRANSFER: machine.Transfer(department="-"),
    Verb.ACKNOWLEDGE: machine.Acknowledge(),
    Verb.NOTE: machine.Note(),
    Verb.CONSULT: machine.Consult(department="-"),
    Verb.ADVISE: machine.Advise(consult_id="-"),
    Verb.REQUEST_INFORMATION: machine.RequestInformation(),
    Verb.RECEIVE_INFORMATION: machine.ReceiveInformation(),
    Verb.PROPOSE: machine.Propose(decision=_PLAIN),
    Verb.APPROVE: machine.Approve(),
    Verb.RETURN: machine.Return(),
    Verb.RESPOND: machine.Respond(),
    Verb.DELIVER: machine.Deliver(via="other"),
    Verb.RESOLVE: machine.Resolve(),
    Verb.CLOSE: machine.Close(),
    Verb.REOPEN: machine.Reopen(),
    Verb.REFER: machine.Refer(),
}
_HOLDING = machine.Respond(final=False)


@dataclass(frozen=True, slots=True)
class Open:
    """`may`: verbs that this person may take now; `not_now`: the others with the reason; `holding_only`: why the final
    response has to wait although a holding one may go, or nothing."""

    may: tuple[Verb, ...]
    not_now: Mapping[Verb, str]
    holding_only: str = ""


def steps(t: Translator, case: Case, actor: Actor, powers: Powers, now: datetime, *, asked: bool) -> Open:
    """What `actor` may do with `case`. `asked`: a department that was consulted has not answered yet."""
    may, not_now, holding_only = [], {}, ""
    for verb, probe in _PROBES.items():
        if verb is Verb.ADVISE and not asked:
            continue
        try:
            machine.take(case, probe, actor=actor, powers=powers, now=now)
        except Invalid:
            may.append(verb)  # what lacks is for the form to ask
        except RedressError as error:
            why = refused(t, case, verb, error, actor.id)
            if verb is Verb.RESPOND and _possible(case, _HOLDING, actor, powers, now):
                may.append(verb)
                holding_only = why
            else:
                not_now[verb] = why
        else:
            may.append(verb)
    return Open(tuple(may), not_now, holding_only)


def _possible(case: Case, action: Action, actor: Actor, powers: Powers, now: datetime) -> bool:
    try:
        machine.take(case, action, actor=actor, powers=powers, now=now)
    except RedressError:
        return False
    return True


def refused(t: Translator, case: Case, verb: Verb, error: RedressError, me: str) -> str:
    """Why a step was refused, in words."""
    match error:
        case VerbNotAllowed():
            return _not_now(t, case, verb, me)
        case CloseIncomplete():
            lacks = ", ".join(t.label("lacks", name) for name in missing(case))
            return t.gettext("Before it can be closed it still needs: {lacks}.", lacks=lacks)
        case NotAssignee():
            return t.gettext(
                "{person} works on it; only they or a supervisor may.", person=person(t, case.assignee, me)
            )
        case NotEntitled() if verb is Verb.APPROVE and case.proposed is not None and case.proposed.redress:
            return t.gettext("A redress of this amount is for a manager to approve.")
        case _:
            return said(t, error)


_SAID: Mapping[type[RedressError], str] = {
    NotEntitled: mark("This is for a supervisor or manager."),
    ConflictOfInterest: mark("Nobody handles a complaint about themselves, or rejects one about their own branch."),
    SamePerson: mark("Somebody else than who proposed it or works on it has to approve."),
    ApprovalNeeded: mark("A second person has to approve this decision. Propose it first."),
    NobodyFree: mark("No officer of the department can be given this case now. Choose one yourself."),
    ConsultNotFound: mark("This question has been answered already."),
    PreconditionFailed: mark("The case has changed since you opened it."),
    VerbNotAllowed: mark("The case's state does not permit this now."),
    NotAssignee: mark("Somebody else works on it; only they or a supervisor may."),
    UndoneBefore: mark("This has been taken back already."),
}


def said(t: Translator, error: RedressError) -> str:
    """An error in words, where nothing is known of the case."""
    for kind, text in _SAID.items():
        if isinstance(error, kind):
            return t.gettext(text)
    return t.gettext("This cannot be done.")


def by_code(t: Translator, code: str) -> str:
    """The same by an error's code, as results keep it."""
    found = next((text for kind, text in _SAID.items() if kind.code == code), None)
    return t.gettext(found) if found else t.gettext("This cannot be done.")


def works_already(t: Translator, assignee: str, me: str) -> str:
    if assignee == me:
        return t.gettext("You work on it already.")
    return t.gettext("{person} works on it already.", person=person(t, assignee, me))


def _not_now(t: Translator, case: Case, verb: Verb, me: str) -> str:
    if verb is Verb.ACKNOWLEDGE and case.acknowledged_at is not None:
        return t.gettext("The receipt was acknowledged on {at}.", at=t.datetime(case.acknowledged_at))
    if verb is Verb.CLAIM and case.assignee is not None:
        return works_already(t, case.assignee, me)
    if verb is Verb.RESPOND and case.waiting_since is not None:
        return t.gettext("The final response waits until the complainant has answered.")
    if verb is Verb.RESPOND and case.proposed is not None and case.approved_at is None:
        return t.gettext("The final response waits until the proposed decision is approved.")
    if verb is Verb.PROPOSE and case.decision is not None:
        return t.gettext("It has been decided already.")
    there = [t.label("state", state) for state in MACHINE if verb in MACHINE[state] and state is not case.state]
    return t.gettext(
        "Not while the case is “{state}”. It can be done when it is: {states}.",
        state=t.label("state", case.state),
        states=" · ".join(there),
    )
