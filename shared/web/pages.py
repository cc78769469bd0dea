"""Pages that people look at: one look, three languages, rendered on the server.

A service with pages calls `install(app, folder)` once; `folder` holds its `templates/`, and if it has them `locale/`
and `static/`. Its routes then answer `render(request, "name.html", ...)` and say `response_class=HTMLResponse`, which
is what makes a route a page (and `include_in_schema=False`: a page is no API). Templates extend `base.html`.

Errors: on a page, or where there is nothing at all (404), a client that names `text/html` in its Accept header, as
browsers do when they open an address, gets the error as a page, and for 401 the form to sign in. Everybody else
gets `application/problem+json`: API routes answer it to browsers too, and pages to `curl`.

Templates may use, besides what they are given:
`_(text, **values)`, `ngettext(one, many, n)`, `label(kind, code)`, `t` (numbers, dates: `shared.i18n.Translator`),
`url("/path")` (an address of this service, wherever it is mounted), `service_url("sla", "/path")` (one of another
service; None where this one stands alone), `static("file")`, `here(name=value, ...)` (the present address with other
query parameters; None leaves one out), `form_token()` (goes into every form that a signed-in person sends), `me` (who
is signed in, a `Principal`; None on pages open to all), `nav`, `languages`, `signed_in`, `now`.
The content security policy allows no inline style or script: classes and SVG attributes only, scripts from `static/`.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from shared import i18n, trace
from shared.errors import RedressError
from shared.i18n import Translator, mark
from shared.security.principal import Principal, Role
from shared.settings import Settings
from shared.web import access

_TEMPLATES = Path(__file__).parent / "templates"
_STATIC = Path(__file__).parent / "static"
_REFUSED = re.compile(r"q=0(\.0*)?\Z")
_TOKEN_FIELD = Markup('<input type="hidden" name="form_token" value="{}">')
SIGN_OUT = "sign_out"  # the name of that route
DESK = "desk"  # the name under which the app that mounts all services answers


@dataclass(frozen=True, slots=True)
class Link:
    """An entry of the header: a page of `service` at `path`, for those who hold one of `roles`; none means all."""

    service: str
    path: str
    text: str
    roles: frozenset[Role] = frozenset()


_READERS = frozenset((Role.OFFICER, Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN))
NAV = (
    Link(DESK, "/", mark("Desk")),
    Link("intake", "/take", mark("Take in"), frozenset((Role.AGENT,))),
    Link("routing", "/queue", mark("Work queue"), frozenset((Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR))),
    Link("routing", "/supervision", mark("Supervision"), frozenset((Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR))),
    Link("sla", "/at-risk", mark("Deadlines"), _READERS),
    Link("intake", "/search", mark("Search"), frozenset((Role.AGENT, Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR))),
    Link("reporting", "/dashboard", mark("Dashboard")),
    Link("intake", "/audit", mark("Audit"), frozenset((Role.AUDITOR, Role.ADMIN))),
    Link("intake", "/admin", mark("Administration"), frozenset((Role.ADMIN,))),
)

# What a person can do about an error; other errors get the last words.
_ERRORS = {
    400: (mark("This address cannot be read"), mark("Something in it is not as it should be. Go back and try again.")),
    403: (
        mark("This page is not open to you"),
        mark("Your key or role does not include it. Ask whoever runs the desk."),
    ),
    404: (mark("There is nothing here"), mark("The address may be mistyped, or what it named is gone.")),
    422: (mark("This address cannot be used"), mark("A value in it is not allowed. Go back and choose again.")),
    503: (mark("The desk cannot answer just now"), mark("Nothing is lost. Try again in a moment.")),
}
_OTHER = (
    mark("Something went wrong"),
    mark("Try again. If it stays, quote the number below to whoever runs the desk."),
)


class Pages:
    """The templates and texts of one app. `folder` is a service's own; without it only what is shared."""

    def __init__(self, folder: Path | None = None) -> None:
        own = [FileSystemLoader(folder / "templates")] if folder else []
        self.locale = folder / "locale" if folder else None
        self.static = folder / "static" if folder and (folder / "static").is_dir() else None
        self.signs_out = False  # whether there is a form to sign out: see `shared.web.session`
        self.environment = Environment(
            loader=ChoiceLoader([*own, FileSystemLoader(_TEMPLATES)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def static_url(self, root: str, name: str) -> str:
        """The address of a static file; it changes with the content, so that browsers may keep the file for ever."""
        folders = (self.static, _STATIC)
        path = next((f / name for f in folders if f and (f / name).is_file()), None)
        if path is None:
            raise LookupError(f"no static file {name}")
        return f"{root}/static/{quote(name)}?v={_digest(path)}"


@lru_cache(maxsize=256)
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


class _Static(StaticFiles):
    """Our own files; kept by browsers when asked for by version."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            lasting = scope["query_string"].startswith(b"v=")
            response.headers["cache-control"] = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return response


def install(app: FastAPI, folder: Path | None = None) -> None:
    """Give `app`, made by `shared.web.app.create_app`, pages: templates, texts, static files, errors as pages."""
    app.state.pages = found = Pages(folder)
    found.signs_out = any(route.name == SIGN_OUT for route in iter_route_contexts(app.routes))
    mount_static(app)
    for kind in (RedressError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _as_page_too(app.exception_handlers[kind]))


def mount_static(app: FastAPI) -> None:
    """Serve `/static`: the shared files, before them those of the app's own `static/`."""
    pages: Pages = app.state.pages
    app.mount("/static", _Static(directory=pages.static, packages=[("shared.web", "static")]), name="static")


def render(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """The page `template` with `context`, in the language that the request asks for; that choice is remembered. One
    whose `status` tells of an error undoes what the request's transaction has done."""
    request.state.refused = status >= 400
    pages: Pages = request.app.state.pages
    t = translator(request)
    root = root_of(request)
    page = pages.environment.get_template(template).render(
        **{
            "t": t,
            "_": t.gettext,
            "ngettext": t.ngettext,
            "label": t.label,
            "url": lambda path: root + path,
            "static": lambda name: pages.static_url(root, name),
            "here": lambda **changes: address(request, **changes),
            "service_url": partial(service_url, request),
            "form_token": lambda: _TOKEN_FIELD.format(form_token(request)),
            "me": me(request),
            "nav": _nav(request),
            "languages": _offered(request),
            "signed_in": pages.signs_out and access.cookie_name(request) in request.cookies,
            "now": request.app.state.clock(),
            **context,
        }
    )
    response = HTMLResponse(page, status, headers={"Content-Language": t.language, "Vary": "Accept-Language, Cookie"})
    if request.query_params.get("lang"):
        response.set_cookie(
            i18n.COOKIE,
            t.language,
            max_age=365 * 24 * 3600,
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
    return response


def translator(request: Request) -> Translator:
    """The translator for whoever asks: `?lang=`, the cookie, Accept-Language, the bank's first language."""
    pages: Pages = request.app.state.pages
    settings: Settings = request.app.state.settings
    language = i18n.choose(
        request.query_params.get("lang"),
        request.cookies.get(i18n.COOKIE),
        request.headers.get("accept-language", ""),
        list(_offered(request)),
    )
    return i18n.translator(language, settings.zone, pages.locale)


def _offered(request: Request) -> dict[str, str]:
    settings: Settings = request.app.state.settings
    return {language: i18n.LANGUAGES[language] for language in settings.languages if language in i18n.LANGUAGES}


def root_of(request: Request) -> str:
    """Where the app is mounted, `/reporting` or nothing."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def address(request: Request, **changes: str | None) -> str:
    """The present address, local, with other query parameters; None leaves one out."""
    return with_query(f"{quote(request.url.path)}?{request.url.query}", **changes)


def with_query(local: str, **changes: str | None) -> str:
    """A local address with other query parameters; None, or nothing, leaves one out."""
    path, _, query = local.partition("?")
    kept = urlencode([(k, v) for k, v in {**dict(parse_qsl(query)), **changes}.items() if v])
    return f"{path}?{kept}" if kept else path


def me(request: Request) -> Principal | None:
    """Who asks, once the route has found out."""
    found: Principal | None = getattr(request.state, "principal", None)
    return found


def form_token(request: Request) -> str:
    """What a form of ours must bring along, so that no other site's form counts as ours; empty without a session."""
    session = getattr(request.state, "session", None)
    return access.form_token(session) if session else ""


def service_url(request: Request, service: str, path: str) -> str | None:
    """The address of `path` in `service`. A service that stands alone knows no address but its own: None."""
    own, root = request.app.state.service, root_of(request)
    if service == own:
        return root + path
    if own == DESK:
        desk = root
    elif root.endswith(f"/{own}"):
        desk = root.removesuffix(f"/{own}")
    else:
        return None
    return desk + (path if service == DESK else f"/{service}{path}")


def _nav(request: Request) -> list[dict[str, Any]]:
    """The header's links that are of use to whoever asks."""
    reader = me(request)
    found = []
    for link in NAV:
        if link.roles and (reader is None or not reader.has(*link.roles)):
            continue
        if (href := service_url(request, link.service, link.path)) is not None:
            found.append({"href": href, "text": link.text, "current": href == request.url.path})
    return found


def wants_page(request: Request) -> bool:
    """Whether an error should be a page: the route is one, or there is none, and the client names `text/html`."""
    route: BaseRoute | None = request.scope.get("route")
    kind = getattr(route, "response_class", HTMLResponse if route is None else None)
    if not (isinstance(kind, type) and issubclass(kind, HTMLResponse)):
        return False
    for item in request.headers.get("accept", "").lower().split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        if media in ("text/html", "application/xhtml+xml"):
            return not any(_REFUSED.match(p) for p in parameters)
    return False


Answer = Callable[[Request, Any], Any]


def _as_page_too(as_problem: Answer) -> Answer:
    async def answer(request: Request, error: Exception) -> Response:
        found = as_problem(request, error)
        problem: Response = await found if isinstance(found, Awaitable) else found
        return error_page(request, problem) if wants_page(request) else problem

    return answer


def error_page(request: Request, problem: Response) -> Response:
    """The page that says what `problem` says, with its status and headers; for 401 the form to sign in."""
    status = problem.status_code
    if status == HTTPStatus.UNAUTHORIZED:
        read = request.method in ("GET", "HEAD")
        page = sign_in_page(request, back=address(request) if read else f"{root_of(request)}/")
    else:
        title, advice = _ERRORS.get(status, _OTHER)
        here = trace.current()
        number = here.correlation_id if here else ""
        page = render(request, "error.html", status, title=title, advice=advice, request_id=number)
    if "retry-after" in problem.headers:
        page.headers["retry-after"] = problem.headers["retry-after"]
    return page


def _ways(request: Request, back: str) -> dict[str, Any]:
    """How one can sign in here: through the bank's directory, as one of the development staff, or with a key."""
    state = request.app.state
    directory = f"{root_of(request)}/session/start?{urlencode({'back': back})}"
    return {
        "directory": directory if state.settings.oidc_client_id and state.authenticator.staff else None,
        "development": development_staff(request),
        "sealing": state.authenticator.sessions.keys is not None,
    }


def development_staff(request: Request) -> dict[str, str]:
    """Keys of the development staff by role. Only the embedded default has such, and only for whoever sits at the same
    machine."""
    staff: dict[str, str] = getattr(request.app.state, "development_staff", {})
    here = request.client is not None and request.client.host in ("127.0.0.1", "::1")
    # a proxy on this machine speaks for others, and another host's name may be made to lead here
    named = request.url.hostname in ("127.0.0.1", "::1", "localhost")
    handed_on = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "via"))
    return staff if here and named and not handed_on else {}


def sign_in_page(request: Request, *, back: str, failed: str = "") -> Response:
    """The ways to sign in, as the answer 401. `back` is where to go then, `failed` why it did not work."""
    there = partial(with_query, back)  # where the language switch leads: the form itself has no address to ask for
    ways = _ways(request, back)
    page = render(request, "sign_in.html", HTTPStatus.UNAUTHORIZED, back=back, failed=failed, here=there, **ways)
    page.headers["www-authenticate"] = 'Bearer realm="redress"'
    return page
