"""Pages of webhooks, for admins: everybody's, what was sent to each and how it fared."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.intake.api.taking import actor
from services.intake.domain.complaint import CHANNELS
from services.intake.domain.webhook import EVENTS
from services.intake.pages.common import NAMES, SHOWN, Cursor, Id, here, not_kept, tabs
from services.intake.schemas.webhook import WebhookIn
from services.intake.store import caller as store
from services.intake.usecases import webhook as usecases
from shared.errors import Conflict, Refused
from shared.security.principal import Principal, Role
from shared.web import pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled, back, given, kept, model
from shared.web.router import Router

router = Router(include_in_schema=False)
Admin = Annotated[Principal, Depends(allow(Role.ADMIN))]
FormAdmin = Annotated[Principal, Depends(allow(Role.ADMIN, own_form=True))]


def _hand(principal: Principal) -> usecases.Hand:
    return usecases.Hand(actor(principal), None)


@router.get("/webhooks", response_class=HTMLResponse)
async def webhooks(request: Request, principal: Admin, tx: Reading, before: Cursor = "") -> Response:
    """All webhooks, and the form that makes one."""
    return await _list(request, principal, tx, NOTHING, before=before)


@router.post("/webhooks", response_class=HTMLResponse)
async def create(request: Request, principal: FormAdmin, tx: Tx, clock: ClockDep) -> Response:
    """Make one, and show its secret this once."""
    sent = await given(request)
    state = request.app.state
    try:
        body = model(WebhookIn, {"url": sent.get("url"), "events": [code for code in EVENTS if code in sent]})
        made, secret = usecases.create(
            tx,
            state.desk.keys,
            body.url,
            body.events,
            owner=actor(principal),
            channels=[code for code in CHANNELS if code in sent],
            private=state.settings.webhook_private,
            now=clock(),
        )
    except (Refused, Conflict) as error:
        return await _list(request, principal, tx, not_kept(pages.translator(request), "webhook", sent, error))
    return _secret(request, principal, made.id, made.url, secret)


@router.get("/webhooks/{id}", response_class=HTMLResponse)
async def webhook(id: Id, request: Request, principal: Admin, tx: Reading, before: Cursor = "") -> Response:
    """One webhook and its log, the newest first."""
    return await _one(request, principal, tx, id, NOTHING, before=before)


@router.post("/webhooks/{id}/rotate", response_class=HTMLResponse)
async def rotate(id: Id, request: Request, principal: FormAdmin, tx: Tx, clock: ClockDep) -> Response:
    """A new secret, shown this once."""
    try:
        secret = await usecases.rotate(tx, request.app.state.desk.keys, id, hand=_hand(principal), now=clock())
    except Conflict as error:
        return await _one(request, principal, tx, id, not_kept(pages.translator(request), "webhook", {}, error))
    found = await usecases.find(tx, id, hand=_hand(principal))
    return _secret(request, principal, id, found.url, secret)


@router.post("/webhooks/{id}/test", response_class=HTMLResponse)
async def test(id: Id, request: Request, principal: FormAdmin, tx: Tx, clock: ClockDep) -> Response:
    """Send a message that tells of nothing."""
    try:
        await usecases.test(tx, id, hand=_hand(principal), now=clock())
    except Conflict as error:
        return await _one(request, principal, tx, id, not_kept(pages.translator(request), "webhook", {}, error))
    return back(request, f"/webhooks/{id}", "log")


@router.post("/webhooks/{id}/off", response_class=HTMLResponse)
async def switch_off(id: Id, request: Request, principal: FormAdmin, tx: Tx, clock: ClockDep) -> Response:
    """Switch it off for good; what waits for it is not sent."""
    await usecases.switch_off(tx, id, hand=_hand(principal), now=clock())
    return back(request, f"/webhooks/{id}")


@router.post("/webhooks/{id}/deliveries/{delivery}/again", response_class=HTMLResponse)
async def replay(id: Id, delivery: Id, request: Request, principal: FormAdmin, tx: Tx, clock: ClockDep) -> Response:
    """Send a message again, under its own id."""
    try:
        await usecases.replay(tx, delivery, hand=_hand(principal), now=clock())
    except Conflict as error:
        return await _one(request, principal, tx, id, not_kept(pages.translator(request), "webhook", {}, error))
    return back(request, f"/webhooks/{id}", "log")


async def _list(
    request: Request, principal: Principal, tx: AsyncSession, filled: Filled, *, before: str = ""
) -> Response:
    t = pages.translator(request)
    found = await store.webhooks(tx, before or None, SHOWN + 1)
    return pages.render(
        request,
        "webhooks.html",
        422 if filled.wrong else 200,
        items=[usecases.webhook_view(one) | {"owner": one.owner} for one in found[:SHOWN]],
        next=found[SHOWN - 1].id if len(found) > SHOWN else None,
        events=[(code, t.label("event", code)) for code in EVENTS],
        channels=[(code, t.label("channel", code)) for code in CHANNELS],
        filled=filled,
        names=NAMES,
        kept=kept(request),
        tabs=tabs(t, principal, "/webhooks"),
        **here(request, "/webhooks"),
    )


async def _one(
    request: Request, principal: Principal, tx: AsyncSession, id: str, filled: Filled, *, before: str = ""
) -> Response:
    hook = await usecases.find(tx, id, hand=_hand(principal))
    found = await store.deliveries(tx, id, before or None, SHOWN + 1)
    return pages.render(
        request,
        "webhook.html",
        422 if filled.wrong else 200,
        hook=usecases.webhook_view(hook)
        | {"owner": hook.owner, "created_at": hook.created_at, "disabled_at": hook.disabled_at},
        items=[usecases.delivery_view(one) | {"at": one.created_at, "again_at": one.next_at} for one in found[:SHOWN]],
        next=found[SHOWN - 1].id if len(found) > SHOWN else None,
        filled=filled,
        names=NAMES,
        kept=kept(request),
        tabs=tabs(pages.translator(request), principal, "/webhooks"),
        **here(request, f"/webhooks/{id}"),
    )


def _secret(request: Request, principal: Principal, id: str, url: str, secret: str) -> Response:
    return pages.render(
        request,
        "secret.html",
        201,
        secret=secret,
        what=url,
        there=f"/webhooks/{id}",
        purpose="webhook",
        tabs=tabs(pages.translator(request), principal, "/webhooks"),
        **here(request, f"/webhooks/{id}"),
    )
