"""What routing does, one function a verb: load, decide, save, add event."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import domain, store
from services.routing.classifier import Rulebook
from services.routing.domain import (
    Acknowledge,
    Action,
    Actor,
    Case,
    CaseNotFound,
    Claim,
    Close,
    Redress,
    Resolve,
    Respond,
    State,
)
from services.routing.store import ComplaintCase
from shared import audit, outbox
from shared.clock import rfc3339
from shared.errors import FieldError, Invalid, PreconditionFailed
from shared.events import (
    ComplaintAcknowledged,
    ComplaintAssigned,
    ComplaintClassified,
    ComplaintClosed,
    ComplaintReceived,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintRouted,
    Event,
)


def open_case(tx: AsyncSession, received: ComplaintReceived, rulebook: Rulebook, *, now: datetime) -> store.Row:
    """Classify a complaint, give it to a department and open its case. The caller knows that there is none yet, and
    inserts the row."""
    found = rulebook.classify(
        received.narrative, product=received.product, language=received.language, channel=received.channel
    )
    routing = rulebook.route(found, channel=received.channel)
    row: store.Row = {
        "complaint_id": received.complaint_id,
        "version": 1,
        "reference": received.reference,
        "channel": received.channel,
        "received_at": received.received_at,
        "sort_key": f"{rfc3339(received.received_at)}|{received.complaint_id}",
        "state": State.ROUTED,
        "department": routing.department,
        "routing_reason": routing.reason[:500],
        "category": found.category,
        "severity": found.severity,
        "confidence": found.confidence,
        "rules": orjson.dumps(found.rule_ids).decode(),
        "narrative": received.narrative,
        "product": found.product or received.product,
        "branch": received.branch,
        "language": found.language,
        "amount": received.amount,
        "currency": received.currency,
        "desired_outcome": received.desired_outcome,
        "imported": received.imported,
        "escalation_level": 0,
        "escalation_role": None,
    }
    id = received.complaint_id
    classified = ComplaintClassified(
        complaint_id=id,
        category=found.category,
        severity=found.severity,
        rules=found.rule_ids,
        confidence=found.confidence,
        language=found.language,
        classified_at=now,
    )
    outbox.add(tx, classified, now=now)
    outbox.add(
        tx,
        ComplaintRouted(complaint_id=id, department=routing.department, reason=routing.reason, routed_at=now),
        now=now,
    )
    detail = {
        "department": routing.department,
        "reason": routing.reason,
        "category": found.category,
        "severity": found.severity,
        "rules": found.rule_ids,
        "rulebook": rulebook.version,
    }
    audit.add(tx, "system", "case.opened", id, now=now, detail=detail)
    return row


def escalate(tx: AsyncSession, case: ComplaintCase, level: int, role: str, *, now: datetime) -> None:
    """Note on a case that it was escalated. Escalations may come out of order: a case never steps down by itself."""
    if level > case.escalation_level:
        for name, value in escalation(tx, case.complaint_id, level, role, now=now).items():
            setattr(case, name, value)
        case.version += 1


def forget(case: ComplaintCase) -> None:
    """Drop what people said from a case whose complaint was erased; what was decided and when stays."""
    case.narrative, case.desired_outcome = "", None
    case.version += 1


async def catch_up(tx: AsyncSession, *, now: datetime, limit: int = 500) -> int:
    """Note escalations that still wait although their case is open; returns how many.

    Two workers may hear of one complaint at the same moment, one that it was received and the other that it was
    escalated; neither then sees what the other is about to commit.
    """
    waiting = await store.overtaken(tx, limit)
    cases = await store.cases(tx, [w.complaint_id for w in waiting], locked=True)
    for one in waiting:
        escalate(tx, cases[one.complaint_id], one.level, one.role, now=now)
        await tx.delete(one)
    return len(waiting)


def escalation(tx: AsyncSession, complaint_id: str, level: int, role: str, *, now: datetime) -> store.Row:
    """What an escalation changes in a case's row."""
    audit.add(tx, "system", "case.escalated", complaint_id, now=now, detail={"level": level, "role": role})
    return {"escalation_level": level, "escalation_role": role}


async def take(
    tx: AsyncSession,
    complaint_id: str,
    action: Action,
    *,
    actor: Actor,
    rulebook: Rulebook,
    version: int | None,
    now: datetime,
) -> ComplaintCase:
    """Do `action` to a case. `version`: the case as the actor saw it; None: as it is.

    Raises CaseNotFound, PreconditionFailed, and what `domain.take` raises.
    """
    row = (await store.cases(tx, [complaint_id], locked=True)).get(complaint_id)
    if row is None:
        raise CaseNotFound("No case has this complaint id.")
    if version is not None and version != row.version:
        raise PreconditionFailed(f"The case has changed since; it is {row.state} now.")
    if isinstance(action, Resolve):
        _known_codes(action, rulebook)
    before = _domain(row)
    after = domain.take(before, action, actor=actor, now=now)
    for name in _COLUMNS:
        setattr(row, name, getattr(after, name))
    row.redress_value = after.redress.value if after.redress else None
    row.redress_currency = after.redress.currency if after.redress else None
    outbox.add(tx, _event(action, after, at := domain.moment(before, action, now=now)), now=now)
    detail: dict[str, Any] = {"before": before.state, "after": after.state}
    if action.at is not None:
        detail["happened_at"] = rfc3339(at)
    audit.add(tx, actor.id, f"case.{action.verb}", complaint_id, now=now, detail=detail)
    return row


def _known_codes(action: Resolve, rulebook: Rulebook) -> None:
    wrong = []
    if action.root_cause not in rulebook.root_causes:
        known = ", ".join(sorted(rulebook.root_causes))
        wrong.append(FieldError("/root_cause", f"is one of: {known}", "unknown_root_cause"))
    if action.no_redress_reason is not None and action.no_redress_reason not in rulebook.no_redress_reasons:
        known = ", ".join(sorted(rulebook.no_redress_reasons))
        wrong.append(FieldError("/no_redress_reason", f"is one of: {known}", "unknown_reason"))
    if wrong:
        raise Invalid("Some values cannot be taken; see errors.", errors=tuple(wrong))


def _event(action: Action, after: Case, at: datetime) -> Event:
    id = after.complaint_id
    match action:
        case Claim():
            return ComplaintAssigned(complaint_id=id, assignee=str(after.assignee), assigned_at=at)
        case Acknowledge():
            return ComplaintAcknowledged(complaint_id=id, acknowledged_at=at)
        case Respond(final=final):
            return ComplaintResponded(complaint_id=id, responded_at=at, final=final)
        case Resolve(outcome=outcome, root_cause=root_cause, redress=redress):
            return ComplaintResolved(
                complaint_id=id,
                outcome=outcome,
                root_cause=root_cause,
                redress_amount=redress.value if redress else None,
                redress_currency=redress.currency if redress else None,
                resolved_at=at,
            )
        case Close():
            return ComplaintClosed(complaint_id=id, closed_at=at)


# Columns that bear the names of the domain's fields.
_COLUMNS = (
    "state",
    "version",
    "assignee",
    "assigned_at",
    "acknowledged_at",
    "holding_response_at",
    "final_response_at",
    "outcome",
    "root_cause",
    "no_redress_reason",
    "resolved_at",
    "closed_at",
)


def _domain(row: ComplaintCase) -> Case:
    redress = None
    if row.redress_value is not None and row.redress_currency is not None:
        redress = Redress(row.redress_value, row.redress_currency)
    fields: dict[str, Any] = {name: getattr(row, name) for name in _COLUMNS}
    fields["state"] = State(row.state)
    return Case(complaint_id=row.complaint_id, received_at=row.received_at, redress=redress, **fields)


_TIMES = tuple(name for name in ("received_at", *_COLUMNS) if name.endswith("_at"))
_PLAIN = (
    *("complaint_id", "reference", "channel", "state", "department", "routing_reason", "category", "severity"),
    *("confidence", "product", "branch", "language", "currency", "assignee", "outcome", "root_cause"),
    *("no_redress_reason", "escalation_level", "escalation_role", "imported", "version"),
)


def view(row: ComplaintCase) -> dict[str, Any]:
    """A case for people who work with it."""
    case = _domain(row)
    return {
        **{name: getattr(row, name) for name in _PLAIN},
        **{name: rfc3339(at) if (at := getattr(row, name)) else None for name in _TIMES},
        "amount": _money(row.amount),
        "rules": orjson.loads(row.rules),
        "redress": {"value": _money(case.redress.value), "currency": case.redress.currency} if case.redress else None,
        "next_steps": [str(v) for v in domain.permitted(case)],
    }


def _money(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"
