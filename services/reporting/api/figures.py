"""The figures as JSON. Each answer says in words what it counts."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.reporting.api.select import Code, Selected, readers, today
from services.reporting.domain.fact import REDRESS_UNIT
from services.reporting.figures import measures, reading
from services.reporting.figures.catalogue import CATALOGUE, Figure
from services.reporting.usecases import drilldown
from shared.errors import FieldError, Invalid
from shared.web.app import ClockDep, Reading
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/figures", tags=["figures"], dependencies=[Depends(readers())])

Basis = Literal["received", "acknowledged", "responded", "resolved", "closed", "reopened", "disputed"]
By = Literal[
    "day",
    "month",
    "quarter",
    "year",
    "channel",
    "category",
    "product",
    "department",
    "branch",
    "severity",
    "language",
    "jurisdiction",
    "outcome",
    "root_cause",
    "state",
    "vulnerable",
    "repeat",
]
Duration = Literal["acknowledge", "respond", "close"]


class Asked(BaseModel):
    """`from` and `to` as they were asked for; what was chosen beside them."""

    model_config = ConfigDict(populate_by_name=True)

    since: date | None = Field(None, alias="from")
    until: date | None = Field(None, alias="to")
    where: dict[str, str] = Field(default_factory=dict, examples=[{"department": "cards"}])
    definition: str


def _asked(chosen: Selected, key: str) -> dict[str, Any]:
    figure = CATALOGUE[key]
    definition = f"{figure.formula} {figure.counts_on}"
    return {"since": chosen.since, "until": chosen.until, "where": dict(chosen.where), "definition": definition}


class Definition(BaseModel):
    """One figure: what it is called, how it is made, of which events, and which day counts."""

    key: str
    name: str
    formula: str
    counts_on: str
    events: list[str] = Field(examples=[["com.redress.complaint.received.v1"]])

    @classmethod
    def of(cls, figure: Figure) -> "Definition":
        events = [event.type for event in figure.events]
        return cls(key=figure.key, name=figure.name, formula=figure.formula, counts_on=figure.counts_on, events=events)


class Definitions(BaseModel):
    items: list[Definition]


@router.get("", responses=documented())
async def catalogue() -> Definitions:
    """Every figure there is, and what it means."""
    return Definitions(items=[Definition.of(figure) for figure in CATALOGUE.values()])


class Total(Asked):
    """The headline figures; `on` is the day that `today` counts, in the bank's zone."""

    total: int
    today: int
    open: int
    missed: int
    on: date


@router.get("/total", responses=documented())
async def total(request: Request, session: Reading, chosen: Selected, clock: ClockDep) -> Total:
    """How many complaints there are, how many came today, are open, and how many deadlines are missed."""
    await reading.agree(session)
    found = await measures.totals(session, chosen, today=today(request.app.state.settings, clock()))
    return Total(
        total=found.total,
        today=found.today,
        open=found.open,
        missed=found.missed,
        on=found.on,
        **_asked(chosen, "total"),
    )


class Item(BaseModel):
    key: str = Field(
        description="A code, or a period: 2025-03-04, 2025-03, 2025-Q1, 2025", examples=["phone", "2025-03"]
    )
    count: int


class Volumes(Asked):
    """Complaints by one dimension: by time in order, else the largest first."""

    of: Basis
    by: By
    total: int
    items: list[Item]


@router.get("/volumes", responses=documented())
async def volumes(session: Reading, chosen: Selected, of: Basis = "received", by: By = "day") -> Volumes:
    """Complaints received, closed, reopened, ... by day, month, quarter, year, channel, type, department, ..."""
    await reading.agree(session)
    found = await measures.volumes(session, of, by, chosen)
    items = [Item(key=c.key, count=c.count) for c in found]
    return Volumes(of=of, by=by, total=sum(c.count for c in found), items=items, **_asked(chosen, of))


class StepResults(BaseModel):
    """`step` is the code by which was asked: a step, a department, or `<rule>/<step>`."""

    step: str = Field(examples=["acknowledge"])
    in_time: int = 0
    late: int = 0
    missed: int = 0
    lapsed: int = 0
    due_soon: int = 0
    running: int = 0
    kept: float | None = Field(None, description="Share in time among in time, late and missed")


class Deadlines(Asked):
    by: Literal["step", "rule", "department"]
    items: list[StepResults]


@router.get("/deadlines", responses=documented())
async def deadlines(
    session: Reading, chosen: Selected, by: Literal["step", "rule", "department"] = "step"
) -> Deadlines:
    """Deadlines met in time, met late, and missed, by step, by rule or by department."""
    await reading.agree(session)
    found = await measures.deadlines(session, by, chosen)
    items = [StepResults(step=code, kept=measures.kept(results), **results) for code, results in sorted(found.items())]
    return Deadlines(by=by, items=items, **_asked(chosen, "deadlines"))


class Period(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    key: str = Field(examples=["2025-Q1"])
    since: date = Field(alias="from")
    until: date = Field(alias="to")
    count: int


class Comparison(Asked):
    """The present period beside the one before and the same of last year, over as many days. A change of 0.25 is a
    quarter more; null where there was nothing to compare with."""

    of: Basis
    by: Literal["month", "quarter", "year"]
    present: Period
    before: Period
    year_before: Period
    change: float | None
    change_on_year: float | None


@router.get("/comparison", responses=documented())
async def comparison(
    request: Request,
    session: Reading,
    chosen: Selected,
    clock: ClockDep,
    of: Basis = "received",
    by: Literal["month", "quarter", "year"] = "month",
) -> Comparison:
    """Month on month, quarter on quarter, year on year. The period that is compared ends with `to`, else today."""
    await reading.agree(session)
    at = chosen.until or today(request.app.state.settings, clock())
    found = await measures.comparison(session, of, by, chosen, today=at)
    present, before, year_before = (
        Period(key=one.key, since=one.since, until=one.until, count=one.count) for one in found
    )
    return Comparison(
        of=of,
        by=by,
        present=present,
        before=before,
        year_before=year_before,
        change=found[0].from_(found[1]),
        change_on_year=found[0].from_(found[2]),
        **_asked(chosen, of),
    )


class Band(BaseModel):
    """Complaints that have been waiting for at most `days`, and longer than the band before; null: longer still."""

    days: int | None
    count: int


class Backlog(Asked):
    on: date
    total: int
    oldest: int | None = Field(description="In days; null when nothing is open")
    bands: list[Band]
    months: list[Item] = Field(description="Open at the end of each month, as known now")


@router.get("/backlog", responses=documented())
async def backlog(request: Request, session: Reading, chosen: Selected, clock: ClockDep) -> Backlog:
    """What is open now, and how long it has been waiting; and what was open at the end of each month."""
    await reading.agree(session)
    day = today(request.app.state.settings, clock())
    found = await measures.backlog(session, chosen, today=day)
    months = await measures.backlog_by_month(session, chosen, today=day)
    return Backlog(
        on=found.on,
        total=found.total,
        oldest=found.oldest,
        bands=[Band(days=d, count=n) for d, n in zip((*measures.AGES, None), found.bands, strict=True)],
        months=[Item(key=one.key, count=one.count) for one in months],
        **_asked(chosen, "backlog"),
    )


class Durations(Asked):
    """Times in minutes."""

    of: Duration
    count: int
    median: int | None
    p90: int | None
    p95: int | None
    within_3_days: float | None
    within_8_weeks: float | None


@router.get("/durations", responses=documented())
async def durations(session: Reading, chosen: Selected, of: Duration = "close") -> Durations:
    """How long it took to acknowledge, to respond, or to close."""
    await reading.agree(session)
    found = await measures.durations(session, of, chosen)
    return Durations(
        of=of,
        count=found.count,
        median=found.median,
        p90=found.p90,
        p95=found.p95,
        within_3_days=found.within(3 * 24 * 60),
        within_8_weeks=found.within(56 * 24 * 60),
        **_asked(chosen, of),
    )


class Cause(BaseModel):
    key: str
    count: int
    share: float
    together: float


class Causes(Asked):
    items: list[Cause]


@router.get("/causes", responses=documented())
async def causes(session: Reading, chosen: Selected) -> Causes:
    """Root causes, the most frequent first, with the share of all up to each (Pareto)."""
    await reading.agree(session)
    found = await measures.pareto(session, chosen)
    items = [Cause(key=c.key, count=c.count, share=c.share, together=c.together) for c in found]
    return Causes(items=items, **_asked(chosen, "causes"))


class PaidItem(BaseModel):
    key: str = Field(description="A code; empty for all together")
    currency: str
    amount: Decimal


class Redress(Asked):
    items: list[PaidItem]


@router.get("/redress", responses=documented())
async def redress(
    session: Reading,
    chosen: Selected,
    by: Literal["channel", "category", "product", "department", "branch", "root_cause"] | None = None,
) -> Redress:
    """What was paid, in each currency."""
    await reading.agree(session)
    found = await measures.redress(session, by or "", chosen)
    items = [PaidItem(key=p.key, currency=p.currency, amount=p.amount) for p in found]
    return Redress(items=items, **_asked(chosen, "redress"))


class Rating(BaseModel):
    """`counts` are those of the answers 1 to 5."""

    aspect: str
    count: int
    mean: float | None
    satisfied: float | None = Field(description="Share of 4 and 5")
    counts: list[int]


class Satisfaction(Asked):
    items: list[Rating]


@router.get("/satisfaction", responses=documented())
async def satisfaction(session: Reading, chosen: Selected) -> Satisfaction:
    """What complainants said after the decision, by aspect."""
    await reading.agree(session)
    found = await measures.ratings(session, chosen)
    items = []
    for aspect, counts in found.items():
        n = sum(counts.values())
        items.append(
            Rating(
                aspect=aspect,
                count=n,
                mean=sum(value * m for value, m in counts.items()) / n if n else None,
                satisfied=(counts[4] + counts[5]) / n if n else None,
                counts=list(counts.values()),
            )
        )
    return Satisfaction(items=items, **_asked(chosen, "rated"))


class ShareItem(BaseModel):
    key: str
    count: int
    of: int
    share: float | None


class Shares(Asked):
    items: list[ShareItem]


@router.get("/shares", responses=documented())
async def shares(session: Reading, chosen: Selected) -> Shares:
    """Reopened, disputed, repeat, vulnerable, upheld."""
    await reading.agree(session)
    found = await measures.shares(session, chosen)
    items = [ShareItem(key=key, count=one.count, of=one.of, share=one.share) for key, one in found.items()]
    return Shares(items=items, **_asked(chosen, "shares"))


class GroupItem(BaseModel):
    """`median` in minutes; `kept` the share of deadlines in time."""

    key: Literal["yes", "no"]
    outcomes: dict[str, int]
    closed: int
    median: int | None
    kept: float | None


class Fairness(Asked):
    items: list[GroupItem]


@router.get("/fairness", responses=documented())
async def fairness(session: Reading, chosen: Selected) -> Fairness:
    """Vulnerable customers' complaints (`yes`) beside all others (`no`)."""
    await reading.agree(session)
    found = await measures.fairness(session, chosen)
    items = [
        GroupItem(
            key="yes" if key == "yes" else "no",
            outcomes=dict(group.outcomes),
            closed=group.close.count,
            median=group.close.median,
            kept=measures.kept(group.deadlines),
        )
        for key, group in found.items()
    ]
    return Fairness(items=items, **_asked(chosen, "fairness"))


class RateItem(BaseModel):
    """`rate` is per thousand of `base`; both null where no base has been entered."""

    key: str = Field(description="A code; empty for all together")
    count: int
    base: int | None
    rate: float | None


class Rates(Asked):
    of: Basis
    per: Literal["customers", "accounts", "branches"]
    items: list[RateItem]


@router.get("/rates", responses=documented())
async def rates(
    request: Request,
    session: Reading,
    chosen: Selected,
    clock: ClockDep,
    of: Basis = "received",
    per: Literal["customers", "accounts", "branches"] = "customers",
    by: Literal["channel", "category", "product", "department", "branch"] | None = None,
) -> Rates:
    """Complaints per thousand customers, accounts or branches (`PUT /v1/bases/...` says how many there are)."""
    await reading.agree(session)
    day = today(request.app.state.settings, clock())
    found = await measures.rates(session, of, per, by, chosen, today=day)
    items = [RateItem(key=one.key, count=one.count, base=one.base, rate=one.rate) for one in found]
    return Rates(of=of, per=per, items=items, **_asked(chosen, "rates"))


class LoadItem(BaseModel):
    department: str
    open: int
    unassigned: int
    officers: int
    median: float | None
    most: int | None


class Loads(BaseModel):
    items: list[LoadItem]
    definition: str


@router.get("/load", responses=documented())
async def load(session: Reading) -> Loads:
    """The open work by department."""
    await reading.agree(session)
    found = await measures.load(session)
    items = [
        LoadItem(
            department=one.department,
            open=one.open,
            unassigned=one.unassigned,
            officers=one.officers,
            median=one.median,
            most=one.most,
        )
        for one in found
    ]
    return Loads(items=items, definition=CATALOGUE["load"].formula)


class Counted(BaseModel):
    """A complaint that a figure counts. Times in minutes; `overall` is the complainant's rating."""

    id: str
    reference: str | None
    received_on: date
    closed_on: date | None
    status: str
    channel: str
    category: str
    product: str
    department: str
    branch: str
    severity: str
    outcome: str
    root_cause: str
    to_acknowledge: int | None
    to_respond: int | None
    to_close: int | None
    redress: Decimal | None
    currency: str | None
    overall: int | None


class CountedPage(BaseModel):
    """`next` is the cursor of the next page, null on the last."""

    items: list[Counted]
    next: str | None


@router.get("/complaints", responses=documented(Invalid))
async def complaints(
    session: Reading,
    chosen: Selected,
    of: Basis | Literal["rated"] = "received",
    step: Code = None,
    rule: Code = None,
    result: Code = None,
    cursor: Annotated[str | None, Query(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> CountedPage:
    """The complaints that a figure counts: of the same period and choice; of deadlines, those with the step, rule or
    result that is asked for."""
    if (step or rule or result) and of != "received":
        reason = "deadlines count on the day of receipt"
        raise Invalid("Deadlines are those of complaints received.", errors=(FieldError("of", reason),))
    which = drilldown.Which(of, step, rule, result)
    found = await drilldown.complaints(session, which, chosen, after=cursor, limit=limit + 1)
    items = [_counted(row) for row in found[:limit]]
    return CountedPage(items=items, next=items[-1].id if len(found) > limit else None)


def _counted(row: dict[str, Any]) -> Counted:
    redress = None if row["redress"] is None else row["redress"] * REDRESS_UNIT
    named = {"id": row["complaint_id"], "received_on": row["day"], "closed_on": row["closed_day"]}
    return Counted(**{**row, **named, "redress": redress})
