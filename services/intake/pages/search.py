"""The page on which staff find a complaint: by its reference, or by whom it is from.

A person is searched for by a form that is posted: nothing of who they are stands in an address, and so in no log or
history. Each such search is audited, with a keyed hash of what was searched for.
"""

from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import RedirectResponse, Response

from services.intake.api.complaint import PERSONAL
from services.intake.api.taking import actor
from services.intake.pages.common import NAMES, SHOWN, desk_of, here, moment, tabs
from services.intake.store import complaint as store
from services.intake.usecases import search as usecases
from services.intake.usecases.complaint import view
from shared.errors import FieldError, Invalid, NotFound
from shared.security.principal import STAFF, Principal
from shared.web import pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled, failed, given, kept
from shared.web.limits import Quota
from shared.web.router import Router

router = Router(include_in_schema=False)
Staff = Annotated[Principal, Depends(allow(*sorted(STAFF)))]
Searcher = Annotated[Principal, Depends(allow(*PERSONAL, own_form=True))]


@router.get("/search", response_class=HTMLResponse)
async def search(
    request: Request,
    principal: Staff,
    tx: Reading,
    reference: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The forms; with a reference, the complaint that has it."""
    typed = reference.strip()
    if not typed:
        return _page(request, principal)
    try:
        found = await usecases.by_reference(tx, typed)
    except NotFound:
        flaw = Invalid(errors=(FieldError("/reference", "is that of no complaint", "reference_unknown"),))
        filled = failed(pages.translator(request), "reference", {"reference": typed}, flaw)
        return _page(request, principal, filled=filled)
    if principal.has(*PERSONAL):
        return RedirectResponse(f"{pages.root_of(request)}/complaints/{found.id}", 303)
    progress = (await store.progress(tx, [found.id])).get(found.id)
    filled = Filled("reference", {"reference": found.reference})
    return _page(request, principal, filled=filled, found=usecases.Found([view(found, progress)]))


@router.post("/search", response_class=HTMLResponse)
async def search_person(request: Request, principal: Searcher, tx: Tx, clock: ClockDep) -> Response:
    """The complaints of a person."""
    quota: Quota = request.app.state.person_searches
    quota.spend(actor(principal), request)
    sent = await given(request)
    by: usecases.By = next((way for way in usecases.WAYS if way == sent.get("by")), "customer_no")
    before = sent.get("before")
    try:
        found = await usecases.by_person(
            tx,
            desk_of(request),
            by,
            sent.get("text", "")[:254],
            before=before if before and len(before) <= 36 else None,
            limit=SHOWN,
            actor=actor(principal),
            now=clock(),
        )
    except Invalid as error:
        return _page(request, principal, filled=failed(pages.translator(request), "person", sent, error))
    return _page(request, principal, filled=Filled("person", sent), found=found)


def _page(
    request: Request, principal: Principal, *, filled: Filled = NOTHING, found: usecases.Found | None = None
) -> Response:
    t = pages.translator(request)
    return pages.render(
        request,
        "search.html",
        422 if filled.wrong and request.method == "POST" else 200,
        filled=filled,
        names=NAMES,
        kept=kept(request),
        ways=[(way, t.gettext(NAMES[way])) for way in usecases.WAYS],
        may=principal.has(*PERSONAL),
        found=None if found is None else [one | {"received_at": moment(one["received_at"])} for one in found.items],
        next=found.next if found else None,
        tabs=tabs(t, principal, "/search"),
        **here(request, "/search"),
    )
