"""Letters of a case: written, looked at as they will be, changed by hand, issued, printed."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.routing import store
from services.routing.api.cases import ComplaintId
from services.routing.api.context import Rules, actor_of
from services.routing.api.letters import Bank, LetterIn
from services.routing.classifier import Rulebook
from services.routing.domain.case import CaseNotFound
from services.routing.domain.machine import Verb
from services.routing.letters import KINDS, Letter, LetterIncomplete, MandatoryTextMissing
from services.routing.pages import fields, refusals
from services.routing.pages.case import NARRATIVE, Trouble
from services.routing.pages.words import person
from services.routing.usecases import letters
from services.routing.usecases.steps import domain
from shared import audit, i18n
from shared.clock import Clock
from shared.db import Database
from shared.errors import Conflict, Forbidden, Invalid, PreconditionFailed, RedressError, Refused
from shared.i18n import Translator
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.problems import status_of
from shared.web.router import Router

router = Router(include_in_schema=False)
_WRITERS = (Role.OFFICER, Role.SUPERVISOR)
Reader = Annotated[Principal, Depends(allow(*NARRATIVE))]
FormWriter = Annotated[Principal, Depends(allow(*_WRITERS, own_form=True))]
_GIVEN = ("kind", "language", "explanation", "reply_by", "adr_body", "body")


@router.get("/cases/{complaint_id}/letter", response_class=HTMLResponse)
async def letter(complaint_id: ComplaintId, request: Request, principal: Reader, tx: Tx, clock: ClockDep) -> Response:
    """The letters of a case, and the form to write one. Reading them is audited."""
    return await _page(request, principal, tx, complaint_id, clock)


async def _page(
    request: Request,
    principal: Principal,
    tx: AsyncSession,
    id: str,
    clock: Clock,
    *,
    filled: Filled = NOTHING,
    made: Letter | None = None,
    trouble: Trouble | None = None,
) -> Response:
    row = (await store.cases(tx, [id])).get(id)
    if row is None:
        raise CaseNotFound("No case has this complaint id.")
    t = pages.translator(request)
    audit.add(tx, principal.id, "case.letters_read", id, now=clock())
    status = trouble.status if trouble else 422 if filled.wrong else 200
    return pages.render(
        request,
        "letter.html",
        status,
        case=row,
        letters=[
            {**letters.view(one), "issued_at": one.issued_at, "by": person(t, one.issued_by, principal.id)}
            for one in reversed(await store.work.letters(tx, id))
        ],
        may=principal.has(*_WRITERS),
        kinds=[(kind, t.label("letter", kind)) for kind in KINDS],
        languages_of=list(i18n.LANGUAGES.items()),
        language=row.language if row.language in i18n.LANGUAGES else "zh-Hant",
        made=made,
        trouble=trouble,
        filled=filled,
        names=fields.NAMES,
        kept=forms.kept(request),
    )


@router.post("/cases/{complaint_id}/letter", response_class=HTMLResponse)
async def write(
    complaint_id: ComplaintId, request: Request, principal: FormWriter, rulebook: Rules, bank: Bank, clock: ClockDep
) -> Response:
    """Look at the letter as it would be, or (`do=issue`) issue it. Nothing that was typed is lost by a refusal."""
    db: Database = request.app.state.db
    given = await forms.given(request)
    t = pages.translator(request)
    issues = given.get("do") == "issue"
    seen = given.get("version", "")
    made, trouble, filled = None, None, Filled("letter", given)
    try:
        body = forms.model(LetterIn, _values(given, edited=issues))
        async with db.transaction() as tx:
            if issues:
                draft = body.draft()
                await letters.issue(
                    tx,
                    complaint_id,
                    await _unedited(tx, complaint_id, draft, bank, rulebook),
                    bank,
                    actor=await actor_of(tx, principal),
                    rulebook=rulebook,
                    version=int(seen) if seen.isascii() and seen.isdigit() else None,
                    now=clock(),
                )
            else:
                made = await letters.preview(tx, complaint_id, body.draft(), bank, rulebook)
    except (Invalid, LetterIncomplete) as error:
        filled = forms.failed(t, "letter", given, Invalid(errors=error.errors))
    except MandatoryTextMissing as error:
        filled = Filled("letter", given, {"body": _lacking(t, error)})
    except CaseNotFound:
        raise
    except (Refused, Conflict, Forbidden) as error:
        trouble = await _trouble(db, t, complaint_id, given, error, principal.id)
    if issues and trouble is None and not filled.wrong:
        return forms.back(request, f"/cases/{complaint_id}/letter", "letters")
    async with db.transaction() as tx:
        return await _page(request, principal, tx, complaint_id, clock, filled=filled, made=made, trouble=trouble)


def _values(given: Mapping[str, str], *, edited: bool) -> dict[str, Any]:
    values: dict[str, Any] = {name: given[name] for name in _GIVEN if name in given}
    if not edited:
        values.pop("body", None)
    if "reply_by" in values:
        values["reply_by"] = fields.day(values["reply_by"], "reply_by")
    return values | {"term_passed": given.get("term_passed") == "1"}


async def _unedited(
    tx: AsyncSession, id: str, draft: letters.Draft, bank: letters.Desk, rulebook: Rulebook
) -> letters.Draft:
    """The draft without its body where nobody has changed that: it is then composed anew, as any other."""
    if draft.body is None:
        return draft
    plain = letters.Draft(
        draft.kind, draft.language, draft.explanation, draft.reply_by, draft.adr_body, draft.term_passed
    )
    composed = await letters.preview(tx, id, plain, bank, rulebook)
    return plain if composed.body.split() == draft.body.split() else draft


def _lacking(t: Translator, error: MandatoryTextMissing) -> str:
    texts = [one.detail.removeprefix("must hold, word for word: ") for one in error.errors]
    return t.gettext("The letter must hold, word for word: {texts}", texts=" · ".join(texts))


async def _trouble(
    db: Database, t: Translator, id: str, given: Mapping[str, str], error: RedressError, me: str
) -> Trouble:
    status = status_of(type(error))[0]
    if isinstance(error, PreconditionFailed):
        return Trouble(refusals.said(t, error), status)
    async with db.reading() as session:
        row = (await store.cases(session, [id]))[id]
    verb = Verb.ACKNOWLEDGE if given.get("kind") == "acknowledgement" else Verb.RESPOND
    return Trouble(refusals.refused(t, domain(row), verb, error, me), status)
