"""What SLA's routes share: the packs in force, paging, and who may do what."""

from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request, Response

from services.sla.api.schemas import CODE
from services.sla.domain.notice import Setup
from services.sla.usecases.current import Current
from services.sla.usecases.timekeeping import Place
from services.sla.usecases.views import CURSOR
from shared.errors import FieldError, Invalid
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep

READERS = (Role.OFFICER, Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN)
WORKERS = (Role.OFFICER, Role.SUPERVISOR, Role.MANAGER)
LEADERS = (Role.SUPERVISOR, Role.MANAGER)
NEXT = "`next` of the page before; none for the first"
PageSize = Annotated[int, Query(ge=1, le=200, description="How many items a page has at most")]
Cursor = Annotated[str | None, Query(pattern=CURSOR, description=NEXT)]
Department = Annotated[str | None, Query(pattern=CODE)]
Worker = Annotated[Principal, Depends(allow(*WORKERS))]
Leader = Annotated[Principal, Depends(allow(*LEADERS))]


async def _current(request: Request, now: ClockDep) -> Current:
    found: Current = request.app.state.current
    await found.refresh(request.app.state.db, now())
    return found


def _setup(request: Request) -> Setup:
    found: Setup = request.app.state.notice_setup
    return found


SetupDep = Annotated[Setup, Depends(_setup)]
CurrentDep = Annotated[Current, Depends(_current)]


def version_of(if_match: str | None) -> int | None:
    """The version that an If-Match names; None where none is asked for. Raises Invalid for one that is none of ours."""
    if if_match is None or if_match == "*":
        return None
    bare = if_match.removeprefix("W/").strip('"')
    if not bare.isascii() or not bare.isdigit() or len(bare) > 9:
        raise Invalid("If-Match holds no ETag of ours.", errors=(FieldError("If-Match", "is no ETag", "etag"),))
    return int(bare)


def place(
    complaint_id: Annotated[str, Path(pattern=CODE)],
    clock_id: Annotated[str, Path(pattern=CODE)],
    if_match: Annotated[str | None, Header(description="The `ETag` of the clock as it was read")] = None,
) -> Place:
    """The clock that a route is about."""
    return Place(complaint_id, clock_id, version_of(if_match))


PlaceDep = Annotated[Place, Depends(place)]


def tag(response: Response, version: int) -> None:
    response.headers["ETag"] = f'"{version}"'
