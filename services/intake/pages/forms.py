"""Pages of the forms that stand in other sites' pages, for admins: where each may stand, how it looks, how to put it
there."""

from typing import Annotated, Any

from fastapi import Depends, Path, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.intake.api.form import own_origin
from services.intake.domain.form import CHANNELS
from services.intake.pages.common import NAMES, here, not_kept, tabs
from services.intake.schemas.form import FormIn
from services.intake.store import caller as store
from services.intake.usecases import form as usecases
from shared.errors import FieldError, Invalid, Refused
from shared.i18n import LANGUAGES
from shared.security.principal import Principal, Role
from shared.web import pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled, back, given, kept, model
from shared.web.router import Router

router = Router(include_in_schema=False)
Admin = Annotated[Principal, Depends(allow(Role.ADMIN))]
FormAdmin = Annotated[Principal, Depends(allow(Role.ADMIN, own_form=True))]
Key = Annotated[str, Path(max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
_SHOWN_AT = {"/name": "/title", "/look/name": "/look_name", "/look/logo": "/logo", "/look/colour": "/colour"}


@router.get("/forms", response_class=HTMLResponse)
async def forms(request: Request, principal: Admin, tx: Reading) -> Response:
    """All forms, and the form that makes one."""
    return await _list(request, principal, tx, NOTHING)


@router.post("/forms", response_class=HTMLResponse)
async def create(request: Request, principal: FormAdmin, tx: Tx, clock: ClockDep) -> Response:
    """Make one, and show the secret that signs identities this once."""
    sent = await given(request)
    try:
        body = _body(sent)
        made, secret = usecases.create(
            tx,
            request.app.state.desk.keys,
            body.name,
            body.channel,
            body.origins,
            body.look.to_domain(),
            actor=principal.id,
            now=clock(),
        )
    except Refused as error:
        return await _list(request, principal, tx, _not_kept(request, sent, error))
    return _secret(request, principal, made, secret)


@router.get("/forms/{id}", response_class=HTMLResponse)
async def form(id: Key, request: Request, principal: Admin, tx: Reading) -> Response:
    """One form: how it looks, how to put it into a page, and what may be changed."""
    return await _one(request, principal, tx, id, NOTHING)


@router.post("/forms/{id}", response_class=HTMLResponse)
async def change(id: Key, request: Request, principal: FormAdmin, tx: Tx, clock: ClockDep) -> Response:
    """Other origins or another look."""
    sent = await given(request)
    try:
        body = _body(sent)
        await usecases.change(
            tx, id, body.name, body.channel, body.origins, body.look.to_domain(), actor=principal.id, now=clock()
        )
    except Refused as error:
        return await _one(request, principal, tx, id, _not_kept(request, sent, error))
    return back(request, f"/forms/{id}")


@router.post("/forms/{id}/rotate", response_class=HTMLResponse)
async def rotate(id: Key, request: Request, principal: FormAdmin, tx: Tx, clock: ClockDep) -> Response:
    """A new secret, shown this once."""
    secret = await usecases.rotate(tx, request.app.state.desk.keys, id, actor=principal.id, now=clock())
    return _secret(request, principal, await usecases.live(tx, id), secret)


@router.post("/forms/{id}/close", response_class=HTMLResponse)
async def close(id: Key, request: Request, principal: FormAdmin, tx: Tx, clock: ClockDep) -> Response:
    """Close the form for good."""
    await usecases.revoke(tx, id, actor=principal.id, now=clock())
    return back(request, "/forms")


def _body(sent: dict[str, str]) -> FormIn:
    """Raises Invalid."""
    look = {"name": sent.get("look_name"), "logo": sent.get("logo"), "colour": sent.get("colour")}
    values: dict[str, Any] = {
        "name": sent.get("title"),
        "channel": sent.get("channel"),
        "origins": sent.get("origins", "").split(),
        "look": {name: value for name, value in look.items() if value is not None},
    }
    if not values["origins"]:
        raise Invalid(errors=(FieldError("/origins", "is empty", "missing"),))
    return model(FormIn, values)


def _not_kept(request: Request, sent: dict[str, str], error: Refused) -> Filled:
    if isinstance(error, Invalid):
        shown = (FieldError(_SHOWN_AT.get(one.pointer, one.pointer), one.detail, one.code) for one in error.errors)
        error = Invalid(error.detail, errors=tuple(shown))
    return not_kept(pages.translator(request), "form", sent, error)


async def _list(request: Request, principal: Principal, tx: AsyncSession, filled: Filled) -> Response:
    t = pages.translator(request)
    return pages.render(
        request,
        "forms.html",
        422 if filled.wrong else 200,
        items=[usecases.form_view(one) for one in await store.forms(tx)],
        channels=[(code, t.label("channel", code)) for code in CHANNELS],
        filled=filled,
        names=NAMES,
        kept=kept(request),
        tabs=tabs(t, principal, "/forms"),
        **here(request, "/forms"),
    )


async def _one(request: Request, principal: Principal, tx: AsyncSession, id: str, filled: Filled) -> Response:
    t, found = pages.translator(request), await usecases.live(tx, id)
    public_url, origin = request.app.state.public_url, own_origin(request)
    preview = f"{pages.root_of(request)}/form?key={id}&origin={origin}&lang={t.language}"
    response = pages.render(
        request,
        "form_key.html",
        422 if filled.wrong else 200,
        one=usecases.form_view(found),
        script=f'<script src="{public_url}/embed.js" data-key="{id}" data-lang="{t.language}" async></script>',
        languages_by_name=LANGUAGES,
        preview=preview,
        channels=[(code, t.label("channel", code)) for code in CHANNELS],
        filled=filled,
        names=NAMES,
        kept=kept(request),
        tabs=tabs(t, principal, "/forms"),
        **here(request, f"/forms/{id}"),
    )
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return response


def _secret(request: Request, principal: Principal, made: store.FormKey, secret: str) -> Response:
    return pages.render(
        request,
        "secret.html",
        201,
        secret=secret,
        what=made.name,
        there=f"/forms/{made.id}",
        purpose="form",
        tabs=tabs(pages.translator(request), principal, "/forms"),
        **here(request, f"/forms/{made.id}"),
    )
