"""Management reports: ordered, watched while they are made, read as page, PDF or spreadsheet."""

import re
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import Depends, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.reporting.api import views
from services.reporting.api.select import readers, today
from services.reporting.domain import selection as periods
from services.reporting.domain.selection import Selection
from services.reporting.reports import making
from services.reporting.reports.document import Document
from services.reporting.reports.making import MonthNotOver
from services.reporting.store import reports as store
from services.reporting.store.reports import DONE, ReportRow
from services.reporting.views import charts
from shared import i18n
from shared.errors import Conflict, FieldError, Invalid, NotFound
from shared.security.principal import Principal, Role
from shared.web import pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/reports", tags=["reports"])
page_router = Router(include_in_schema=False)
Reader = Annotated[Principal, Depends(readers())]
Orderer = Annotated[Principal, Depends(allow(Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN))]
FormOrderer = Annotated[
    Principal, Depends(allow(Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN, own_form=True))
]
ReportId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]
Language = Literal["zh-Hant", "zh-Hans", "en"]


class ReportNotFound(NotFound):
    """There is no such report."""

    code = "report_not_found"


class ReportNotDone(Conflict):
    """The report is still being made, or could not be made."""

    code = "report_not_done"


def _month(value: object) -> date:
    if not isinstance(value, str) or not re.fullmatch(r"(19|20|21)\d{2}-(0[1-9]|1[0-2])", value):
        raise ValueError("is no month, YYYY-MM")
    return date.fromisoformat(f"{value}-01")


Month = Annotated[date, BeforeValidator(_month, json_schema_input_type=str)]


class ReportIn(BaseModel):
    """The report of one month in one language."""

    model_config = ConfigDict(extra="forbid")

    month: Month = Field(examples=["2025-05"])
    language: Language = "zh-Hant"


class Report(BaseModel):
    """`progress` is 0 to 100. `files` are where to get it once `state` is done."""

    id: str
    month: str = Field(examples=["2025-05"])
    language: str
    state: Literal["queued", "running", "done", "failed"]
    progress: int
    ordered_by: str
    ordered_at: datetime
    error: str | None = None
    files: dict[str, str] = Field(default_factory=dict)


class ReportPage(BaseModel):
    """The latest ordered first. `next` is the cursor of the next page, null on the last."""

    items: list[Report]
    next: str | None


def _shown(request: Request, row: ReportRow) -> Report:
    root = pages.root_of(request)
    files = {}
    if row.state == DONE:
        files = {kind: f"{root}/v1/reports/{row.id}.{kind}" for kind in ("pdf", "xlsx")}
        files["page"] = f"{root}/reports/{row.id}"
    return Report(
        id=row.id,
        month=f"{row.month:%Y-%m}",
        language=row.language,
        state=row.state,
        progress=row.progress,
        ordered_by=row.ordered_by,
        ordered_at=row.ordered_at,
        error=row.error,
        files=files,
    )


@router.post("", status_code=202, responses=documented(MonthNotOver))
async def order(body: ReportIn, request: Request, principal: Orderer, tx: Tx, clock: ClockDep) -> Report:
    """Have a report made; it is done in some seconds. Its progress is at `GET /v1/reports/{id}`."""
    now = clock()
    day = today(request.app.state.settings, now)
    row = making.order(tx, body.month, body.language, by=principal.id, now=now, today=day)
    return _shown(request, row)


@router.get("", responses=documented())
async def listed(
    request: Request,
    _: Reader,
    session: Reading,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9a-f-]{36}$")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ReportPage:
    """The reports there are, and those being made."""
    rows = await store.latest(session, before=cursor, limit=limit + 1)
    items = [_shown(request, row) for row in rows[:limit]]
    return ReportPage(items=items, next=items[-1].id if len(rows) > limit else None)


_FILES = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@router.get(
    "/{report_id}.{kind}",
    response_class=Response,
    responses={
        200: {"content": {media: {"schema": {"type": "string", "format": "binary"}} for media in _FILES.values()}},
        **documented(ReportNotFound, ReportNotDone),
    },
)
async def file(report_id: ReportId, kind: Literal["pdf", "xlsx"], _: Reader, session: Reading) -> Response:
    """A report as PDF or as spreadsheet."""
    row = await _row(session, report_id)
    content = row.pdf if kind == "pdf" else row.xlsx
    if row.state != DONE or content is None:
        raise ReportNotDone
    name = f"complaints-{row.month:%Y-%m}-{row.language}.{kind}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, max-age=86400"}
    return Response(content, media_type=_FILES[kind], headers=headers)


@router.get("/{report_id}", responses=documented(ReportNotFound))
async def one(report_id: ReportId, request: Request, _: Reader, session: Reading) -> Report:
    """How far a report is."""
    return _shown(request, await _row(session, report_id))


async def _row(session: AsyncSession, id: str) -> ReportRow:
    """Raises ReportNotFound."""
    row = await session.get(ReportRow, id)
    if row is None:
        raise ReportNotFound
    return row


async def _document(session: AsyncSession, id: str) -> Document:
    """Raises ReportNotFound, ReportNotDone."""
    row = await _row(session, id)
    if row.document is None:
        raise ReportNotDone
    return Document.load(row.document)


# --- pages ---


@page_router.get("/reports", response_class=HTMLResponse)
async def reports_page(request: Request, _: Reader, session: Reading, clock: ClockDep) -> Response:
    """The reports to read, those being made with their progress, and the form to order one."""
    rows = await store.latest(session, before=None, limit=60)
    t = pages.translator(request)
    day = today(request.app.state.settings, clock())
    months = [periods.following(day, "month", -n) for n in range(1, 25)]
    return pages.render(
        request,
        "reports.html",
        reports=[(_shown(request, row), t.month(row.month)) for row in rows],
        making=any(row.state in ("queued", "running") for row in rows),
        months=[(f"{month:%Y-%m}", t.month(month)) for month in months],
        choice=i18n.LANGUAGES,
        tabs=views.tabs(t, "reports", Selection()),
    )


@page_router.post("/reports", response_class=HTMLResponse)
async def order_page(
    request: Request,
    principal: FormOrderer,
    tx: Tx,
    clock: ClockDep,
    month: Annotated[str, Form(max_length=7)],
    language: Annotated[str, Form(max_length=10)],
) -> Response:
    """Order a report by the form of the page."""
    if language not in i18n.LANGUAGES:
        raise Invalid(errors=(FieldError("language", "not one of ours"),))
    try:
        asked = _month(month)
    except ValueError as error:
        raise Invalid(errors=(FieldError("month", str(error)),)) from None
    now = clock()
    day = today(request.app.state.settings, now)
    making.order(tx, asked, language, by=principal.id, now=now, today=day)
    return RedirectResponse(f"{pages.root_of(request)}/reports", 303)


@page_router.get("/reports/{report_id}", response_class=HTMLResponse)
async def report_page(report_id: ReportId, request: Request, _: Reader, session: Reading) -> Response:
    """A report as a page."""
    found = await _document(session, report_id)
    t = pages.translator(request)
    return pages.render(request, "report.html", report=found, id=report_id, tabs=views.tabs(t, "reports", Selection()))


@page_router.get("/reports/{report_id}/{section}-{block}.svg")
async def report_picture(
    report_id: ReportId,
    section: Annotated[int, Path(ge=0, le=99)],
    block: Annotated[int, Path(ge=0, le=99)],
    request: Request,
    _: Reader,
    session: Reading,
) -> Response:
    """A chart of a report, which never changes."""
    found = await _document(session, report_id)
    try:
        chart = found.sections[section].blocks[block].chart
    except IndexError:
        chart = None
    if chart is None:
        raise ReportNotFound
    narrow = request.query_params.get("narrow") == "1"
    picture = await charts.svg(chart, found.language, narrow=narrow)
    headers = {"Cache-Control": "private, max-age=86400", "Vary": "Cookie, Authorization"}
    return Response(picture, media_type="image/svg+xml", headers=headers)
