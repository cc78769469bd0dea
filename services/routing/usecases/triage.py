"""Triage: whose a complaint would be if a person chose its category, and taking such a word back."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store
from services.routing.classifier import Classification, Facts, Routing, Rulebook
from services.routing.classifier.table import Known, route
from services.routing.domain.case import CaseNotFound, State
from services.routing.store import ComplaintCase
from services.routing.store.learning import Correction
from services.routing.usecases.history import remember
from services.routing.usecases.steps import BESIDE, domain, write
from shared import audit, outbox
from shared.errors import Conflict
from shared.events import ComplaintClassified, ComplaintRouted


class NothingToUndo(Conflict):
    """Somebody has worked on the case since, or the word was not yours: it cannot be taken back."""

    code = "nothing_to_undo"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A category that a person may choose, how likely the model holds it (None: it says nothing), and who would be
    given the complaint."""

    category: str
    chance: float | None
    department: str


def routed(row: ComplaintCase, category: str, product: str | None, rulebook: Rulebook) -> Routing:
    """Who takes charge of a case by the routing table, were it of this category and product."""
    rules = frozenset(orjson.loads(row.rules))
    known = Known(category, product, row.channel, row.branch, row.severity, row.language, rules)
    return route(rulebook.registers.routes, known)


def suggestions(row: ComplaintCase, rulebook: Rulebook) -> tuple[list[Suggestion], Classification]:
    """All categories, the likeliest first, and what the desk makes of the text now."""
    facts = Facts(row.product, row.language, row.channel, row.branch, row.amount, row.currency, row.vulnerable)
    found = rulebook.classify(row.narrative, facts, explain=True)
    chances = dict(found.chances)
    ranked = sorted(rulebook.categories, key=lambda code: -chances.get(code, 0.0))
    return (
        [
            Suggestion(
                code,
                chances.get(code, 0.0) if chances else None,
                routed(row, code, row.product, rulebook).department,
            )
            for code in ranked
        ],
        found,
    )


async def undo(tx: AsyncSession, complaint_id: str, *, by: str, version: int, now: datetime) -> ComplaintCase:
    """Take back what `by` said of a case in triage, whose version it then was: it waits for a person again, and the
    example that was made of it is gone.

    Raises CaseNotFound, NothingToUndo where anything happened to the case since.
    """
    row = (await store.cases(tx, [complaint_id], locked=True)).get(complaint_id)
    if row is None:
        raise CaseNotFound("No case has this complaint id.")
    line = await store.supervision.last_line(tx, complaint_id)
    if row.version != version or row.state != State.ROUTED or line is None:
        raise NothingToUndo
    detail = orjson.loads(line.detail)
    was = detail.get("was", {})
    if (line.kind, line.actor, was.get("state")) != ("triage", by, State.TRIAGE):
        raise NothingToUndo
    changed: dict[str, list[Any]] = detail["changed"]
    before = {n: changed[n][0] for n in ("category", "department", "severity") if n in changed}
    if changed.keys() - before.keys():  # more was said than the page of triage does
        raise NothingToUndo
    write(row, replace(domain(row), state=State.TRIAGE, version=row.version + 1, **before))
    for name in BESIDE:
        setattr(row, name, was[name])
    if (learnt := await tx.get(Correction, complaint_id)) is not None:
        await tx.delete(learnt)
    _tell(tx, row, "department" in before, now)
    audit.add(tx, by, "case.triage_undone", complaint_id, now=now, detail={"restored": before})
    remember(tx, complaint_id, "triage_undone", by, now=now, detail={"restored": before})
    return row


def _tell(tx: AsyncSession, row: ComplaintCase, moved: bool, now: datetime) -> None:
    """As when the case was opened: the other services hear what holds again."""
    decided_by: Any = row.decided_by
    severity: Any = row.severity
    again = ComplaintClassified(
        complaint_id=row.complaint_id,
        category=row.category,
        severity=severity,
        rules=tuple(orjson.loads(row.rules)),
        confidence=row.confidence,
        language=row.language,
        product=row.product,
        further=tuple(orjson.loads(row.explanation).get("further", ())),
        decided_by=decided_by,
        model=row.model,
        classified_at=now,
    )
    outbox.add(tx, again, now=now)
    if moved:
        given = ComplaintRouted(
            complaint_id=row.complaint_id, department=row.department, reason=row.routing_reason, routed_at=now
        )
        outbox.add(tx, given, now=now)
