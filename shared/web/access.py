"""Who is calling and whether they may: default deny.

Every route declares its access by `Depends(allow(...))` or is listed as public; `seal` refuses to start an app in which
one does not.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import Mount

from shared.clock import Clock
from shared.errors import Forbidden, Unauthenticated
from shared.security import sessions
from shared.security.ended import Ended
from shared.security.keys import PREFIX, KeyRing
from shared.security.oidc import StaffTokens
from shared.security.principal import Principal
from shared.security.sessions import Session, SessionKeys
from shared.web.edge import MORE_HEADERS

COOKIE = "redress_session"
SECURE_COOKIE = f"__Host-{COOKIE}"  # over https: browsers then refuse one that another host or a plain page has set
FORM_TOKEN = "form_token"  # noqa: S105 - the name of the field in our forms
FORM_TOKEN_HEADER = "x-form-token"  # noqa: S105 - and this of a header
BY_ITSELF = "x-redress-background"
"""The header of what a page's script asks for by itself, which keeps no session alive."""
PUBLIC = frozenset(("/openapi.json", "/health/live", "/health/ready", "/metrics"))
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class Sessions:
    """Reads and writes the cookie of people who are signed in. `keys` None: nobody can be."""

    def __init__(
        self, keys: SessionKeys | None, ended: Ended, clock: Clock, *, lifetime: timedelta, idle: timedelta
    ) -> None:
        self.keys, self.ended, self.clock = keys, ended, clock
        self._lifetime, self._idle = lifetime, idle

    def sealed(self, request: Request) -> Session | None:
        """The session that the request's cookie holds and that is not too old; whether it has ended is not asked."""
        text = request.cookies.get(cookie_name(request))
        found = sessions.read(self.keys, text) if text and self.keys else None
        if found is None or found.over(lifetime=self._lifetime, idle=self._idle, now=self.clock()):
            return None
        return found

    async def of(self, request: Request) -> Session | None:
        """The session of the request; its cookie is renewed now and then, for as long as something is done. Raises
        Unavailable."""
        found = self.sealed(request)
        if found is None or await self.ended.includes(found):
            return None
        request.state.session = found
        # a page that is left open does nothing for whoever left it
        by_itself = BY_ITSELF in request.headers or request.headers.get("accept") == "text/event-stream"
        if not by_itself and (renewed := found.renewed(self.clock())) is not None:
            header = (b"set-cookie", self.cookie(request, renewed).encode())
            request.scope.setdefault(MORE_HEADERS, []).append(header)
        return found

    def cookie(self, request: Request, session: Session | None) -> str:
        """The Set-Cookie header that keeps `session`; None forgets it. Strict: no other site's link opens our pages as
        whoever is signed in. It has no end of its own: closing the browser forgets it."""
        assert self.keys is not None
        value = sessions.seal(self.keys, session) if session else ""
        secure = "; Secure" if request.url.scheme == "https" else ""
        gone = "" if session else "; Max-Age=0"
        return f"{cookie_name(request)}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{gone}"


def cookie_name(request: Request) -> str:
    return SECURE_COOKIE if request.url.scheme == "https" else COOKIE


class Authenticator:
    """Knows callers by API key or staff token in the Authorization header, and people by the session of their
    browser."""

    def __init__(self, keys: KeyRing, staff: StaffTokens | None, sessions: Sessions) -> None:
        self.keys = keys
        self.staff = staff
        self.sessions = sessions
        self._asking: dict[str, asyncio.Task[Principal]] = {}

    async def principal(self, request: Request, *, own_form: bool = False) -> Principal:
        """Who calls. The session counts for GET and HEAD alone, so a page of another site can make a browser change
        nothing; with `own_form` also for what a form of our own pages sends. Raises Unauthenticated, Forbidden for a
        form that is not ours, or Unavailable when who calls can't be found out now."""
        if "authorization" in request.headers:
            return await self.holder(bearer(request))
        reading = request.method in ("GET", "HEAD")
        session = await self.sessions.of(request) if reading or own_form else None
        if session is None:
            raise Unauthenticated("Send a key or token: Authorization: Bearer ...")
        if not reading:
            await _must_be_ours(request, session)
        return await self.holder(session.credential) if session.credential else session.principal

    async def holder(self, token: str) -> Principal:
        """Whose key or token this is. Raises Unauthenticated, or Unavailable."""
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


def bearer(request: Request) -> str:
    """The credential in the Authorization header. Raises Unauthenticated."""
    header = request.headers.get("authorization", "")
    if header[:7].lower() == "bearer " and header[7:].strip():
        return header[7:].strip()
    raise Unauthenticated("Send a key or token: Authorization: Bearer ...")


class ForeignForm(Forbidden):
    """What was sent does not come from a form of ours, or the form is older than the session. Open the page again."""

    code = "foreign_form"


async def _must_be_ours(request: Request, session: Session) -> None:
    """Raises ForeignForm unless a form of our pages sends this, in this session: it brings the session's token along,
    in a field or, from a script, a header. Browsers tell by Fetch Metadata as well. A script's content types, which
    another site could not send without asking, never pass."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _FORMS or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise ForeignForm
    sent: object = request.headers.get(FORM_TOKEN_HEADER)
    if sent is None:
        # a route that takes files has them read before; here none is kept
        sent = (await request.form(max_files=0, max_fields=500)).get(FORM_TOKEN)
    if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), form_token(session).encode()):
        raise ForeignForm


def form_token(session: Session) -> str:
    """What forms of this session bring along. The session's id is in a sealed cookie, so nobody else can tell."""
    return hmac.new(session.id.encode(), b"redress form", hashlib.sha256).hexdigest()


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
