"""The page of what is kept of people and for how long: the rule, legal holds, erasures, and what a person asks for of
their data. Who decides over data acts here, auditors read."""

from typing import Annotated, Any

import orjson
from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.intake.pages.common import NAMES, Cursor, Id, by_reference, desk_of, here, not_kept, tabs
from services.intake.schemas.privacy import HoldIn, SubjectIn
from services.intake.store import complaint as complaints
from services.intake.store import privacy as store
from services.intake.usecases import privacy as usecases
from services.intake.usecases.attachment import UNCLAIMED_FOR
from shared.clock import rfc3339
from shared.errors import Conflict, FieldError, Invalid, Refused
from shared.security.principal import Principal, Role
from shared.web import pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled, back, given, kept, model
from shared.web.router import Router

router = Router(include_in_schema=False)
SHOWN = 25  # of each list
DECIDERS = (Role.SUPERVISOR, Role.ADMIN)
Looker = Annotated[Principal, Depends(allow(*DECIDERS, Role.AUDITOR))]
FormDecider = Annotated[Principal, Depends(allow(*DECIDERS, own_form=True))]


@router.get("/retention", response_class=HTMLResponse)
async def retention(
    request: Request, principal: Looker, tx: Reading, held: Cursor = "", erased: Cursor = ""
) -> Response:
    """The rule, the holds, the erasures. `held` and `erased` are the cursors of their lists."""
    return await _page(request, principal, tx, NOTHING, held=held, erased=erased)


@router.post("/retention/holds", response_class=HTMLResponse)
async def place(request: Request, principal: FormDecider, tx: Tx, clock: ClockDep) -> Response:
    """Forbid the erasure of a complaint."""
    sent = await given(request)
    try:
        body = model(HoldIn, {"reason": sent.get("reason")})
        complaint = await by_reference(tx, sent.get("reference", ""))
        await usecases.place_hold(tx, complaint.id, body.reason, actor=principal.id, now=clock())
    except Refused as error:
        return await _page(request, principal, tx, not_kept(pages.translator(request), "hold", sent, error))
    return back(request, "/retention", "holds")


@router.post("/retention/holds/{id}/lift", response_class=HTMLResponse)
async def lift(id: Id, request: Request, principal: FormDecider, tx: Tx, clock: ClockDep) -> Response:
    """Lift a hold; why stands in the audit trail."""
    sent = await given(request)
    try:
        body = model(HoldIn, {"reason": sent.get("reason")})
        await usecases.lift_hold(tx, id, actor=principal.id, now=clock(), reason=body.reason)
    except Refused as error:
        filled = not_kept(pages.translator(request), f"lift-{id}", sent, error)
        return await _page(request, principal, tx, filled)
    return back(request, "/retention", "holds")


@router.post("/retention/erasures", response_class=HTMLResponse)
async def erase(request: Request, principal: FormDecider, tx: Tx, clock: ClockDep) -> Response:
    """Erase a closed complaint's personal data for good, on request."""
    sent = await given(request)
    try:
        if sent.get("sure") != "yes":
            raise Invalid(errors=(FieldError("/sure", "is not said", "not_sure"),))
        complaint = await by_reference(tx, sent.get("reference", ""))
        await usecases.erase(tx, complaint.id, ground="request", actor=principal.id, now=clock())
    except (Refused, Conflict) as error:
        return await _page(request, principal, tx, not_kept(pages.translator(request), "erasure", sent, error))
    return back(request, "/retention", "erasures")


@router.post("/retention/export", response_class=HTMLResponse)
async def export(request: Request, principal: FormDecider, tx: Tx, clock: ClockDep) -> Response:
    """All that is kept of a person, as a file for them."""
    sent = await given(request)
    try:
        body = model(SubjectIn, {name: sent.get(name) for name in ("customer_no", "phone", "email")})
    except Invalid as error:
        return await _page(request, principal, tx, not_kept(pages.translator(request), "export", sent, error))
    now = clock()
    found = await usecases.subject_access(tx, desk_of(request), body.to_domain(), actor=principal.id, now=now)
    content = orjson.dumps({"exported_at": rfc3339(now), "complaints": found}, option=orjson.OPT_INDENT_2)
    name = f"subject-access-{now.astimezone(request.app.state.settings.zone):%Y%m%d-%H%M}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, headers=headers, media_type="application/json")


async def _page(
    request: Request, principal: Principal, tx: AsyncSession, filled: Filled, *, held: str = "", erased: str = ""
) -> Response:
    t, settings = pages.translator(request), request.app.state.settings
    holds = await store.holds(tx, held or None, SHOWN + 1)
    gone = await store.erasures(tx, erased or None, SHOWN + 1)
    ids = {one.complaint_id for one in holds[:SHOWN]} | {one.complaint_id for one in gone[:SHOWN]}
    called = {id: heading.reference for id, heading in (await complaints.headings(tx, ids)).items()}
    shown: dict[str, Any] = {
        "holds": [(called.get(one.complaint_id, one.complaint_id), one) for one in holds[:SHOWN]],
        "next_hold": holds[SHOWN - 1].complaint_id if len(holds) > SHOWN else None,
        "erasures": [(called.get(one.complaint_id, one.complaint_id), one) for one in gone[:SHOWN]],
        "next_erasure": gone[SHOWN - 1].complaint_id if len(gone) > SHOWN else None,
    }
    return pages.render(
        request,
        "retention.html",
        422 if filled.wrong else 200,
        **shown,
        days=settings.complaint_retention_days,
        unclaimed_hours=int(UNCLAIMED_FOR.total_seconds() // 3600),
        may=principal.has(*DECIDERS),
        filled=filled,
        names=NAMES,
        kept=kept(request),
        tabs=tabs(t, principal, "/retention"),
        **here(request, "/retention"),
    )
