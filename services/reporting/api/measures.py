"""Routes of improvement measures: the plan, its tasks, its evidence, and what changed."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.reporting.api.common import (
    Code,
    CodeQuery,
    Currency,
    Cursor,
    Day,
    Dimension,
    FigureKey,
    Id,
    IfMatch,
    Limit,
    OwnerRole,
    Planner,
    Reader,
    Title,
    Today,
    Words,
    version_of,
)
from services.reporting.domain.measure import Measure, Task
from services.reporting.store import goals as store
from services.reporting.store.goals import MeasureRow
from services.reporting.usecases import measures as usecases
from services.reporting.usecases import saying
from services.reporting.usecases.measures import (
    EffectUnknown,
    MeasureChanged,
    MeasureFull,
    MeasureInvalid,
    MeasureNotFound,
    TaskNotFound,
)
from shared.web.app import ClockDep, Reading, Tx
from shared.web.pages import translator
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/measures", tags=["measures"])
HorizonName = Literal["short", "medium", "long"]
StatusName = Literal["planned", "running", "done", "dropped"]


class MoneyIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    amount: Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=4, allow_inf_nan=False)]
    currency: Currency


class MeasureIn(BaseModel):
    """A measure by which `figure`, of all complaints or of those with `code` in `dimension`, is to get better.
    `starts_on` and `ends_on` are the plan: up to three months are short, up to twelve medium, more is long.
    `comparable` are codes of the same dimension, such as branches, where nothing was changed; its effect is
    judged against them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "title": "A second counter at noon",
                    "figure": "received",
                    "dimension": "branch",
                    "code": "central",
                    "comparable": ["north_point", "tsuen_wan"],
                    "horizon": "short",
                    "owner_department": "branch_operations",
                    "budget": {"amount": "40000", "currency": "HKD"},
                    "starts_on": "2026-03-01",
                    "ends_on": "2026-05-31",
                }
            ]
        },
    )

    title: Title
    figure: FigureKey
    dimension: Dimension | None = None
    code: Code | None = None
    comparable: Annotated[list[Code], Field(max_length=20)] = []
    horizon: HorizonName
    owner_department: Code
    budget: MoneyIn | None = None
    status: StatusName = "planned"
    starts_on: Day
    ends_on: Day
    started_on: Day | None = None
    ended_on: Day | None = None
    note: Words | None = None

    def measure(self) -> Measure:
        budget = self.budget
        return Measure(
            **self.model_dump(exclude={"budget", "comparable"}),
            comparable=tuple(self.comparable),
            budget=budget.amount if budget else None,
            currency=budget.currency if budget else None,
        )


class TaskIn(BaseModel):
    """Something to do, by a role, a department, or both. `done_on` once it is done."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    due_on: Day
    owner_role: OwnerRole | None = None
    owner_department: Code | None = None
    done_on: Day | None = None

    def task(self) -> Task:
        return Task(**self.model_dump())


class EvidenceIn(BaseModel):
    """What shows that the measure was taken, or what came of it. What looks like personal data is taken out of
    `note`."""

    model_config = ConfigDict(extra="forbid")

    note: Words
    link: Annotated[str, Field(max_length=500, pattern=r"^https://[^\s\x00-\x1f\x7f<>\"]+$")] | None = None


class MoneyOut(BaseModel):
    amount: str
    currency: str


class TaskOut(BaseModel):
    id: str
    title: str
    due_on: date
    owner_role: str | None
    owner_department: str | None
    done_on: date | None


class EvidenceOut(BaseModel):
    id: str
    note: str
    link: str | None
    added_by: str
    added_at: AwareDatetime


class MeasureListed(BaseModel):
    """A measure without its tasks and its evidence."""

    id: str
    title: str
    figure: str
    dimension: str | None
    code: str | None
    comparable: list[str]
    horizon: HorizonName
    owner_department: str
    budget: MoneyOut | None
    status: StatusName
    starts_on: date
    ends_on: date
    started_on: date | None
    ended_on: date | None
    note: str | None
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime


class MeasureOut(MeasureListed):
    """A measure. `version` is its ETag, which changes also with its tasks and its evidence."""

    tasks: list[TaskOut]
    evidence: list[EvidenceOut]


class EffectOut(BaseModel):
    """What a measure changed, from `before` weeks before it started and `after` weeks since. `estimate` compares with
    what would have come without it: the ratio of counts (`rate_ratio`), of odds (`odds_ratio`, of a share), or by how
    much the mean is another (`difference`); its 95% interval is `low` to `high`. With `too_little_data` there is none.
    `fewer` reads lower, and `more` higher, of shares and means. `weeks` are those of the figure, `of_weeks` of how many
    (shares and means), `compared_weeks` those of all that it was compared with. `sentence` and `caveats` say it in
    words."""

    verdict: Literal["too_little_data", "no_clear_effect", "fewer", "more"]
    compares: Literal["rate_ratio", "odds_ratio", "difference"]
    estimate: float | None
    low: float | None
    high: float | None
    p: float | None
    before: int
    after: int
    since: date
    trend_taken_out: bool
    season_taken_out: bool
    compared_with: int
    weeks: list[int]
    of_weeks: list[int] | None
    compared_weeks: list[int] | None
    sentence: str
    caveats: list[str]


class MeasurePage(BaseModel):
    items: list[MeasureListed]
    next: str | None = Field(description="The cursor of the next page; null on the last")


@router.get("", response_model=MeasurePage, responses=documented())
async def listed(
    session: Reading,
    _: Reader,
    status: StatusName | None = None,
    horizon: HorizonName | None = None,
    figure: CodeQuery = None,
    department: CodeQuery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Measures, newest first."""
    rows = await store.measures(
        session,
        status=status,
        horizon=horizon,
        figure=figure,
        department=department,
        after=cursor,
        limit=limit + 1,
    )
    more = rows[limit - 1].id if len(rows) > limit else None
    return {"items": [usecases.view(row) for row in rows[:limit]], "next": more}


@router.post("", response_model=MeasureOut, status_code=201, responses=documented(MeasureInvalid))
async def create(
    body: MeasureIn, response: Response, tx: Tx, today: Today, clock: ClockDep, principal: Planner
) -> dict[str, Any]:
    """Plan a measure."""
    row = await usecases.create(tx, body.measure(), today, actor=principal.id, now=clock())
    return await _answer(tx, row, response)


@router.get("/{measure_id}", response_model=MeasureOut, responses=documented(MeasureNotFound))
async def one(measure_id: Id, session: Reading, response: Response, _: Reader) -> dict[str, Any]:
    """A measure. Its `ETag` goes into `If-Match` of a change."""
    return await _answer(session, await usecases.find(session, measure_id), response)


@router.put(
    "/{measure_id}", response_model=MeasureOut, responses=documented(MeasureNotFound, MeasureInvalid, MeasureChanged)
)
async def change(
    measure_id: Id,
    body: MeasureIn,
    response: Response,
    tx: Tx,
    today: Today,
    clock: ClockDep,
    principal: Planner,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Put this in the place of a measure; its tasks and evidence stay. With `If-Match`, only as it was read."""
    version = version_of(if_match)
    row = await usecases.change(tx, measure_id, body.measure(), today, version=version, actor=principal.id, now=clock())
    return await _answer(tx, row, response)


@router.post(
    "/{measure_id}/tasks",
    response_model=MeasureOut,
    status_code=201,
    responses=documented(MeasureNotFound, MeasureInvalid, MeasureChanged, MeasureFull),
)
async def add_task(
    measure_id: Id,
    body: TaskIn,
    response: Response,
    tx: Tx,
    today: Today,
    clock: ClockDep,
    principal: Planner,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Add a task."""
    version = version_of(if_match)
    row = await usecases.add_task(tx, measure_id, body.task(), today, version=version, actor=principal.id, now=clock())
    return await _answer(tx, row, response)


@router.put(
    "/{measure_id}/tasks/{task_id}",
    response_model=MeasureOut,
    responses=documented(MeasureNotFound, TaskNotFound, MeasureInvalid, MeasureChanged),
)
async def change_task(
    measure_id: Id,
    task_id: Id,
    body: TaskIn,
    response: Response,
    tx: Tx,
    today: Today,
    clock: ClockDep,
    principal: Planner,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Put this in the place of a task, as when it is done."""
    version = version_of(if_match)
    row = await usecases.change_task(
        tx, measure_id, task_id, body.task(), today, version=version, actor=principal.id, now=clock()
    )
    return await _answer(tx, row, response)


@router.delete(
    "/{measure_id}/tasks/{task_id}",
    response_model=MeasureOut,
    responses=documented(MeasureNotFound, TaskNotFound, MeasureChanged),
)
async def remove_task(
    measure_id: Id,
    task_id: Id,
    response: Response,
    tx: Tx,
    clock: ClockDep,
    principal: Planner,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Remove a task that was set by mistake."""
    version = version_of(if_match)
    row = await usecases.remove_task(tx, measure_id, task_id, version=version, actor=principal.id, now=clock())
    return await _answer(tx, row, response)


@router.post(
    "/{measure_id}/evidence",
    response_model=MeasureOut,
    status_code=201,
    responses=documented(MeasureNotFound, MeasureFull),
)
async def add_evidence(
    measure_id: Id, body: EvidenceIn, response: Response, tx: Tx, clock: ClockDep, principal: Planner
) -> dict[str, Any]:
    """Add evidence. It stays: what was wrong is put right by more of it."""
    row = await usecases.add_evidence(tx, measure_id, body.note, body.link, actor=principal.id, now=clock())
    return await _answer(tx, row, response)


@router.get("/{measure_id}/effect", response_model=EffectOut, responses=documented(MeasureNotFound, EffectUnknown))
async def effect(
    measure_id: Id,
    request: Request,
    response: Response,
    session: Reading,
    today: Today,
    _: Reader,
    weeks: Annotated[int, Query(ge=8, le=260, description="How many weeks before and after to look at, at most")] = 104,
) -> dict[str, Any]:
    """What a measure changed, with the uncertainty of the answer, also in plain words in the language asked for."""
    judged = await usecases.judge(session, measure_id, today, weeks)
    found, t = judged.effect, translator(request)
    response.headers["Content-Language"] = t.language
    return {
        "verdict": found.verdict.value,
        "compares": found.measure,
        "estimate": found.ratio,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "before": found.before,
        "after": found.after,
        "since": judged.weeks.since.isoformat(),
        "trend_taken_out": found.trend,
        "season_taken_out": found.season,
        "compared_with": found.controls,
        "weeks": judged.seen.counts,
        "of_weeks": judged.seen.of,
        "compared_weeks": judged.others,
        "sentence": saying.sentence(found, t),
        "caveats": saying.caveats(found, t),
    }


async def _answer(session: Any, row: MeasureRow, response: Response) -> dict[str, Any]:
    response.headers["ETag"] = f'"{row.version}"'
    return await usecases.whole(session, row)
