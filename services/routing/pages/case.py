"""One case on one page: what was said, what it is, how much time is left, what happened, and what can be done next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.routing import store
from services.routing.api.cases import ComplaintId
from services.routing.api.context import Rules, Today, actor_of
from services.routing.classifier import Rulebook
from services.routing.domain.case import CaseNotFound, missing
from services.routing.domain.machine import Verb
from services.routing.pages import fields, refusals
from services.routing.pages.queue import WORKERS, Reader
from services.routing.pages.words import Names, decision, explanation, line, person, time_left
from services.routing.store import ComplaintCase
from services.routing.usecases import staff, steps
from services.routing.usecases.steps import Words, decision_view, domain
from shared import audit, i18n
from shared.clock import Clock
from shared.db import Database
from shared.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed, Refused
from shared.i18n import Translator
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.problems import status_of
from shared.web.router import Router

router = Router(include_in_schema=False)
FormWorker = Annotated[Principal, Depends(allow(*WORKERS, own_form=True))]
NARRATIVE = (Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR)
_LINES = 100
_VIAS = ("email", "post", "sms", "webhook", "phone", "in_person", "other")
_CURRENCIES = ("HKD", "CNY", "USD", "MOP", "TWD", "GBP", "EUR")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a step was not taken: in words, and for a case that has changed since, the last line that was seen."""

    why: str
    status: int
    seen: str | None = None


@router.get("/cases/{complaint_id}", response_class=HTMLResponse)
async def case(
    complaint_id: ComplaintId, request: Request, principal: Reader, tx: Tx, rulebook: Rules, clock: ClockDep
) -> Response:
    """A case. Reading what the complainant said is audited."""
    return await draw(request, principal, tx, complaint_id, rulebook, clock)


async def draw(
    request: Request,
    principal: Principal,
    tx: AsyncSession,
    id: str,
    rulebook: Rulebook,
    clock: Clock,
    *,
    filled: Filled = NOTHING,
    trouble: Trouble | None = None,
) -> Response:
    """The page; after a step that was refused with the reason and all that was typed."""
    row = (await store.cases(tx, [id])).get(id)
    if row is None:
        raise CaseNotFound("No case has this complaint id.")
    t = pages.translator(request)
    names = Names(t, rulebook)
    now = clock()
    inside = principal.has(*NARRATIVE)
    if inside:
        audit.add(tx, principal.id, "case.read", id, now=now)
    lines = await store.work.latest(tx, id, before=request.query_params.get("before"), limit=_LINES + 1)
    consults = await store.work.consults(tx, id)
    works = principal.has(*WORKERS)
    found = domain(row)
    allowed = None
    if works:
        actor = await actor_of(tx, principal)
        asked = any(one.answered_at is None for one in consults)
        allowed = refusals.steps(t, found, actor, rulebook.powers, now, asked=asked)
    officers = await store.staff.officers(tx, row.department) if allowed and Verb.ASSIGN in allowed.may else []
    status = trouble.status if trouble else HTTPStatus.UNPROCESSABLE_ENTITY if filled.wrong else HTTPStatus.OK
    done = request.query_params.get("done", "")
    return pages.render(
        request,
        "case.html",
        int(status),
        case=row,
        facts=_facts(t, names, row),
        left=None if row.state == "closed" else time_left(t, row.next_due_at, row.next_step, now),
        assignee=person(t, row.assignee, principal.id) if row.assignee else "",
        inside=inside,
        why=explanation(t, names, rulebook, row) if inside else [],
        routed=_routed(t, names, row.routing_reason),
        history=[line(t, names, one, principal.id) for one in lines[:_LINES]] if inside else [],
        earlier=lines[_LINES - 1].id if len(lines) > _LINES else "",
        changed=_changed(t, names, lines, trouble, principal.id) if inside else [],
        last_line=lines[0].id if lines else "",
        consults=[_consult(t, names, one, principal.id) for one in consults] if inside else [],
        proposed=decision(t, names, decision_view(found.proposed) if found.proposed else None),
        proposed_by=person(t, row.proposed_by, principal.id) if row.proposed_by else "",
        approved_by=person(t, row.approved_by, principal.id) if row.approved_by else "",
        needs=[t.label("need", one) for one in rulebook.powers.reasons(found, found.proposed)]
        if found.proposed
        else [],
        decided=decision(t, names, decision_view(found.decision) if found.decision else None),
        lacks=[t.label("lacks", name) for name in missing(found)],
        may=_in_order(allowed.may) if allowed else [],
        advises=bool(allowed and Verb.ADVISE in allowed.may),
        not_now=allowed.not_now if allowed else {},
        holding_only=allowed.holding_only if allowed else "",
        choices=_choices(names),
        officers=[(one.id, one.id) for one in officers if one.active],
        currencies=[(code, code) for code in _CURRENCIES],
        trouble=trouble,
        filled=filled,
        names=fields.NAMES,
        kept=forms.kept(request),
        done=done if done in tuple(Verb) else "",
    )


def _in_order(may: Sequence[Verb]) -> list[Verb]:
    """The forms in the order of the page; an answer's stands beside its question."""
    return sorted((verb for verb in may if verb is not Verb.ADVISE), key=lambda verb: verb is not Verb.CLAIM)


def _facts(t: Translator, names: Names, row: ComplaintCase) -> list[tuple[str, str]]:
    amount = None
    if row.amount is not None and row.currency:
        amount = i18n.money(row.amount, row.currency, t.language)
    facts = [
        (t.gettext("Received"), t.datetime(row.received_at)),
        (t.gettext("Channel"), t.label("channel", row.channel)),
        (t.gettext("Branch"), row.branch),
        (t.gettext("Product"), names.of("product", row.product) if row.product else None),
        (t.gettext("Amount"), amount),
        (t.gettext("Language"), i18n.LANGUAGES.get(row.language or "", row.language)),
        (t.gettext("Acknowledged"), t.datetime(row.acknowledged_at) if row.acknowledged_at else None),
        (t.gettext("Holding response"), t.datetime(row.holding_response_at) if row.holding_response_at else None),
        (t.gettext("Waits for the complainant since"), t.datetime(row.waiting_since) if row.waiting_since else None),
        (t.gettext("Final response"), t.datetime(row.final_response_at) if row.final_response_at else None),
        (t.gettext("Delivered"), _delivered(t, row)),
        (t.gettext("Resolved"), t.datetime(row.resolved_at) if row.resolved_at else None),
        (t.gettext("Closed"), t.datetime(row.closed_at) if row.closed_at else None),
        (t.gettext("Reopened"), t.ngettext("{n} time", "{n} times", row.reopened) if row.reopened else None),
    ]
    return [(what, str(how)) for what, how in facts if how]


def _delivered(t: Translator, row: ComplaintCase) -> str | None:
    if row.delivered_at is None:
        return None
    return f"{t.datetime(row.delivered_at)} · {t.label('via', row.delivered_via or 'other')}"


def _routed(t: Translator, names: Names, reason: str) -> str:
    """Why this department: the conditions of the table's entry, in words."""
    _, _, conditions = reason.partition(": ")
    pairs = [one.partition("=") for one in conditions.removeprefix("no route for ").split(", ") if "=" in one]
    known = [names.of(kind, code) for kind, _, code in pairs if kind != "rules" and code != "unknown"]
    if reason.startswith("fallback"):
        return t.gettext("No entry of the routing table fits ({facts}).", facts=", ".join(known))
    return t.gettext("At first by the routing table: {facts}.", facts=", ".join(known)) if known else ""


def _changed(
    t: Translator, names: Names, lines: Sequence[Any], trouble: Trouble | None, me: str
) -> list[dict[str, Any]]:
    """What happened since the page was opened, where that stood in the way."""
    if trouble is None or trouble.seen is None:
        return []
    return [line(t, names, one, me) for one in lines if one.id > trouble.seen]


def _consult(t: Translator, names: Names, one: store.work.Consult, me: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "department": names.of("department", one.department),
        "question": one.question,
        "asked_by": person(t, one.asked_by, me),
        "asked_at": one.asked_at,
        "answer": one.answer,
        "answered_by": person(t, one.answered_by, me),
        "answered_at": one.answered_at,
    }


def _choices(names: Names) -> Mapping[str, list[tuple[str, str]]]:
    return {
        "departments": names.choices("department"),
        "categories": names.choices("category"),
        "products": names.choices("product"),
        "severities": names.choices("severity"),
        "outcomes": names.choices("outcome"),
        "root_causes": names.choices("root_cause"),
        "no_redress": names.choices("no_redress_reason"),
        "vias": names.choices("via", *_VIAS),
    }


@router.post("/cases/{complaint_id}/steps/{verb}", response_class=HTMLResponse)
async def take(
    complaint_id: ComplaintId,
    verb: Verb,
    request: Request,
    principal: FormWorker,
    rulebook: Rules,
    clock: ClockDep,
    today: Today,
) -> Response:
    """Take a step by its form. One that is refused is told in words, and what was typed stays."""
    db: Database = request.app.state.db
    given = await forms.given(request)
    t = pages.translator(request)
    seen = given.get("version", "")
    trouble, filled = None, NOTHING
    try:
        # a unit of work of its own: what a refusal leaves half done is rolled back before the page is drawn again
        async with db.transaction() as tx:
            said = fields.step(verb, given, t.zone)
            if verb is Verb.ASSIGN and said.assignee is None:
                chosen = await staff.choose(tx, complaint_id, today=today)
                said = said.model_copy(update={"assignee": chosen})
            await steps.take(
                tx,
                complaint_id,
                said.action(verb),
                actor=await actor_of(tx, principal),
                rulebook=rulebook,
                version=int(seen) if seen.isascii() and seen.isdigit() else None,
                now=clock(),
                words=Words(said.text, said.reply_by),
            )
    except Invalid as error:
        filled = forms.failed(t, verb, given, error, {**fields.SHOWN_AT, "text": fields.WORDS.get(verb, "text")})
    except PreconditionFailed as error:
        trouble = Trouble(refusals.said(t, error), status_of(type(error))[0], given.get("seen", ""))
    except NotFound as error:
        if isinstance(error, CaseNotFound):
            raise
        trouble = Trouble(refusals.said(t, error), status_of(type(error))[0])
    except (Refused, Conflict, Forbidden) as error:
        async with db.reading() as session:
            row = (await store.cases(session, [complaint_id]))[complaint_id]
        why = refusals.refused(t, domain(row), verb, error, principal.id)
        trouble = Trouble(why, status_of(type(error))[0])
    if trouble is None and not filled.wrong:
        return forms.back(request, f"/cases/{complaint_id}", "top", done=verb)
    if trouble is not None:
        filled = Filled(verb, given)
    async with db.transaction() as tx:
        return await draw(request, principal, tx, complaint_id, rulebook, clock, filled=filled, trouble=trouble)
