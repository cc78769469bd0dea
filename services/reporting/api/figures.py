"""The figures as JSON. Each answer says in words what it counts."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request

from services.reporting.api.schemas import (
    Backlog,
    Band,
    Basis,
    By,
    Cause,
    Causes,
    Comparison,
    Counted,
    CountedPage,
    Deadlines,
    Definition,
    Definitions,
    Duration,
    Durations,
    Fairness,
    GroupItem,
    Item,
    LoadItem,
    Loads,
    PaidItem,
    Period,
    RateItem,
    Rates,
    Rating,
    Redress,
    Satisfaction,
    ShareItem,
    Shares,
    StepResults,
    Total,
    Volumes,
)
from services.reporting.api.select import Code, Selected, readers, today
from services.reporting.domain.fact import REDRESS_UNIT
from services.reporting.figures import measures, reading
from services.reporting.figures.catalogue import CATALOGUE
from services.reporting.usecases import drilldown
from shared.errors import FieldError, Invalid
from shared.web.app import ClockDep, Reading
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/figures", tags=["figures"], dependencies=[Depends(readers())])


def _asked(chosen: Selected, key: str) -> dict[str, Any]:
    figure = CATALOGUE[key]
    definition = f"{figure.formula} {figure.counts_on}"
    return {"since": chosen.since, "until": chosen.until, "where": dict(chosen.where), "definition": definition}


@router.get("", responses=documented())
async def catalogue() -> Definitions:
    """Every figure there is, and what it means."""
    return Definitions(items=[Definition.of(figure) for figure in CATALOGUE.values()])


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


@router.get("/volumes", responses=documented())
async def volumes(session: Reading, chosen: Selected, of: Basis = "received", by: By = "day") -> Volumes:
    """Complaints received, closed, reopened, ... by day, month, quarter, year, channel, type, department, ..."""
    await reading.agree(session)
    found = await measures.volumes(session, of, by, chosen)
    items = [Item(key=c.key, count=c.count) for c in found]
    return Volumes(of=of, by=by, total=sum(c.count for c in found), items=items, **_asked(chosen, of))


@router.get("/deadlines", responses=documented())
async def deadlines(
    session: Reading, chosen: Selected, by: Literal["step", "rule", "department"] = "step"
) -> Deadlines:
    """Deadlines met in time, met late, and missed, by step, by rule or by department."""
    await reading.agree(session)
    found = await measures.deadlines(session, by, chosen)
    items = [StepResults(step=code, kept=measures.kept(results), **results) for code, results in sorted(found.items())]
    return Deadlines(by=by, items=items, **_asked(chosen, "deadlines"))


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


@router.get("/causes", responses=documented())
async def causes(session: Reading, chosen: Selected) -> Causes:
    """Root causes, the most frequent first, with the share of all up to each (Pareto)."""
    await reading.agree(session)
    found = await measures.pareto(session, chosen)
    items = [Cause(key=c.key, count=c.count, share=c.share, together=c.together) for c in found]
    return Causes(items=items, **_asked(chosen, "causes"))


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


@router.get("/shares", responses=documented())
async def shares(session: Reading, chosen: Selected) -> Shares:
    """Reopened, disputed, repeat, vulnerable, upheld."""
    await reading.agree(session)
    found = await measures.shares(session, chosen)
    items = [ShareItem(key=key, count=one.count, of=one.of, share=one.share) for key, one in found.items()]
    return Shares(items=items, **_asked(chosen, "shares"))


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
