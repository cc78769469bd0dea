"""What the bank tells everybody of its complaints: the public summary of a quarter or half-year, and its page.

What is published needs no sign-in. What is not yet can be looked at by those who may publish or audit it; to everybody
else it is not there.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, Header, Path, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from services.reporting.api.select import today
from services.reporting.domain.summary import NothingToPublish, NotOver, Span
from services.reporting.domain.suppression import NotPublishable
from services.reporting.store import publications
from services.reporting.usecases import publishing
from services.reporting.usecases.publishing import AlreadyPublished, ChangedMeanwhile, NotPublished
from services.reporting.views.block import duration
from shared.db import Database
from shared.errors import FieldError, Forbidden, Invalid, Unauthenticated
from shared.i18n import mark
from shared.security.principal import Principal, Role
from shared.web import pages
from shared.web.access import Authenticator, allow, public
from shared.web.app import ClockDep
from shared.web.problems import documented
from shared.web.router import Router

router = Router()
Publisher = Annotated[Principal, Depends(allow(Role.MANAGER))]
_PREVIEW = (Role.MANAGER, Role.AUDITOR, Role.ADMIN)
_CODE = r"^(19|20)[0-9]{2}-(Q[1-4]|H[12])$"
PeriodCode = Annotated[str, Path(pattern=_CODE, examples=["2026-Q1"])]
Year = Annotated[int | None, Query(ge=1990, le=2099)]
Quarter = Annotated[int | None, Query(ge=1, le=4)]
Half = Annotated[int | None, Query(ge=1, le=2)]
Hidden = Literal["small", "withheld"]


class SummaryCount(BaseModel):
    """`hidden` says why there is no count: it is `small` (fewer than `fewer_than`, perhaps none), or `withheld` so that
    a small one cannot be computed."""

    count: int | None
    hidden: Hidden | None


class SummaryItem(SummaryCount):
    code: str
    label: str


class SummaryTimes(BaseModel):
    """Of complaints closed in the period; null where they are too few to tell."""

    median_minutes: int | None
    within_3_days_percent: int | None
    within_8_weeks_percent: int | None


class SummaryTimesItem(SummaryTimes):
    code: str
    label: str


class PublicSummary(BaseModel):
    """The complaints received in a period, as known on `counted_on`. `published_at` is null while it is a draft, which
    only staff see; `published` are the periods that have been published, the latest first."""

    model_config = ConfigDict(populate_by_name=True)

    period: str = Field(examples=["2026-Q1"])
    since: date = Field(alias="from")
    until: date = Field(alias="to")
    counted_on: date
    published_at: datetime | None
    published: list[str]
    language: str
    fewer_than: int
    void: bool = Field(description="Nothing can be shown without telling of single complaints")
    total: SummaryCount
    category: list[SummaryItem]
    channel: list[SummaryItem]
    outcome: list[SummaryItem]
    closing: SummaryTimes
    closing_by_category: list[SummaryTimesItem]


class PeriodPublished(BaseModel):
    period: str
    sha256: str = Field(description="Of what was published, as the audit trail has it")


def _span(year: int | None, quarter: int | None, half: int | None) -> Span | None:
    """None if no period is asked for. Raises Invalid."""
    if year is None and quarter is None and half is None:
        return None
    if year is None or (quarter is None) == (half is None):
        reason = "give a year with either a quarter or a half"
        raise Invalid("A period is a year and its quarter or half.", errors=(FieldError("year", reason),))
    return Span(year, "quarter", quarter) if quarter is not None else Span(year, "half", half or 1)


async def _found(request: Request, span: Span | None) -> tuple[dict[str, Any], datetime | None, list[str], str | None]:
    """What is shown, when it was published, what else is, and the digest of a draft. Raises NotPublished, NotOver."""
    db: Database = request.app.state.db
    async with db.reading() as session:
        every = await publications.periods(session)
        code = span.code if span else next(iter(every), None)
        if code is not None and (there := await publications.document(session, code)):
            return there[0], there[1], every, None
    if span is None or not await _may_look(request):
        raise NotPublished
    made = await publishing.draft(db, span, today=today(request.app.state.settings, request.app.state.clock()))
    return made.document, None, every, made.digest


async def _may_look(request: Request) -> bool:
    authenticator: Authenticator = request.app.state.authenticator
    try:
        return (await authenticator.principal(request)).has(*_PREVIEW)
    except (Unauthenticated, Forbidden):
        return False


@router.get(
    "/v1/public-summary",
    tags=["public"],
    dependencies=[Depends(public())],
    responses=documented(NotPublished, NotOver, NotPublishable),
)
async def summary(
    request: Request, response: Response, year: Year = None, quarter: Quarter = None, half: Half = None
) -> PublicSummary:
    """The public summary of a quarter or half-year, of the one published last if none is named. Of a period that is not
    published yet, managers, auditors and administrators get the draft, with an ETag by which it can be published as it
    was seen."""
    document, at, every, digest = await _found(request, _span(year, quarter, half))
    t = pages.translator(request)
    if digest is not None:
        response.headers["ETag"] = f'"{digest}"'
    response.headers["Content-Language"] = t.language
    response.headers["Vary"] = "Accept-Language, Cookie, Authorization"
    return PublicSummary(**_in(document, t.language), published_at=at, published=every, language=t.language)


def _in(document: dict[str, Any], language: str) -> dict[str, Any]:
    """The document with the labels of one language."""
    labels = document["labels"][language]

    def named(kind: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**item, "label": labels[kind][item["code"]]} for item in items]

    lists = {kind: named(kind, document[kind]) for kind in ("category", "channel", "outcome")}
    closing = named("category", document["closing_by_category"])
    return {**document, **lists, "closing_by_category": closing}


@router.post(
    "/v1/public-summary/{period}",
    tags=["public"],
    status_code=201,
    responses=documented(AlreadyPublished, ChangedMeanwhile, NotOver, NotPublishable, NothingToPublish),
)
async def publish(
    period: PeriodCode,
    request: Request,
    clock: ClockDep,
    principal: Publisher,
    if_match: Annotated[str | None, Header(max_length=100, description="The ETag of the draft that was seen")] = None,
) -> PeriodPublished:
    """Publish the summary of a period that is over: from now on everybody can read it, and it never changes."""
    now = clock()
    seen = None if if_match is None or if_match.strip() == "*" else if_match.strip().removeprefix("W/").strip('"')
    made = await publishing.publish(
        request.app.state.db,
        Span.read(period),
        seen=seen,
        actor=principal.id,
        now=now,
        today=today(request.app.state.settings, now),
    )
    return PeriodPublished(period=period, sha256=made.digest)


_TITLES = {
    "category": mark("What it was about"),
    "channel": mark("How it reached us"),
    "outcome": mark("What came of it"),
}


@router.get("/public-summary", response_class=HTMLResponse, include_in_schema=False, dependencies=[Depends(public())])
async def page(request: Request, year: Year = None, quarter: Quarter = None, half: Half = None) -> Response:
    """The same as a page."""
    try:
        document, at, every, _ = await _found(request, _span(year, quarter, half))
    except NotPublished:
        if year is not None:
            raise
        return pages.render(request, "public_summary.html", summary=None, others=[])
    t = pages.translator(request)
    shown = _in(document, t.language)

    def percent(value: int | None) -> str:
        return "–" if value is None else t.percent(value / 100)

    times = [
        {
            "label": label,
            "median": duration(t, one["median_minutes"]),
            "within_3_days": percent(one["within_3_days_percent"]),
            "within_8_weeks": percent(one["within_8_weeks_percent"]),
        }
        for label, one in (
            (t.gettext("All complaints"), shown["closing"]),
            *((item["label"], item) for item in shown["closing_by_category"]),
        )
        if one["median_minutes"] is not None
    ]
    return pages.render(
        request,
        "public_summary.html",
        summary=shown,
        bank=request.app.state.settings.bank_name,
        since=date.fromisoformat(shown["from"]),
        until=date.fromisoformat(shown["to"]),
        counted_on=date.fromisoformat(shown["counted_on"]),
        published_at=at,
        tables=[(kind, t.gettext(title), shown[kind]) for kind, title in _TITLES.items()],
        times=times,
        others=[_other(code) for code in every if code != shown["period"]],
    )


def _other(code: str) -> dict[str, str]:
    span = Span.read(code)
    return {"text": code, "query": f"year={span.year}&{span.kind}={span.part}"}
