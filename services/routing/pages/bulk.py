"""Claim, assign or transfer the ticked cases of the queue; what became of each; taking it back."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from services.routing import store
from services.routing.api.cases import StepIn
from services.routing.api.context import Rules, actor_of
from services.routing.classifier import Rulebook
from services.routing.domain.machine import Verb
from services.routing.pages import refusals, wish
from services.routing.pages.queue import WORKERS, draw
from services.routing.pages.words import Names, person
from services.routing.usecases import bulk
from services.routing.usecases.bulk import UndoneBefore
from services.routing.usecases.steps import Words
from shared.errors import FieldError, Invalid
from shared.i18n import Translator
from shared.security.principal import Principal
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.router import Router

router = Router(include_in_schema=False)
Worker = Annotated[Principal, Depends(allow(*WORKERS))]
FormWorker = Annotated[Principal, Depends(allow(*WORKERS, own_form=True))]
ActionId = Annotated[str, Path(max_length=36, pattern=r"^[0-9a-f-]+$")]
_VERBS = (Verb.CLAIM, Verb.ASSIGN, Verb.TRANSFER)
_SHOWN_AT = {"text": "reason"}


@router.post("/queue/bulk", response_class=HTMLResponse)
async def act(request: Request, principal: FormWorker, tx: Tx, rulebook: Rules, clock: ClockDep) -> Response:
    """Do one thing to all that is ticked; what cannot be done to one does not stop the others."""
    form = await request.form(max_files=0, max_fields=bulk.MOST + 20)
    given = await forms.given(request)
    ticked = [value for value in form.getlist("case") if isinstance(value, str)][: bulk.MOST]
    try:
        wanted = dict(_case(value) for value in ticked)
        if not wanted:
            raise Invalid(errors=(FieldError("/case", "none is ticked", "none_ticked"),))
        verb = next((verb for verb in _VERBS if verb == given.get("verb")), None)
        if verb is None:
            raise Invalid(errors=(FieldError("/verb", "is none of these", "enum"),))
        values: dict[str, Any] = {}
        if verb is Verb.ASSIGN:
            values = {"assignee": given.get("assignee")}
        elif verb is Verb.TRANSFER:
            values = {"department": given.get("to_department"), "text": given.get("reason")}
        body = forms.model(StepIn, values)
        done = await bulk.take(
            tx,
            wanted,
            body.action(verb),
            actor=await actor_of(tx, principal),
            rulebook=rulebook,
            now=clock(),
            words=Words(body.text),
        )
    except Invalid as error:
        shown_at = {**_SHOWN_AT, "department": "to_department"}
        filled = forms.failed(pages.translator(request), "bulk", given, error, shown_at)
        seen = await wish.read(tx, request, principal)
        ids = [value.partition(":")[0] for value in ticked]
        return await draw(request, principal, tx, rulebook, seen, clock, filled=filled, ticked=ids)
    wanted_again = (await wish.read(tx, request, principal)).query()
    return RedirectResponse(f"{pages.root_of(request)}/queue/bulk/{done.id}?{wanted_again}", 303)


def _case(value: str) -> tuple[str, int]:
    """`id:version`, as a row's box says. Raises Invalid."""
    id, _, version = value.partition(":")
    if not version.isascii() or not version.isdigit() or len(id) > 64:
        raise Invalid(errors=(FieldError("/case", "is no case", "enum"),))
    return id, int(version)


@router.get("/queue/bulk/{action_id}", response_class=HTMLResponse)
async def result(
    action_id: ActionId, request: Request, principal: Worker, session: Reading, rulebook: Rules
) -> Response:
    """What became of each case."""
    return await _result(request, principal, session, action_id, rulebook)


async def _result(
    request: Request, principal: Principal, session: AsyncSession, id: str, rulebook: Rulebook, status: int = 200
) -> Response:
    t = pages.translator(request)
    row = await bulk.found(session, id, principal.id)
    items = bulk.items_of(row)
    cases = await store.cases(session, [item["id"] for item in items])
    names = Names(t, rulebook)
    done = [_done(t, names, item, cases.get(item["id"]), principal.id) for item in bulk.succeeded(items)]
    seen = await wish.read(session, request, principal)
    return pages.render(
        request,
        "bulk.html",
        status,
        action=row,
        done=done,
        failed=[
            {"id": item["id"], "reference": item["reference"], "why": _why(t, item, principal.id)}
            for item in items
            if "version" not in item
        ],
        can_undo=row.undone_at is None and any(one["untouched"] for one in done),
        query=seen.query(),
    )


def _done(t: Translator, names: Names, item: Mapping[str, Any], case: Any, me: str) -> dict[str, Any]:
    undone = item.get("undone")
    return {
        "id": item["id"],
        "reference": item["reference"],
        "untouched": case is not None and case.version == item["version"],
        "undone": undone,
        "now": None
        if case is None
        else t.gettext(
            "{state}, {department}, {person}",
            state=t.label("state", case.state),
            department=names.of("department", case.department),
            person=person(t, case.assignee, me) if case.assignee else t.gettext("nobody yet"),
        ),
    }


def _why(t: Translator, item: Mapping[str, Any], me: str) -> str:
    code = item["error"]
    if code == "not_found":
        return t.gettext("There is no such case.")
    if code == "verb_not_allowed" and item.get("assignee"):
        return refusals.works_already(t, item["assignee"], me)
    if code == "verb_not_allowed":
        return t.gettext("Not while the case is “{state}”.", state=t.label("state", item["state"]))
    return refusals.by_code(t, code)


@router.post("/queue/bulk/{action_id}/undo", response_class=HTMLResponse)
async def undo(
    action_id: ActionId, request: Request, principal: FormWorker, tx: Tx, rulebook: Rules, clock: ClockDep
) -> Response:
    """Take it back, for the cases that nobody has touched since."""
    try:
        await bulk.undo(tx, action_id, actor=await actor_of(tx, principal), now=clock())
    except UndoneBefore:
        return await _result(request, principal, tx, action_id, rulebook, 409)
    seen = await wish.read(tx, request, principal)
    return RedirectResponse(f"{pages.root_of(request)}/queue/bulk/{action_id}?{seen.query()}", 303)
