"""Signing in to pages and out again: through the bank's directory, with a key in a form, or, in the embedded default,
as one of the development staff.

    create_app(..., routers=[..., session.router()])

`GET /session/start` leads to the directory and `GET /session/return` back from it; `POST /session` takes a key; each
sets the cookie that `shared.web.access` reads. `POST /session/end` signs out. Intake alone has `POST /session/ended`,
at which the directory tells of sessions that ended there, and tells the other services of both.
"""

import re
from functools import cache
from html import escape
from typing import Annotated
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Depends, Form, Query, Request
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.responses import HTMLResponse, RedirectResponse, Response

from shared.errors import Forbidden, Invalid, NotFound, TooManyRequests, Unauthenticated, Unavailable
from shared.i18n import mark
from shared.security import ended, sessions
from shared.security.ended import Ending
from shared.security.principal import Principal
from shared.security.signin import WAITING, Begun, Directory, begun
from shared.settings import Settings
from shared.web import pages
from shared.web.access import Authenticator, public
from shared.web.app import Tx
from shared.web.pages import SIGN_OUT, root_of, sign_in_page

log = structlog.get_logger()
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,2400}\Z")  # RFC 6750 section 2.1, and as much as a cookie holds once sealed
_BEGUN = "redress_sign_in"

_UNKNOWN = mark("This key is not known here, or it has ended. Check it and try again.")
_FAILED = mark("Signing in did not work. Try again.")
_REFUSED = mark("The directory did not let you in.")
_NO_ROLE = mark("You are known, but have no part in the complaint desk. Ask whoever runs it.")


@cache
def router(*, tells: bool = False) -> APIRouter:
    """The routes that a service with pages includes; `tells`: the service tells the others of sessions that end."""
    found = APIRouter(include_in_schema=False, default_response_class=HTMLResponse, dependencies=[Depends(public())])
    found.add_api_route("/session", sign_in_with_key, methods=["POST"], response_class=HTMLResponse)
    found.add_api_route("/session/start", start, methods=["GET"], response_class=HTMLResponse)
    found.add_api_route("/session/return", come_back, methods=["GET"], response_class=HTMLResponse)
    end = end_and_tell if tells else end_here
    found.add_api_route("/session/end", end, methods=["POST"], response_class=HTMLResponse, name=SIGN_OUT)
    if tells:
        found.add_api_route("/session/ended", ended_there, methods=["POST"])
    return found


class Attempts:
    """How often an address may try to sign in. Addresses are personal data: they stay in memory."""

    def __init__(self, limit: str) -> None:
        self._item, self._limiter = parse(limit), MovingWindowRateLimiter(MemoryStorage())

    def spend(self, request: Request) -> None:
        """Raises TooManyRequests."""
        if not self._limiter.hit(self._item, request.app.state.addresses.of(request)):
            error = TooManyRequests("Too many attempts to sign in from here; wait a little.")
            error.retry_after = self._item.get_expiry()
            raise error


# --- with a key ---


async def sign_in_with_key(
    request: Request,
    credential: Annotated[str, Form()] = "",
    staff: Annotated[str, Form(max_length=20)] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Sign in with a key or, in the embedded default, as the member of the development `staff`, and go back to the page
    that was asked for; with a wrong key, the form again (401). Raises Unavailable when the key can't be checked now."""
    _from_our_own_page(request)
    _spend(request)
    authenticator: Authenticator = request.app.state.authenticator
    target = local(back, root_of(request) + "/")
    token = pages.development_staff(request).get(staff, "") if staff else credential.strip()
    try:
        if not _TOKEN.match(token):
            raise Unauthenticated
        principal = await authenticator.holder(token)
    except Unauthenticated:
        log.info("session.refused", service=request.app.state.service)
        return sign_in_page(request, back=target, failed=_UNKNOWN)
    return _signed_in(request, principal, RedirectResponse(target, 303), credential=token)


def _signed_in(
    request: Request,
    principal: Principal,
    response: Response,
    *,
    credential: str | None = None,
    directory_session: str | None = None,
) -> Response:
    known = request.app.state.authenticator.sessions
    if known.keys is None:
        raise Unavailable("Signing in to pages is not set up: REDRESS_SESSION_KEYS is unset.")
    session = sessions.begin(
        principal, now=request.app.state.clock(), credential=credential, directory_session=directory_session
    )
    response.headers.append("set-cookie", known.cookie(request, session))
    log.info("session.began", service=request.app.state.service, actor=principal.id)
    return response


# --- through the bank's directory ---


async def start(request: Request, back: Annotated[str, Query(max_length=2000)] = "") -> Response:
    """Lead to the directory. Raises NotFound where there is none, Unavailable when it does not answer."""
    directory, keys = _directory(request), request.app.state.authenticator.sessions.keys
    _spend(request)
    if keys is None:
        raise Unavailable("Signing in to pages is not set up: REDRESS_SESSION_KEYS is unset.")
    begin = begun(back=local(back, root_of(request) + "/"), now=request.app.state.clock())
    response = RedirectResponse(await directory.address(begin, _return_uri(request)), 303)
    kept = {name: getattr(begin, name) for name in Begun.__slots__}
    response.set_cookie(
        _BEGUN,
        keys.seal(_BEGUN, kept),
        max_age=WAITING,
        path=f"{root_of(request)}/session",
        httponly=True,
        samesite="lax",  # it must come along when the directory sends the browser back
        secure=request.url.scheme == "https",
    )
    return response


async def come_back(
    request: Request,
    state: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Sign in whom the directory sends back; what does not match leads to the form again (401)."""
    directory, known = _directory(request), request.app.state.authenticator.sessions
    _spend(request)
    kept = known.keys.open(_BEGUN, request.cookies.get(_BEGUN, "")) if known.keys else None
    target = root_of(request) + "/"
    failed = _FAILED
    if kept is not None:
        begin = Begun(**kept)
        target = begin.back
        try:
            if error or not code:
                failed = _REFUSED
                raise Unauthenticated
            principal, sid = await directory.person(
                begin, state=state, code=code, redirect_uri=_return_uri(request), now=request.app.state.clock()
            )
            if not principal.roles:
                failed = _NO_ROLE
                raise Unauthenticated
            # No redirect: it would still count as the directory's doing, and the strict cookie would stay behind.
            page = HTMLResponse(_ONWARD.format(target=escape(target, quote=True)))
            return _forget_begun(request, _signed_in(request, principal, page, directory_session=sid))
        except Unauthenticated as refused:
            log.info("session.refused", service=request.app.state.service, why=refused.detail[:100])
    return _forget_begun(request, sign_in_page(request, back=target, failed=failed))


_ONWARD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Redress</title>'
    '<meta http-equiv="refresh" content="0; url={target}"></head>'
    '<body><p><a href="{target}">Redress</a></p></body></html>'
)


def _forget_begun(request: Request, response: Response) -> Response:
    response.delete_cookie(_BEGUN, path=f"{root_of(request)}/session", httponly=True, samesite="lax")
    return response


def _directory(request: Request) -> Directory:
    """The bank's directory. Raises NotFound where people do not sign in through one."""
    state = request.app.state
    settings: Settings = state.settings
    authenticator: Authenticator = state.authenticator
    if authenticator.staff is None or not settings.oidc_client_id:
        raise NotFound("Nobody signs in through a directory here.")
    if not hasattr(state, "directory"):
        secret = settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else None
        state.directory = Directory(
            authenticator.staff, settings.oidc_client_id, secret=secret, scopes=settings.oidc_scopes
        )
    found: Directory = state.directory
    return found


def _return_uri(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{root_of(request)}/session/return"


# --- out again ---


async def end_here(request: Request, tx: Tx, back: Annotated[str, Form()] = "") -> Response:
    """Forget the cookie and end the session in this service, so that a copy is worth nothing. A key stays valid."""
    response, ending = _end(request, back)
    if ending:
        await ended.note(tx, request.app.state.db.tables, ending)
    return response


async def end_and_tell(request: Request, tx: Tx, back: Annotated[str, Form()] = "") -> Response:
    """The same, for all services."""
    response, ending = _end(request, back)
    if ending:
        await ended.publish(tx, request.app.state.db.tables, ending)
    return response


def _end(request: Request, back: str) -> tuple[Response, Ending | None]:
    _from_our_own_page(request)
    known = request.app.state.authenticator.sessions
    session = known.sealed(request)
    response = RedirectResponse(local(back, root_of(request) + "/"), 303)
    if known.keys is not None:
        response.headers.append("set-cookie", known.cookie(request, None))
    response.headers["clear-site-data"] = '"storage"'  # drafts that pages keep in the browser
    known.ended.forget()
    if session is None:
        return response, None
    log.info("session.ended", service=request.app.state.service, actor=session.staff)
    return response, Ending(request.app.state.clock(), session=session.id)


async def ended_there(request: Request, tx: Tx, logout_token: Annotated[str, Form(max_length=8000)] = "") -> Response:
    """What the directory tells us has ended there (OpenID Connect Back-Channel Logout 1.0, section 2.5). Raises
    Invalid for what is no logout token of it, Unavailable when its keys can't be had."""
    directory = _directory(request)
    try:
        ending = await directory.logout(logout_token, now=request.app.state.clock())
    except Unauthenticated as error:
        _spend(request)  # the directory itself may have very many to tell of at once
        raise Invalid(error.detail) from None
    await ended.publish(tx, request.app.state.db.tables, ending)
    request.app.state.authenticator.sessions.ended.forget()
    log.info("session.ended_by_directory", service=request.app.state.service)
    return Response(status_code=200, headers={"cache-control": "no-store"})


def _spend(request: Request) -> None:
    state = request.app.state
    if not hasattr(state, "sign_in_attempts"):
        state.sign_in_attempts = Attempts(state.settings.sign_in_limit)
    state.sign_in_attempts.spend(request)


def _from_our_own_page(request: Request) -> None:
    """Another site's form may not sign a browser in or out (login CSRF). Browsers tell by Fetch Metadata."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("This form can only be sent from our own page.")


def local(address: str, otherwise: str) -> str:
    """`address` if it is a path on this host, else `otherwise`: a redirect never leads elsewhere.

    Browsers read a backslash as a slash and drop tabs and line breaks, so none of these may be in it.
    """
    if not address.startswith("/") or address.startswith("//") or len(address) > 2000:
        return otherwise
    if "\\" in address or any(ord(c) <= 0x20 or ord(c) == 0x7F for c in address):
        return otherwise
    parts = urlsplit(address)
    return otherwise if parts.scheme or parts.netloc else address
