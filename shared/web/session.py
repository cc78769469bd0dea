"""Signing in to pages: a key or staff token in a form, kept in a cookie that only reading honours.

    create_app(..., routers=[..., session.router()])

`POST /session` checks the credential and sets the cookie `redress_session`: HttpOnly, SameSite=Strict, Secure over
https, gone when the browser closes. `shared.web.access` honours it for GET and HEAD. `POST /session/end` signs out.
"""

import re
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from shared.errors import Forbidden, Unauthenticated
from shared.i18n import mark
from shared.security.keys import PREFIX
from shared.web.access import COOKIE, Authenticator, public
from shared.web.pages import SIGN_OUT, root_of, sign_in_page

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,3900}\Z")  # RFC 6750 section 2.1, as much as a cookie holds

_UNKNOWN = mark("This key is not known here, or it has ended. Check it and try again.")


def router() -> APIRouter:
    """The routes that a service with pages includes."""
    found = APIRouter(include_in_schema=False, default_response_class=HTMLResponse, dependencies=[Depends(public())])
    found.add_api_route("/session", sign_in, methods=["POST"], response_class=HTMLResponse)
    found.add_api_route("/session/end", sign_out, methods=["POST"], response_class=HTMLResponse, name=SIGN_OUT)
    return found


async def sign_in(
    request: Request, credential: Annotated[str, Form()] = "", back: Annotated[str, Form()] = ""
) -> Response:
    """Set the cookie and go back to the page that was asked for; with a wrong key, the form again (401).

    Unavailable when the credential can't be checked now.
    """
    _from_our_own_page(request)
    target, token = local(back, root_of(request) + "/"), credential.strip()
    try:
        if not _TOKEN.match(token):
            raise Unauthenticated
        await _check(request.app.state.authenticator, token)
    except Unauthenticated:
        return sign_in_page(request, back=target, failed=_UNKNOWN)
    response = RedirectResponse(target, 303)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, token, path="/", httponly=True, samesite="strict", secure=secure)
    return response


async def sign_out(request: Request, back: Annotated[str, Form()] = "") -> Response:
    """Forget the cookie. The key itself stays valid."""
    _from_our_own_page(request)
    response = RedirectResponse(local(back, root_of(request) + "/"), 303)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return response


async def _check(authenticator: Authenticator, token: str) -> None:
    if token.startswith(PREFIX):
        await authenticator.keys.check(token)
    elif authenticator.staff is not None:
        await authenticator.staff.check(token)
    else:
        raise Unauthenticated


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
