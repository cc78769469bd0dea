"""Opening cases, and what is heard of them from the other services."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store
from services.routing.classifier import Classification, Facts, Rulebook
from services.routing.classifier.decide import GRAVITY
from services.routing.domain.case import State
from services.routing.domain.deadlines import Next
from services.routing.store import ComplaintCase
from services.routing.usecases.deadlines import due_key
from services.routing.usecases.history import remember
from shared import audit, outbox
from shared.clock import rfc3339
from shared.events import (
    ComplaintAmended,
    ComplaintClassified,
    ComplaintDisputed,
    ComplaintInformationReceived,
    ComplaintNotified,
    ComplaintReceived,
    ComplaintReviewOpened,
    ComplaintRouted,
    ComplaintWithdrawn,
)

_DECIDED = (State.RESPONDED, State.RESOLVED, State.CLOSED)


async def repeats(tx: AsyncSession, refs: set[str], rulebook: Rulebook, *, now: datetime) -> dict[str, int]:
    """Person -> how many complaints of theirs are known from the last days that count."""
    if not refs:
        return {}
    since = now - timedelta(days=rulebook.registers.rules.signals.repeat_days)
    return await store.case.earlier(tx, refs, since)


def open_case(
    tx: AsyncSession, received: ComplaintReceived, rulebook: Rulebook, *, now: datetime, earlier: int = 0
) -> store.Row:
    """Classify a complaint, give it to a department and open its case. `earlier`: complaints of the same person lately.
    The caller knows that there is no case yet, and inserts the row."""
    facts = Facts(
        product=received.product,
        language=received.language,
        channel=received.channel,
        branch=received.branch,
        amount=received.amount,
        currency=received.currency,
        repeats=earlier + 1,
    )
    found = rulebook.classify(received.narrative, facts, explain=True)
    routing = rulebook.route(found, facts)
    triage = found.decided_by == "person" and not received.imported
    row: store.Row = {
        "complaint_id": received.complaint_id,
        "version": 1,
        "reference": received.reference,
        "channel": received.channel,
        "received_at": received.received_at,
        "sort_key": f"{rfc3339(received.received_at)}|{received.complaint_id}",
        "state": State.TRIAGE if triage else State.ROUTED,
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
        "decided_by": found.decided_by,
        "model": found.model,
        "explanation": orjson.dumps(explanation(found)).decode(),
        "customer_ref": received.customer_ref,
        "jurisdiction": received.jurisdiction,
        "vulnerable": False,
        "about": "[]",
        "rights_told": False,
        "reopened": 0,
        "next_due_at": None,
        "next_step": None,
        "due_key": due_key(received.complaint_id, Next()),
    }
    id = received.complaint_id
    outbox.add(tx, classified(id, found, now=now), now=now)
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
        "model": found.model,
        "decided_by": found.decided_by,
    }
    audit.add(tx, "system", "case.opened", id, now=now, detail=detail)
    return row


def classified(id: str, found: Classification, *, now: datetime) -> ComplaintClassified:
    return ComplaintClassified(
        complaint_id=id,
        category=found.category,
        severity=found.severity,
        rules=found.rule_ids,
        confidence=found.confidence,
        language=found.language,
        product=found.product,
        further=found.further,
        decided_by=found.decided_by,
        model=found.model,
        classified_at=now,
    )


def explanation(found: Classification) -> dict[str, Any]:
    """Why a complaint was classified so: the words of each rule, what weighed with the model, what made it grave."""
    return {
        "rules": [{"id": s.rule.id, "words": list(s.words)} for s in found.spoke],
        "model": [{"text": w.text, "weight": round(w.weight, 3)} for w in found.words],
        "chances": dict(found.chances[:3]),
        "signals": list(found.signals),
        "product": found.product_reason,
        "further": list(found.further),
    }


def escalate(tx: AsyncSession, case: ComplaintCase, level: int, role: str, *, now: datetime) -> None:
    """Note on a case that it was escalated. Escalations may come out of order: a case never steps down by itself."""
    if level > case.escalation_level:
        for name, value in escalation(tx, case.complaint_id, level, role, now=now).items():
            setattr(case, name, value)
        case.version += 1


def escalation(tx: AsyncSession, complaint_id: str, level: int, role: str, *, now: datetime) -> store.Row:
    """What an escalation changes in a case's row."""
    audit.add(tx, "system", "case.escalated", complaint_id, now=now, detail={"level": level, "role": role})
    return {"escalation_level": level, "escalation_role": role}


async def forget(tx: AsyncSession, case: ComplaintCase) -> None:
    """Drop what people said from a case whose complaint was erased; what was decided and when stays."""
    for name, value in FORGOTTEN.items():
        setattr(case, name, value)
    case.version += 1
    await store.work.forget(tx, case.complaint_id)


FORGOTTEN: Mapping[str, Any] = {"narrative": "", "desired_outcome": None, "explanation": "{}", "customer_ref": None}


def amended(tx: AsyncSession, case: ComplaintCase, event: ComplaintAmended, *, now: datetime) -> None:
    """A vulnerable customer's complaint is at least `high` from the moment that it is known. Nothing makes it less
    grave again but a person's word."""
    if event.vulnerable is None or event.vulnerable == case.vulnerable:
        return
    case.vulnerable = event.vulnerable
    case.version += 1
    if event.vulnerable and GRAVITY[case.severity] < GRAVITY["high"]:
        case.severity = "high"
        decider: Any = case.decided_by
        raised = ComplaintClassified(
            complaint_id=case.complaint_id,
            category=case.category,
            severity="high",
            rules=tuple(orjson.loads(case.rules)),
            confidence=case.confidence,
            language=case.language,
            product=case.product,
            further=tuple(orjson.loads(case.explanation).get("further", ())),
            decided_by=decider,
            model=case.model,
            classified_at=now,
        )
        outbox.add(tx, raised, now=now)
    detail = {"vulnerable": case.vulnerable, "severity": case.severity}
    audit.add(tx, "system", "case.amended", case.complaint_id, now=now, detail=detail)
    remember(tx, case.complaint_id, "amended", "system", now=now, detail=detail)


def withdrawn(tx: AsyncSession, case: ComplaintCase, event: ComplaintWithdrawn, *, now: datetime) -> None:
    """The complainant took it back; the officer sees it and closes the case with that outcome."""
    case.withdrawn_at = event.withdrawn_at
    case.version += 1
    remember(tx, case.complaint_id, "withdrawn", "complainant", now=now, text=event.reason)


def disputed(tx: AsyncSession, case: ComplaintCase, event: ComplaintDisputed, *, now: datetime) -> None:
    """The complainant does not accept the outcome: the complaint office looks at it again."""
    case.disputed_at = event.disputed_at
    case.version += 1
    if State(case.state) in _DECIDED:
        case.state = State.IN_REVIEW
        opened = ComplaintReviewOpened(complaint_id=case.complaint_id, cause="dispute", opened_at=now)
        outbox.add(tx, opened, now=now)
        audit.add(tx, "system", "case.review_opened", case.complaint_id, now=now, detail={"cause": "dispute"})
    remember(tx, case.complaint_id, "disputed", "complainant", now=now, text=event.grounds)


def answered(tx: AsyncSession, case: ComplaintCase, *, now: datetime) -> None:
    """The complainant has written: what the case waited for may be there."""
    if case.state == State.WAITING:
        case.state, case.waiting_since = State.IN_PROGRESS, None
        case.version += 1
        outbox.add(tx, ComplaintInformationReceived(complaint_id=case.complaint_id, received_at=now), now=now)
        audit.add(tx, "system", "case.information_received", case.complaint_id, now=now)
    remember(tx, case.complaint_id, "message", "complainant", now=now)


async def delivered(tx: AsyncSession, case: ComplaintCase, event: ComplaintNotified, *, now: datetime) -> None:
    """Intake has sent a letter, or could not; the final one is then delivered."""
    letter = await tx.get(store.work.Letter, event.origin) if event.origin else None
    if letter is None or letter.complaint_id != case.complaint_id:
        return
    letter.state, letter.via, letter.settled_at = event.state, event.via, event.settled_at
    letter.reason = event.reason
    if letter.kind in ("final", "summary_resolution") and event.state == "sent" and case.delivered_at is None:
        case.delivered_at, case.delivered_via = event.settled_at, event.via
    case.version += 1
    detail = {"letter": letter.id, "via": event.via}
    remember(tx, case.complaint_id, f"letter_{event.state}", "system", now=now, detail=detail)


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
