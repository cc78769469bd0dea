"""Deadlines as a calendar for office software (iCalendar)."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query, Request, Response

from services.sla.api.context import READERS
from services.sla.api.schemas import CODE, FeedIn, FeedOut
from services.sla.usecases import feeds
from services.sla.usecases.feeds import FeedNotFound
from shared.security.principal import Principal, Role
from shared.web.access import allow, public
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1", tags=["calendar"])
open_router = Router(prefix="/v1", tags=["calendar"], dependencies=[Depends(public())])
Keeper = Annotated[Principal, Depends(allow(Role.SUPERVISOR, Role.MANAGER, Role.ADMIN))]
Language = Annotated[Literal["zh-Hant", "zh-Hans", "en"], Query(description="Of the texts")]
_ICS = "text/calendar; charset=utf-8"
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/calendar": {"schema": {"type": "string"}}}, "description": "iCalendar, RFC 5545"}
}


@router.get(
    "/departments/{department}/deadlines.ics",
    dependencies=[Depends(allow(*READERS))],
    response_class=Response,
    responses=documented() | _ANSWER,
)
async def own(
    department: Annotated[str, Path(pattern=CODE)],
    session: Reading,
    request: Request,
    now: ClockDep,
    language: Language = "en",
) -> Response:
    """A department's open deadlines as a calendar."""
    return await _calendar(session, department, request, now, language)


@router.post("/feeds", status_code=201, responses=documented())
async def make(body: FeedIn, tx: Tx, by: Keeper, now: ClockDep) -> FeedOut:
    """An address from which office software reads a department's calendar without a key. It is shown this once."""
    row, secret = await feeds.make(tx, body.department, by=by, now=now())
    return FeedOut(id=row.id, department=row.department, path=f"/v1/feeds/{secret}.ics")


@router.delete("/feeds/{feed_id}", status_code=204, responses=documented(FeedNotFound))
async def revoke(feed_id: Annotated[str, Path(pattern=CODE)], tx: Tx, by: Keeper, now: ClockDep) -> None:
    """Switch a calendar's address off."""
    await feeds.revoke(tx, feed_id, by=by, now=now())


@open_router.get("/feeds/{secret}.ics", response_class=Response, responses=documented(FeedNotFound) | _ANSWER)
async def feed(
    secret: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{20,64}$")],
    session: Reading,
    request: Request,
    now: ClockDep,
    language: Language = "en",
) -> Response:
    """A department's open deadlines, for whoever has its address: references and steps, nothing of the complainant."""
    department = await feeds.of_secret(session, secret)
    return await _calendar(session, department, request, now, language)


async def _calendar(session: Reading, department: str, request: Request, now: ClockDep, language: str) -> Response:
    content = await feeds.calendar(
        session,
        department,
        language=language,
        zone=request.app.state.zone,
        case_url=request.app.state.case_url,
        now=now(),
    )
    return Response(content, media_type=_ICS, headers={"Cache-Control": "private, max-age=300"})
