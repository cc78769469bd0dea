"""Every page that staff look at, found in the apps themselves, so that none is forgotten."""

import re
from collections.abc import Iterable, Iterator

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.responses import HTMLResponse

from shared.security.principal import Role
from shared.web.access import declared

ROLES = (Role.SUPERVISOR, Role.ADMIN, Role.MANAGER, Role.AUDITOR, Role.OFFICER, Role.AGENT)
_PARAMETER = re.compile(r"\{[^}]+\}")
_LINK = re.compile(r'(?:href|data-part)="([^"#]+)"')


def pages(app: FastAPI) -> Iterator[tuple[str, Role]]:
    """Paths of an app's pages for staff, each with the role to ask as: the first of ROLES that may."""
    for route in iter_route_contexts(app.routes):
        kind = getattr(route.original_route, "response_class", None)
        if not (isinstance(kind, type) and issubclass(kind, HTMLResponse)):
            continue
        wanted = declared(route) or ()
        role = next((role for role in ROLES if role in wanted), None)
        if role is not None and "GET" in (getattr(route.original_route, "methods", None) or ()):
            yield str(route.path), role


def links(html: str, root: str) -> set[str]:
    """Where a page leads below `root` (`/routing`), as paths of that service."""
    found = (link.replace("&amp;", "&") for link in _LINK.findall(html))
    return {link.removeprefix(root) for link in found if link.startswith(f"{root}/")}


def address(path: str, seen: Iterable[str]) -> str | None:
    """An address that the route's `path` means; one with parameters is looked for among the links that were `seen`."""
    if "{" not in path:
        return path
    pattern = re.compile("[^/?]+".join(re.escape(part) for part in _PARAMETER.split(path)) + r"(?:\?.*)?\Z")
    return min((one for one in seen if pattern.match(one)), default=None)


def of_complaint(id: str) -> set[str]:
    """Where a complaint is shown, in whichever service: another service leads there, or a search."""
    return {f"{path}/{id}" for path in ("/cases", "/clocks", "/parts/clocks", "/complaints", "/parts/complaints")}
