"""The pages on which a complainant follows a complaint: `/track` and `/track/{reference}`.

The token is never in an address that is logged: a link carries it behind `#`, which browsers keep to themselves, and
the page posts it. From then on a cookie of one hour carries it, HttpOnly, sent to this complaint's page alone and from
nowhere but here. Everything works without script; each form is answered by a redirect, so that going back or reloading
sends nothing twice.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.intake.api import multipart
from services.intake.api.tracking_words import (
    ALREADY_DISPUTED,
    CANNOT_DISPUTE,
    CANNOT_RATE,
    CANNOT_WITHDRAW,
    DONE,
    ENDED,
    FIELDS,
    FILE_REFUSED,
    FILE_TOO_LARGE,
    NO_FILE,
    SENT_DIFFERENTLY,
    TOO_MANY_FILES,
    UNKNOWN,
    deadlines,
    field_error,
    files,
    situation,
)
from services.intake.domain.attachment import FileRefused
from services.intake.domain.complaint import IdempotencyKeyReused
from services.intake.domain.voice import (
    MESSAGE_LIMIT,
    REMARK_LIMIT,
    AlreadyDisputed,
    NotDisputable,
    NotRateable,
    NotWithdrawable,
    may,
)
from services.intake.schemas.tracking import DisputeIn, MessageIn, RatingIn, WithdrawalIn
from services.intake.usecases import evidence
from services.intake.usecases import voice as usecases
from services.intake.usecases.attachment import Files, Upload
from services.intake.usecases.voice import Rated, Tracked
from shared.errors import Conflict, Forbidden, NotFound, Refused, TooLarge
from shared.i18n import Translator
from shared.ids import normalise_reference
from shared.web.access import public
from shared.web.app import ClockDep, Reading, Tx
from shared.web.pages import render, root_of, translator, with_query

COOKIE = "redress_track"
VISIT = 3600  # seconds for which a page stays open without being looked at
_REFUSALS: dict[type[Refused | Conflict], str] = {
    NotWithdrawable: CANNOT_WITHDRAW,
    NotRateable: CANNOT_RATE,
    NotDisputable: CANNOT_DISPUTE,
    AlreadyDisputed: ALREADY_DISPUTED,
    IdempotencyKeyReused: SENT_DIFFERENTLY,
}


async def _from_our_own_page(request: Request) -> None:
    """Nothing is taken from another site's form; browsers tell by Fetch Metadata. Those that do not are held by the
    cookie, which is SameSite=Strict. Raises Forbidden."""
    if request.method == "POST" and request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("This form can only be sent from our own page.")


router = APIRouter(
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(public()), Depends(_from_our_own_page)],
)
Text = Annotated[str, Form()]


@router.get("/track")
async def ask(request: Request) -> Response:
    """The form that asks for reference and token."""
    return _ask(request)


@router.post("/track")
async def enter(request: Request, tx: Reading, reference: Text = "", token: Text = "") -> Response:
    """Open a complaint: set the cookie and go to its page. With a wrong reference or token, the form again (404)."""
    try:
        found = await usecases.track(tx, request.app.state.desk, reference[:100], token.strip()[:100])
    except NotFound:
        return _ask(request, 404, reference=reference[:100], failed=UNKNOWN)
    response = _go(request, found.complaint.reference)
    _remember(request, response, found.complaint.reference, token.strip())
    return response


@router.get("/track/{reference}")
async def show(reference: str, request: Request, tx: Reading, clock: ClockDep, done: str = "") -> Response:
    """A complaint's page; the form that asks for its token where the cookie is missing or has ended."""
    canonical = normalise_reference(reference)
    if canonical is not None and canonical != reference:
        return _go(request, canonical, query=request.url.query)
    token = request.cookies.get(COOKIE)
    if not token:
        return _ask(request, reference=reference)
    try:
        tracked = await usecases.track(tx, request.app.state.desk, reference, token)
    except NotFound:
        response = _ask(request, 404, reference=reference, failed=UNKNOWN)
        _forget(request, response, reference)
        return response
    response = await _page(request, tx, tracked, done=DONE.get(done, ""))
    _remember(request, response, tracked.complaint.reference, token)
    return response


@router.get("/track/{reference}/withdraw")
async def ask_withdrawal(reference: str, request: Request, tx: Reading) -> Response:
    """Says what it means to withdraw, and asks whether it is meant."""
    token = request.cookies.get(COOKIE, "")
    try:
        tracked = await usecases.track(tx, request.app.state.desk, reference, token)
    except NotFound:
        return _ask(request, reference=reference, failed=ENDED)
    return _withdrawal(request, tracked)


@router.post("/track/{reference}/withdraw")
async def withdraw(reference: str, request: Request, tx: Tx, clock: ClockDep, reason: Text = "") -> Response:
    """Take the complaint back."""
    desk = request.app.state.desk

    async def do(token: str) -> str:
        body = WithdrawalIn(reason=_text(reason) or None)
        await usecases.withdraw(tx, desk, reference, token, body.reason, now=clock())
        return "withdrawn"

    return await _try(request, tx, reference, do, {"reason": reason}, form="withdraw")


@router.post("/track/{reference}/messages")
async def write(reference: str, request: Request, tx: Tx, clock: ClockDep, text: Text = "", key: Text = "") -> Response:
    """Send a message; the form's own `key` makes that it is sent once."""
    desk = request.app.state.desk

    async def do(token: str) -> str:
        body = MessageIn(text=_text(text))
        await usecases.write(tx, desk, reference, token, body.text, key=key[:64] or None, now=clock())
        return "message"

    return await _try(request, tx, reference, do, {"text": text}, form="message")


@router.post("/track/{reference}/files")
async def add_files(reference: str, request: Request, clock: ClockDep) -> Response:
    """Add files, kept as they come; what is wrong with one is said, and then none is added."""
    state = request.app.state
    token = request.cookies.get(COOKIE, "")
    files: Files = state.files
    uploads: list[Upload] = []
    why = ""
    try:
        async with state.db.reading() as tx:
            await state.desk.track(tx, reference, token)
        form = multipart.Form(request.headers.get("content-type", ""), request.stream())
        while (part := await form.part()) is not None:
            if part.name != "file" or part.file_name == "file":
                continue  # browsers send a nameless one where none was chosen
            if len(uploads) == evidence.AT_ONCE:
                raise evidence.TooManyFiles
            uploads.append(await files.upload(part, part.file_name, part.media_type, evidence.OWN))
        if uploads:
            async with state.db.transaction() as tx:
                await evidence.add(tx, state.desk, files, reference, token, uploads, now=clock())
            return _go(request, reference, query="done=files")
        why = NO_FILE
    except NotFound:
        return _ask(request, 404, reference=reference, failed=ENDED)
    except (FileRefused, multipart.FormMalformed):
        why = FILE_REFUSED
    except evidence.TooManyFiles:
        why = TOO_MANY_FILES
    except TooLarge:
        why = FILE_TOO_LARGE
    async with state.db.reading() as tx:
        return await _again(request, tx, reference, token, {}, form="files", status=422, refused=why)


@router.post("/track/{reference}/rate")
async def rate(
    reference: str,
    request: Request,
    tx: Tx,
    clock: ClockDep,
    overall: Text = "",
    staff: Text = "",
    product: Text = "",
    handling: Text = "",
    comment: Text = "",
) -> Response:
    """Rate how the complaint was dealt with, or change the rating."""
    desk = request.app.state.desk
    given = {"overall": overall, "staff": staff, "product": product, "handling": handling}

    async def do(token: str) -> str:
        marks: dict[str, Any] = {name: mark or None for name, mark in given.items()}
        body = RatingIn(**marks, comment=_text(comment) or None)
        await usecases.rate(tx, desk, reference, token, Rated(**body.model_dump()), now=clock())
        return "rated"

    return await _try(request, tx, reference, do, given | {"comment": comment}, form="rate")


@router.post("/track/{reference}/dispute")
async def dispute(reference: str, request: Request, tx: Tx, clock: ClockDep, grounds: Text = "") -> Response:
    """Not accept the outcome."""
    desk = request.app.state.desk

    async def do(token: str) -> str:
        body = DisputeIn(grounds=_text(grounds))
        await usecases.dispute(tx, desk, reference, token, body.grounds, now=clock())
        return "disputed"

    return await _try(request, tx, reference, do, {"grounds": grounds}, form="dispute")


@router.post("/track/{reference}/leave")
async def leave(reference: str, request: Request) -> Response:
    """Forget the cookie."""
    response = RedirectResponse(f"{root_of(request)}/track", 303)
    _forget(request, response, reference)
    return response


# --- how it is done ---


async def _try(
    request: Request,
    tx: AsyncSession,
    reference: str,
    do: Callable[[str], Awaitable[str]],
    given: Mapping[str, str],
    *,
    form: str,
) -> Response:
    """Do it and go back to the page; where it cannot be done, the page again, with the reason and what was typed."""
    token = request.cookies.get(COOKIE, "")
    try:
        return _go(request, reference, query=f"done={await do(token)}")
    except NotFound:
        return _ask(request, 404, reference=reference, failed=ENDED)
    except ValidationError as error:
        t = translator(request)
        wrong = {str(e["loc"][0]): field_error(e, t) for e in error.errors(include_url=False, include_input=False)}
        return await _again(request, tx, reference, token, given, form=form, status=422, wrong=wrong)
    except tuple(_REFUSALS) as error:
        why = _REFUSALS[type(error)]
        return await _again(request, tx, reference, token, given, form=form, status=409, refused=why)


async def _again(
    request: Request,
    tx: AsyncSession,
    reference: str,
    token: str,
    given: Mapping[str, str],
    *,
    form: str,
    status: int,
    wrong: Mapping[str, str] | None = None,
    refused: str = "",
) -> Response:
    try:
        tracked = await usecases.track(tx, request.app.state.desk, reference, token)
    except NotFound:
        return _ask(request, 404, reference=reference, failed=ENDED)
    if form == "withdraw" and wrong:
        return _withdrawal(request, tracked, status, given=given, wrong=wrong)
    return await _page(request, tx, tracked, status, form=form, given=given, wrong=wrong or {}, refused=refused)


async def _page(
    request: Request,
    tx: AsyncSession,
    tracked: Tracked,
    status: int = 200,
    *,
    done: str = "",
    form: str = "",
    given: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
    refused: str = "",
) -> Response:
    """The complaint's page. Of the form `form`, `wrong` says which of the values `given` cannot be taken, `refused` why
    none of it can."""
    state = request.app.state
    now, zone = state.clock(), state.settings.zone
    default: str = state.settings.default_jurisdiction
    view = await usecases.view(
        tx, state.desk, state.files, tracked, default, now=now, zone=zone, public_url=state.public_url
    )
    t = translator(request)
    typed = dict.fromkeys(FIELDS, "") | dict(given or {})
    rating = view["rating"]
    return _render(
        request,
        "tracking.html",
        status,
        tracked.complaint.reference,
        view=view,
        channel=tracked.complaint.channel,
        received_at=tracked.complaint.received_at,
        situation=situation(tracked.standing),
        deadlines=deadlines(tracked, t, now=now),
        rights=usecases.applying(tracked, default, now=now, zone=zone),
        messages=[one | {"moment": _moment(one["at"], t)} for one in view["messages"]],
        disputes=[one | {"moment": _moment(one["at"], t)} for one in view["disputes"]],
        attachments=files(view["attachments"], t),
        rated=typed if form == "rate" else rating or typed,
        rated_on=_moment(rating["at"], t) if rating else "",
        names={name: t.gettext(FIELDS[name]) for name in FIELDS},
        key=secrets.token_hex(16),
        message_limit=MESSAGE_LIMIT,
        file_megabytes=state.settings.form_file_max // 1_000_000,
        remark_limit=REMARK_LIMIT,
        done=done,
        form=form,
        given=typed,
        wrong=wrong or {},
        refused=refused,
    )


def _moment(at: str, t: Translator) -> str:
    return t.datetime(datetime.fromisoformat(at))


def _withdrawal(
    request: Request,
    tracked: Tracked,
    status: int = 200,
    *,
    given: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
) -> Response:
    reference = tracked.complaint.reference
    return _render(
        request,
        "tracking_withdraw.html",
        status,
        reference,
        given={"reason": ""} | dict(given or {}),
        wrong=wrong or {},
        remark_limit=REMARK_LIMIT,
        may=may(tracked.standing),
        standing=tracked.standing,
    )


def _ask(request: Request, status: int = 200, *, reference: str = "", failed: str = "") -> Response:
    canonical = normalise_reference(reference) or ""
    return _render(request, "tracking_open.html", status, canonical, typed=canonical or reference, failed=failed)


def _render(request: Request, template: str, status: int, reference: str, **context: Any) -> Response:
    """A page whose language switch leads to what can be asked for, even where a form was answered; without the staff's
    links in its header."""
    path = f"{root_of(request)}/track/{reference}" if reference else f"{root_of(request)}/track"
    here = None if request.method == "GET" else {"here": partial(with_query, path)}
    return render(request, template, status, nav=[], reference=reference, path=path, **(here or {}), **context)


def _go(request: Request, reference: str, *, query: str = "") -> Response:
    return RedirectResponse(f"{root_of(request)}/track/{reference}" + (f"?{query}" if query else ""), 303)


def _remember(request: Request, response: Response, reference: str, token: str) -> None:
    response.set_cookie(
        COOKIE,
        token,
        max_age=VISIT,
        path=f"{root_of(request)}/track/{reference}",
        httponly=True,
        samesite="strict",
        # behind a proxy that ends TLS we see http: what complainants see is what counts
        secure="https" in (request.url.scheme, request.app.state.public_url.partition(":")[0]),
    )


def _forget(request: Request, response: Response, reference: str) -> None:
    path = f"{root_of(request)}/track/{normalise_reference(reference) or 'none'}"
    secure = request.url.scheme == "https"
    response.delete_cookie(COOKIE, path=path, httponly=True, samesite="strict", secure=secure)


def _text(typed: str) -> str:
    """What was typed into a field, with the line breaks of everybody else: forms send CR LF."""
    return typed.replace("\r\n", "\n").replace("\r", "\n").strip()
