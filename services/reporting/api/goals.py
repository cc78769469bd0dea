"""Routes of goals."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.reporting.api.common import (
    Code,
    CodeQuery,
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
from services.reporting.domain.goal import Goal
from services.reporting.store import goals as store
from services.reporting.usecases import goals as usecases
from services.reporting.usecases.goals import GoalChanged, GoalInvalid, GoalNotFound, GoalOver
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/goals", tags=["goals"])
Number = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class GoalIn(BaseModel):
    """A goal: `figure`, of all complaints or of those with `code` in `dimension`, goes from `baseline` to `target` by
    `due_on`; it is taken over the last whole `period`. Shares are between 0 and 1. It is owned by a role, a department,
    or both, never by a person."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "title": "A fifth fewer complaints about fees",
                    "figure": "received",
                    "dimension": "category",
                    "code": "fees",
                    "direction": "down",
                    "baseline": 120,
                    "target": 96,
                    "starts_on": "2026-01-01",
                    "due_on": "2026-12-31",
                    "owner_department": "cards",
                }
            ]
        },
    )

    title: Title
    figure: FigureKey
    dimension: Dimension | None = None
    code: Code | None = None
    direction: Literal["down", "up"]
    baseline: Number
    target: Number
    period: Literal["month", "quarter", "year"] = "month"
    starts_on: Day
    due_on: Day
    owner_role: OwnerRole | None = None
    owner_department: Code | None = None
    note: Words | None = None

    def goal(self) -> Goal:
        return Goal(**self.model_dump())


class WithdrawalIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Words


class GoalOut(BaseModel):
    """A goal. `version` is its ETag. `settled_as`: what came of it, once its day was over."""

    id: str
    title: str
    figure: str
    dimension: str | None
    code: str | None
    direction: Literal["down", "up"]
    baseline: float
    target: float
    period: Literal["month", "quarter", "year"]
    starts_on: date
    due_on: date
    owner_role: str | None
    owner_department: str | None
    note: str | None
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime
    settled_as: Literal["reached", "missed"] | None
    settled_value: float | None
    settled_at: AwareDatetime | None
    withdrawn_because: str | None
    withdrawn_at: AwareDatetime | None


class GoalPage(BaseModel):
    items: list[GoalOut]
    next: str | None = Field(description="The cursor of the next page; null on the last")


class StandingOut(BaseModel):
    """How a goal stands by `value`, its figure from `since` to `until`. `expected` is where the straight line from
    baseline to target is on the last of those days."""

    standing: Literal["on_track", "behind", "reached", "missed", "no_data"]
    value: float | None
    expected: float
    since: date
    until: date


@router.get("", response_model=GoalPage, responses=documented())
async def listed(
    session: Reading,
    _: Reader,
    state: Literal["open", "settled", "withdrawn"] | None = None,
    figure: CodeQuery = None,
    department: CodeQuery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Goals, newest first."""
    rows = await store.goals(session, state=state, figure=figure, department=department, after=cursor, limit=limit + 1)
    more = rows[limit - 1].id if len(rows) > limit else None
    return {"items": [usecases.view(row) for row in rows[:limit]], "next": more}


@router.post("", response_model=GoalOut, status_code=201, responses=documented(GoalInvalid))
async def create(body: GoalIn, response: Response, tx: Tx, clock: ClockDep, principal: Planner) -> dict[str, Any]:
    """Set a goal."""
    row = await usecases.create(tx, body.goal(), actor=principal.id, now=clock())
    response.headers["ETag"] = f'"{row.version}"'
    return usecases.view(row)


@router.get("/{goal_id}", response_model=GoalOut, responses=documented(GoalNotFound))
async def one(goal_id: Id, session: Reading, response: Response, _: Reader) -> dict[str, Any]:
    """A goal. Its `ETag` goes into `If-Match` of a change."""
    row = await usecases.find(session, goal_id)
    response.headers["ETag"] = f'"{row.version}"'
    return usecases.view(row)


@router.get("/{goal_id}/standing", response_model=StandingOut, responses=documented(GoalNotFound))
async def standing(goal_id: Id, session: Reading, today: Today, _: Reader) -> dict[str, Any]:
    """How a goal stands today."""
    return await usecases.standing_of(session, goal_id, today)


@router.put(
    "/{goal_id}", response_model=GoalOut, responses=documented(GoalNotFound, GoalInvalid, GoalChanged, GoalOver)
)
async def change(
    goal_id: Id, body: GoalIn, response: Response, tx: Tx, clock: ClockDep, principal: Planner, if_match: IfMatch = None
) -> dict[str, Any]:
    """Put this in the place of a goal; the same again changes nothing. With `If-Match`, only as it was read."""
    row = await usecases.change(tx, goal_id, body.goal(), version=version_of(if_match), actor=principal.id, now=clock())
    response.headers["ETag"] = f'"{row.version}"'
    return usecases.view(row)


@router.post("/{goal_id}/withdraw", response_model=GoalOut, responses=documented(GoalNotFound, GoalChanged, GoalOver))
async def withdraw(
    goal_id: Id,
    body: WithdrawalIn,
    response: Response,
    tx: Tx,
    clock: ClockDep,
    principal: Planner,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Give a goal up. It stays to be seen, with the reason."""
    row = await usecases.withdraw(
        tx, goal_id, body.reason, version=version_of(if_match), actor=principal.id, now=clock()
    )
    response.headers["ETag"] = f'"{row.version}"'
    return usecases.view(row)
