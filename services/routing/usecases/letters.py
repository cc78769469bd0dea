"""Letters to complainants: composed from what the case holds, looked at, issued with the step that they are."""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import letters, store
from services.routing.classifier import Rulebook
from services.routing.domain.case import Actor, CaseNotFound
from services.routing.domain.machine import Acknowledge, Action, Respond
from services.routing.letters import Facts, Kind, Language, Letter
from services.routing.store import ComplaintCase
from services.routing.usecases import steps
from services.routing.usecases.history import remember
from shared import audit, outbox
from shared.clock import rfc3339
from shared.errors import Conflict, NotFound, PreconditionFailed, Refused
from shared.events import ClockExtended, ComplaintLetterIssued
from shared.ids import uuid7
from shared.letters import render
from shared.redaction import redact


class LetterNotFound(NotFound):
    """This case has no such letter."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What letters need of the bank: the templates, its name, its zone, and whose law holds where a complaint names
    none."""

    book: letters.Book
    bank_name: str
    zone: ZoneInfo
    home: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What an officer says: the kind, the language (None: the complaint's), the explanation, and, where the text was
    changed by hand, the whole body."""

    kind: Kind
    language: Language | None = None
    explanation: str | None = None
    reply_by: date | None = None
    adr_body: str | None = None
    term_passed: bool = False
    body: str | None = None


def compose(row: ComplaintCase, draft: Draft, desk: Desk, rulebook: Rulebook) -> Letter:
    """The letter as it would be issued. Raises LetterIncomplete, MandatoryTextMissing."""
    language: Language = draft.language or _language(row)
    case = steps.domain(row)
    decision = case.decision or case.proposed
    labels = rulebook.departments[row.department].labels.model_dump(by_alias=True)
    facts = Facts(
        reference=row.reference,
        received_on=row.received_at.astimezone(desk.zone).date(),
        department=labels[language],
        explanation=redact(draft.explanation) if draft.explanation else None,
        outcome=decision.outcome if decision else None,
        redress_amount=decision.redress.value if decision and decision.redress else None,
        redress_currency=decision.redress.currency if decision and decision.redress else None,
        reply_by=draft.reply_by,
        term_passed=draft.term_passed,
        adr_body=draft.adr_body,
        jurisdiction=row.jurisdiction,
        home=desk.home,
    )
    composed = letters.compose(desk.book, draft.kind, language, facts)
    if draft.body is None:
        return composed
    body = redact(draft.body)
    letters.check_edited(desk.book, draft.kind, language, facts, body)
    return Letter(composed.kind, language, composed.subject, body, composed.template_version)


async def preview(tx: AsyncSession, complaint_id: str, draft: Draft, desk: Desk, rulebook: Rulebook) -> Letter:
    """The letter as it would be issued; nothing is stored. Raises CaseNotFound and what `compose` raises."""
    return compose(await _row(tx, complaint_id), draft, desk, rulebook)


async def issue(
    tx: AsyncSession,
    complaint_id: str,
    draft: Draft,
    desk: Desk,
    *,
    actor: Actor,
    rulebook: Rulebook,
    version: int | None,
    now: datetime,
) -> store.work.Letter:
    """Write the letter down, have intake send it, and take the step that it is: an acknowledgement, a holding response,
    or the final one, which is delivered once intake has sent it.

    Raises CaseNotFound, PreconditionFailed, what `compose` raises and what the step raises.
    """
    row = await _row(tx, complaint_id, locked=True)
    if version is not None and version != row.version:
        raise PreconditionFailed(f"The case has changed since; it is {row.state} now.")
    letter = compose(row, draft, desk, rulebook)
    if (action := _step(row, draft.kind)) is not None:
        await steps.take(tx, complaint_id, action, actor=actor, rulebook=rulebook, version=None, now=now)
    one = store.work.Letter(
        id=uuid7(),
        complaint_id=complaint_id,
        kind=letter.kind,
        language=letter.language,
        template=letter.template_version,
        subject=letter.subject,
        body=letter.body,
        issued_by=actor.id,
        issued_at=now,
    )
    tx.add(one)
    told = ComplaintLetterIssued(
        complaint_id=complaint_id,
        letter_id=one.id,
        kind=letter.kind,
        language=letter.language,
        subject=letter.subject,
        body=letter.body,
        issued_at=now,
    )
    outbox.add(tx, told, now=now)
    detail = {"letter": one.id, "kind": one.kind, "language": one.language, "template": one.template}
    audit.add(tx, actor.id, "case.letter_issued", complaint_id, now=now, detail=detail)
    remember(tx, complaint_id, "letter", actor.id, now=now, detail=detail)
    return one


async def extended(
    tx: AsyncSession, row: ComplaintCase, event: ClockExtended, desk: Desk, *, rulebook: Rulebook, now: datetime
) -> None:
    """The holding letter that an extension of a deadline asks for: why, until when, and where the complainant may turn.
    Where the case permits no holding response any more, its history says that no letter went out, and why."""
    language = _language(row)
    right = (event.rights or {}).get(language)
    draft = Draft(
        kind="holding",
        language=language,
        explanation="\n\n".join(part for part in (event.reason, right) if part),
        reply_by=event.due_at.astimezone(desk.zone).date(),
    )
    actor = Actor(event.approved_by, supervisor=True, manager=True)
    try:
        await issue(tx, row.complaint_id, draft, desk, actor=actor, rulebook=rulebook, version=None, now=now)
    except (Refused, Conflict) as error:
        detail = {"cause": "extension", "code": error.code}
        remember(tx, row.complaint_id, "letter_not_issued", event.approved_by, now=now, detail=detail)


async def pdf(row: store.work.Letter, reference: str, desk: Desk) -> bytes:
    """A letter on paper, addressed to a customer: the name is known to intake alone."""
    return await paper(row.subject, row.body, row.language, reference, row.issued_at, desk)


async def paper(subject: str, body: str, language: str, reference: str, at: datetime, desk: Desk) -> bytes:
    return await asyncio.to_thread(
        render,
        subject,
        body,
        language=language,
        reference=reference,
        date=at.astimezone(desk.zone).date(),
        bank_name=desk.bank_name,
        complainant=None,
    )


async def found(tx: AsyncSession, complaint_id: str, letter_id: str) -> tuple[ComplaintCase, store.work.Letter]:
    """Raises CaseNotFound, LetterNotFound."""
    row = await _row(tx, complaint_id)
    letter = await tx.get(store.work.Letter, letter_id)
    if letter is None or letter.complaint_id != complaint_id:
        raise LetterNotFound
    return row, letter


def view(row: store.work.Letter) -> dict[str, Any]:
    plain = ("id", "kind", "language", "template", "subject", "body", "issued_by", "state", "via", "reason")
    return {
        **{name: getattr(row, name) for name in plain},
        "issued_at": rfc3339(row.issued_at),
        "settled_at": rfc3339(row.settled_at) if row.settled_at else None,
    }


def _step(row: ComplaintCase, kind: Kind) -> Action | None:
    match kind:
        case "acknowledgement":
            return Acknowledge() if row.acknowledged_at is None else None
        case "holding":
            return Respond(final=False)
        case "final" | "summary_resolution":
            return Respond(final=True, rights_told=True)
        case _:
            return None


def _language(row: ComplaintCase) -> Language:
    known: dict[str | None, Literal["zh-Hant", "zh-Hans", "en"]] = {one: one for one in letters.LANGUAGES}
    return known.get(row.language, "zh-Hant")


async def _row(tx: AsyncSession, complaint_id: str, *, locked: bool = False) -> ComplaintCase:
    row = (await store.cases(tx, [complaint_id], locked=locked)).get(complaint_id)
    if row is None:
        raise CaseNotFound("No case has this complaint id.")
    return row
