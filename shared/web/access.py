"""Who is calling and whether they may: default deny.

Every route declares its access by `Depends(allow(...))` or is listed as public; `seal` refuses to start an app in which
one does not.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import Mount

from shared.errors import Forbidden, Unauthenticated
from shared.security.keys import PREFIX, KeyRing
from shared.security.oidc import StaffTokens
from shared.security.principal import Principal

COOKIE = "redress_session"
PUBLIC = frozenset(("/openapi.json", "/health/live", "/health/ready", "/metrics"))


class Authenticator:
    """Knows callers by API key or staff token."""

    def __init__(self, keys: KeyRing, staff: StaffTokens | None) -> None:
        self.keys = keys
        self.staff = staff
        self._asking: dict[str, asyncio.Task[Principal]] = {}

    async def principal(self, request: Request, *, own_form: bool = False) -> Principal:
        """Who calls; `own_form`: see `bearer`. Raises Unauthenticated, or Unavailable when that can't be found out
        now."""
        token = bearer(request, own_form=own_form)
        found = self.keys.remembered(token)
        if found is not None:
            return found
        if token.startswith(PREFIX):
            return await self._check_once(token)
        if self.staff is not None:
            return await self.staff.check(token)
        raise Unauthenticated("The key is unknown, expired or revoked.")

    async def _check_once(self, token: str) -> Principal:
        """Requests that come while a key is being looked up share the answer: else, each time a busy channel's key is
        to be checked anew, all its requests at once would crowd out everybody else at the database."""
        task = self._asking.get(token)
        if task is None:
            task = self._asking[token] = asyncio.create_task(self.keys.check(token))
            task.add_done_callback(lambda _: self._asking.pop(token))
        return await asyncio.shield(task)


def bearer(request: Request, *, own_form: bool = False) -> str:
    """The credential of a request: the Authorization header, or for reading pages the cookie of a signed-in browser.

    The cookie is taken for GET and HEAD only, so a page of another site can make a browser change nothing; with
    `own_form` also for what a form of our own pages sends.
    """
    header = request.headers.get("authorization", "")
    if header[:7].lower() == "bearer " and header[7:].strip():
        return header[7:].strip()
    taken = request.method in ("GET", "HEAD") or (own_form and _from_our_own_page(request))
    if taken and (cookie := request.cookies.get(COOKIE)):
        return cookie
    raise Unauthenticated("Send a key or token: Authorization: Bearer ...")


def _from_our_own_page(request: Request) -> bool:
    """Whether one of our forms sends this. Browsers tell by Fetch Metadata; those that do not, or not over plain http,
    are held by the cookie, which is SameSite=Strict. A script's content types never pass."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return False
    return request.headers.get("sec-fetch-site", "same-origin") == "same-origin"


def csrf_token(session: str) -> str:
    """What forms of the browser with this session cookie bring along: nobody who does not know the cookie can tell."""
    return hmac.new(session.encode(), b"redress form", hashlib.sha256).hexdigest()


Check = Callable[[Request], Coroutine[Any, Any, Principal]]


def allow(*wanted: str, own_form: bool = False) -> Check:
    """A dependency that lets pass whoever holds one of `wanted` (roles or scopes), and gives the `Principal`. With
    `own_form`, for routes that a page's form is sent to, the cookie of a signed-in browser counts there too."""
    if not wanted:
        raise ValueError("name the roles or scopes that may")

    async def check(request: Request) -> Principal:
        authenticator: Authenticator = request.app.state.authenticator
        principal = await authenticator.principal(request, own_form=own_form)
        if not principal.has(*wanted):
            raise Forbidden(f"This needs one of: {', '.join(wanted)}.")
        request.state.principal = principal  # pages show what their reader may do
        return principal

    check.__redress_allows__ = wanted  # type: ignore[attr-defined]
    return check


def public() -> Check:
    """A dependency that marks a route as open to everybody, on purpose. Where an app has set `app.state.strangers`, it
    is called with each such request and may refuse it."""

    async def check(request: Request) -> None:
        if (strangers := getattr(request.app.state, "strangers", None)) is not None:
            strangers(request)

    check.__redress_allows__ = ("public",)  # type: ignore[attr-defined]
    return check  # type: ignore[return-value]


async def _anybody_signed_in(request: Request) -> Principal:
    authenticator: Authenticator = request.app.state.authenticator
    return await authenticator.principal(request)


SignedIn = Annotated[Principal, Depends(_anybody_signed_in)]


def declared(route: RouteContext) -> tuple[str, ...] | None:
    """What `route` says about access; None when it says nothing."""
    if isinstance(route.original_route, APIRoute):
        return _of(route.dependant)
    if isinstance(route.original_route, Mount):
        return ("public",)  # static files of our own
    return ("public",) if route.path in PUBLIC else None


def _of(dependant: Dependant) -> tuple[str, ...] | None:
    for inner in dependant.dependencies:
        if (found := getattr(inner.call, "__redress_allows__", None)) is not None:
            return tuple(found)
        if (deeper := _of(inner)) is not None:
            return deeper
    return None


def seal(app: FastAPI) -> None:
    """Raises RuntimeError when a route of `app` does not say who may use it."""
    # not app.routes as it is: there an included router is one entry, whose routes would go unseen
    open_routes = [str(r.path) for r in iter_route_contexts(app.routes) if declared(r) is None]
    if open_routes:
        raise RuntimeError(f"routes without an access rule: {', '.join(open_routes)}")
