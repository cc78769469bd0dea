"""Taking steps with a case: load, decide, save, tell, remember."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store
from services.routing.classifier import Rulebook
from services.routing.domain import machine
from services.routing.domain.case import Actor, Case, CaseNotFound, Decision, Redress, State
from services.routing.domain.machine import (
    Acknowledge,
    Action,
    Advise,
    Approve,
    Assign,
    Claim,
    Close,
    Consult,
    Deliver,
    Note,
    Propose,
    ReceiveInformation,
    Refer,
    Reopen,
    RequestInformation,
    Resolve,
    Respond,
    Return,
    Transfer,
    Triage,
)
from services.routing.store import ComplaintCase
from services.routing.store.learning import Correction
from services.routing.usecases.history import remember
from shared import audit, outbox
from shared.clock import rfc3339
from shared.errors import FieldError, Invalid, NotFound, PreconditionFailed
from shared.events import (
    ComplaintAcknowledged,
    ComplaintAssigned,
    ComplaintClassified,
    ComplaintClosed,
    ComplaintConsulted,
    ComplaintDelivered,
    ComplaintInformationReceived,
    ComplaintInformationRequested,
    ComplaintNoted,
    ComplaintOutcomeProposed,
    ComplaintOutcomeReviewed,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintReviewOpened,
    ComplaintRouted,
    ComplaintTransferred,
    Event,
)
from shared.ids import uuid7
from shared.redaction import redact


class ConsultNotFound(NotFound):
    """This case has no such question that waits for an answer."""


@dataclass(frozen=True, slots=True)
class Words:
    """What comes along with a step: a note, a reason, a question or an answer, and until when an answer helps."""

    text: str | None = None
    reply_by: datetime | None = None


async def take(
    tx: AsyncSession,
    complaint_id: str,
    action: Action,
    *,
    actor: Actor,
    rulebook: Rulebook,
    version: int | None,
    now: datetime,
    words: Words = Words(),
) -> ComplaintCase:
    """Do `action` to a case. `version`: the case as the actor saw it; None: as it is.

    Raises CaseNotFound, PreconditionFailed, Invalid, ConsultNotFound, and what `machine.take` raises.
    """
    row = (await store.cases(tx, [complaint_id], locked=True)).get(complaint_id)
    if row is None:
        raise CaseNotFound("No case has this complaint id.")
    if version is not None and version != row.version:
        raise PreconditionFailed(f"The case has changed since; it is {row.state} now.")
    _check_codes(action, rulebook)
    before = domain(row)
    # what a case's fields do not tell of how it was classified: for whoever takes a word of theirs back
    was = {name: getattr(row, name) for name in BESIDE} if isinstance(action, Triage) else None
    after = machine.take(before, action, actor=actor, powers=rulebook.powers, now=now)
    write(row, after)
    text = redact(words.text) if words.text else None
    at = machine.moment(before, action, now=now)
    await _beside(tx, row, before, action, actor, text, now)
    for event in _events(row, before, after, action, actor, rulebook, text, words.reply_by, at):
        outbox.add(tx, event, now=now)
    changes = _changes(before, after)
    detail: dict[str, Any] = {"before": before.state, "after": after.state, "changed": changes}
    if action.at is not None:
        detail["happened_at"] = rfc3339(at)
    audit.add(tx, actor.id, f"case.{action.verb}", complaint_id, now=now, detail=detail)
    told = {"changed": changes} if was is None else {"changed": changes, "was": {**was, "state": before.state}}
    remember(tx, complaint_id, action.verb, actor.id, now=now, text=text, detail=told)
    return row


async def _beside(
    tx: AsyncSession,
    row: ComplaintCase,
    before: Case,
    action: Action,
    actor: Actor,
    text: str | None,
    now: datetime,
) -> None:
    """What a step leaves in other tables than the case's own."""
    match action:
        case Consult(department=department):
            asked = store.work.Consult(
                id=uuid7(),
                complaint_id=row.complaint_id,
                department=department,
                question=text or "",
                asked_by=actor.id,
                asked_at=now,
            )
            tx.add(asked)
            outbox.add(tx, _consulted(asked, "asked", now), now=now)
        case Advise(consult_id=id):
            found = await tx.get(store.work.Consult, id)
            if found is None or found.complaint_id != row.complaint_id or found.answered_at is not None:
                raise ConsultNotFound
            found.answer, found.answered_by, found.answered_at = text, actor.id, now
            outbox.add(tx, _consulted(found, "answered", now), now=now)
        case Triage():
            if action.product is not None:
                row.product = action.product
            row.decided_by, row.confidence = "person", 1.0
            learnt: dict[str, Any] = {
                "category": row.category,
                "product": row.product,
                "was": before.category,
                "by": actor.id,
            }
            known = await tx.get(Correction, row.complaint_id)
            if known is None:
                tx.add(Correction(complaint_id=row.complaint_id, at=now, **learnt))
            else:
                for name, value in {**learnt, "was": known.was, "at": now}.items():
                    setattr(known, name, value)


def _consulted(asked: store.work.Consult, state: Any, now: datetime) -> ComplaintConsulted:
    return ComplaintConsulted(
        complaint_id=asked.complaint_id,
        consult_id=asked.id,
        department=asked.department,
        state=state,
        consulted_at=now,
    )


def _check_codes(action: Action, rulebook: Rulebook) -> None:
    wrong = []

    def known(name: str, value: str | None, codes: Any) -> None:
        if value is not None and value not in codes:
            wrong.append(FieldError(f"/{name}", f"is one of: {', '.join(sorted(codes))}", f"unknown_{name}"))

    match action:
        case Triage():
            known("category", action.category, rulebook.categories)
            known("product", action.product, rulebook.products)
            known("department", action.department, rulebook.departments)
        case Transfer() | Consult():
            known("department", action.department, rulebook.departments)
        case Propose(decision=Decision() as decision) | Resolve(decision=Decision() as decision):
            known("root_cause", decision.root_cause, rulebook.root_causes)
            known("no_redress_reason", decision.no_redress_reason, rulebook.no_redress_reasons)
    if wrong:
        raise Invalid("Some values cannot be taken; see errors.", errors=tuple(wrong))


def _events(
    row: ComplaintCase,
    before: Case,
    after: Case,
    action: Action,
    actor: Actor,
    rulebook: Rulebook,
    text: str | None,
    reply_by: datetime | None,
    at: datetime,
) -> list[Event]:
    id = after.complaint_id
    match action:
        case Triage():
            found: list[Event] = [
                ComplaintClassified(
                    complaint_id=id,
                    category=after.category,
                    severity=after.severity,
                    confidence=1,
                    language=row.language,
                    product=row.product,
                    further=_further(row),
                    decided_by="person",
                    classified_at=at,
                )
            ]
            if after.department != before.department or after.assignee != before.assignee:
                reason = "a person has decided"
                found.append(ComplaintRouted(complaint_id=id, department=after.department, reason=reason, routed_at=at))
            return found
        case Claim() | Assign():
            return [ComplaintAssigned(complaint_id=id, assignee=str(after.assignee), assigned_at=at)]
        case Transfer():
            reason = text or ""
            moved = ComplaintTransferred(
                complaint_id=id,
                from_department=before.department,
                department=after.department,
                reason=reason,
                transferred_at=at,
            )
            given = ComplaintRouted(complaint_id=id, department=after.department, reason="transferred", routed_at=at)
            return [moved, given]
        case Acknowledge():
            return [ComplaintAcknowledged(complaint_id=id, acknowledged_at=at)]
        case Note():
            return [ComplaintNoted(complaint_id=id, note_id=uuid7(), noted_at=at)]
        case RequestInformation():
            return [
                ComplaintInformationRequested(
                    complaint_id=id,
                    request_id=uuid7(),
                    question=text or "",
                    language=row.language,
                    reply_by=reply_by,
                    requested_at=at,
                )
            ]
        case ReceiveInformation():
            return [ComplaintInformationReceived(complaint_id=id, received_at=at)]
        case Propose():
            decision = after.proposed
            assert decision is not None
            return [
                ComplaintOutcomeProposed(
                    complaint_id=id,
                    outcome=decision.outcome,
                    root_cause=decision.root_cause,
                    redress_amount=decision.redress.value if decision.redress else None,
                    redress_currency=decision.redress.currency if decision.redress else None,
                    needs=rulebook.powers.reasons(before, decision),
                    proposed_by=str(after.proposed_by),
                    proposed_at=at,
                )
            ]
        case Approve() | Return():
            approved = isinstance(action, Approve)
            return [
                ComplaintOutcomeReviewed(
                    complaint_id=id, approved=approved, reviewed_by=actor.id, reason=text, reviewed_at=at
                )
            ]
        case Respond(final=final):
            told: list[Event] = [ComplaintResponded(complaint_id=id, responded_at=at, final=final)]
            return told + ([_delivered(after)] if final and after.delivered_at else [])
        case Deliver():
            return [_delivered(after)]
        case Resolve():
            decided = after.decision
            assert decided is not None
            return [
                ComplaintResolved(
                    complaint_id=id,
                    outcome=decided.outcome,
                    root_cause=decided.root_cause,
                    redress_amount=decided.redress.value if decided.redress else None,
                    redress_currency=decided.redress.currency if decided.redress else None,
                    resolved_at=at,
                )
            ]
        case Close():
            return [ComplaintClosed(complaint_id=id, closed_at=at)]
        case Reopen():
            return [ComplaintReopened(complaint_id=id, reason=text or "", reopened_at=at)]
        case Refer():
            return [ComplaintReviewOpened(complaint_id=id, cause="staff", opened_at=at)]
        case Consult() | Advise():
            return []  # told with the question itself


def _further(row: ComplaintCase) -> tuple[str, ...]:
    """The types that the complaint is about beside the one that a person chose."""
    return tuple(code for code in orjson.loads(row.explanation).get("further", ()) if code != row.category)


def _delivered(after: Case) -> ComplaintDelivered:
    assert after.delivered_at is not None
    return ComplaintDelivered(
        complaint_id=after.complaint_id,
        via=str(after.delivered_via),
        rights_told=after.rights_told,
        delivered_at=after.delivered_at,
    )


# Columns that bear the names of the domain's fields.
SAME = (
    "department",
    "category",
    "severity",
    "branch",
    "state",
    "version",
    "assignee",
    "assigned_at",
    "acknowledged_at",
    "holding_response_at",
    "waiting_since",
    "proposed_by",
    "proposed_at",
    "approved_by",
    "approved_at",
    "final_response_at",
    "delivered_via",
    "delivered_at",
    "rights_told",
    "resolved_at",
    "closed_at",
    "reopened",
)


BESIDE = ("product", "confidence", "decided_by")
"""Columns about how a case was classified that are no field of the domain's case."""


def domain(row: ComplaintCase) -> Case:
    """A case as decisions see it."""
    fields: dict[str, Any] = {name: getattr(row, name) for name in SAME}
    fields["state"] = State(row.state)
    decision = None
    if row.outcome is not None and row.root_cause is not None:
        redress = None
        if row.redress_value is not None and row.redress_currency is not None:
            redress = Redress(row.redress_value, row.redress_currency)
        outcome: Any = row.outcome
        decision = Decision(outcome, row.root_cause, redress, row.no_redress_reason)
    return Case(
        complaint_id=row.complaint_id,
        received_at=row.received_at,
        about=tuple(orjson.loads(row.about)),
        proposed=_proposed(row.proposed),
        decision=decision,
        **fields,
    )


def write(row: ComplaintCase, after: Case) -> None:
    """Bring a row up to a case."""
    for name in SAME:
        setattr(row, name, getattr(after, name))
    row.about = orjson.dumps(after.about).decode()
    row.proposed = orjson.dumps(decision_view(after.proposed)).decode() if after.proposed else None
    decision = after.decision
    row.outcome = decision.outcome if decision else None
    row.root_cause = decision.root_cause if decision else None
    row.no_redress_reason = decision.no_redress_reason if decision else None
    row.redress_value = decision.redress.value if decision and decision.redress else None
    row.redress_currency = decision.redress.currency if decision and decision.redress else None


def decision_view(decision: Decision) -> dict[str, Any]:
    redress = decision.redress
    return {
        "outcome": decision.outcome,
        "root_cause": decision.root_cause,
        "redress": {"value": f"{redress.value.normalize():f}", "currency": redress.currency} if redress else None,
        "no_redress_reason": decision.no_redress_reason,
    }


def _proposed(raw: str | None) -> Decision | None:
    if raw is None:
        return None
    found = orjson.loads(raw)
    redress = found["redress"]
    return Decision(
        found["outcome"],
        found["root_cause"],
        Redress(Decimal(redress["value"]), redress["currency"]) if redress else None,
        found["no_redress_reason"],
    )


def _changes(before: Case, after: Case) -> dict[str, list[str | None]]:
    """Field -> before and after, for the audit trail; nothing that anybody wrote is in it."""
    found = {}
    for name in (*SAME, "about", "proposed", "decision"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other and name not in ("version", "state"):
            found[name] = [_plain(one), _plain(other)]
    return found


def _plain(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Decision):
        return orjson.dumps(decision_view(value)).decode()
    return ",".join(value) if isinstance(value, tuple) else str(value)
