"""Early warnings: surges that were told of, as JSON and as a page, and what the figures propose."""

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.reporting.api import views
from services.reporting.api.select import Day, readers, today
from services.reporting.domain import selection as periods
from services.reporting.domain.selection import Selection
from services.reporting.figures import reading
from services.reporting.reports import document
from services.reporting.store import surges as store
from services.reporting.views.block import Context
from shared.web import pages
from shared.web.app import ClockDep, Reading
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1", tags=["early warning"], dependencies=[Depends(readers())])
page_router = Router(include_in_schema=False, dependencies=[Depends(readers())])


class SurgeItem(BaseModel):
    """More complaints of one kind than chance explains, or a theme that rises. `limit`: so many in the days that gave
    the alarm would have been the first too many. `tentative`: there was little history to compare with."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    category: str | None
    product: str | None
    branch: str | None
    channel: str | None
    theme: str | None
    terms: list[str] = Field(description="Of a theme, all terms that were put together")
    since: date
    until: date
    observed: int
    expected: float
    limit: int
    p: float
    tentative: bool
    over: bool
    detected_at: datetime


class Surges(BaseModel):
    items: list[SurgeItem]


@router.get("/surges", responses=documented())
async def surges(
    session: Reading,
    since: Annotated[Day, Query(alias="from")] = None,
    until: Annotated[Day, Query(alias="to")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Surges:
    """Surges that touch a period, the latest first."""
    rows = await store.every(session, since, until, limit)
    items = [
        SurgeItem(
            **{**row.model_dump(exclude={"daily", "part_of"}), "terms": row.terms.split("\n") if row.terms else []}
        )
        for row in rows
    ]
    return Surges(items=items)


class ProposalItem(BaseModel):
    """`reason`: cause (of the vital few), rising, late (deadlines), surge; what it rests on beside it."""

    reason: str
    dimension: str
    code: str
    count: int
    before: int
    share: float | None


class Proposals(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    since: date = Field(alias="from")
    until: date = Field(alias="to")
    items: list[ProposalItem]


def _context(request: Request, session: Reading, clock: ClockDep) -> Context:
    """Of the last three finished months."""
    day = today(request.app.state.settings, clock())
    end = periods.beginning(day, "month")
    chosen = Selection(periods.following(end, "month", -3), end - timedelta(days=1))
    return Context(session, chosen, pages.translator(request), day)


@router.get("/proposals", responses=documented())
async def proposals(request: Request, session: Reading, clock: ClockDep) -> Proposals:
    """What the figures of the last three finished months suggest for the next period."""
    await reading.agree(session)
    context = _context(request, session, clock)
    assert context.chosen.since is not None
    assert context.chosen.until is not None
    found = await document.proposed(context)
    items = [
        ProposalItem(
            reason=one.reason,
            dimension=one.dimension,
            code=one.code,
            count=one.count,
            before=one.before,
            share=one.share,
        )
        for one in found
    ]
    return Proposals(since=context.chosen.since, until=context.chosen.until, items=items)


@page_router.get("/warnings", response_class=HTMLResponse)
async def warnings(request: Request, session: Reading, clock: ClockDep) -> Response:
    """What runs higher than chance explains, and what the figures propose."""
    await reading.agree(session)
    context = _context(request, session, clock)
    since = context.today - timedelta(days=90)
    rows = await store.every(session, since, None, 100)
    sides = await store.sides(session, [row.id for row in rows])
    blocks = [
        document.surges_block(context.t, [row for row in rows if not row.over], sides),
        document.surges_block(context.t, [row for row in rows if row.over], sides),
        document.proposals_block(context.t, await document.proposed(context)),
    ]
    return pages.render(
        request,
        "warnings.html",
        going=blocks[0],
        past=blocks[1],
        proposals=blocks[2],
        tabs=views.tabs(context.t, "warnings", Selection()),
    )
