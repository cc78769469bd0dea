"""Routes of commendations."""

from datetime import date
from typing import Annotated, Any

from fastapi import Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.reporting.api.common import Code, CodeQuery, Cursor, Day, Id, Limit, Planner, Today, Words
from services.reporting.store import goals as store
from services.reporting.usecases import commendations as usecases
from services.reporting.usecases.commendations import CommendationInvalid, CommendationNotFound
from shared.security.principal import STAFF, Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/commendations", tags=["commendations"])
Staff = Annotated[Principal, Depends(allow(*sorted(STAFF)))]
Giver = Annotated[Principal, Depends(allow(*sorted(STAFF - {Role.AUDITOR})))]


class CommendationIn(BaseModel):
    """Praise for a team: a department, a branch, or the department's people in a branch. Tell what they did well and
    what others can learn from it, and name nobody; what looks like personal data is taken out."""

    model_config = ConfigDict(extra="forbid")

    department: Code | None = None
    branch: Code | None = None
    occurred_on: Day
    text: Words


class CommendationOut(BaseModel):
    id: str
    department: str | None
    branch: str | None
    occurred_on: date
    text: str
    created_at: AwareDatetime


class CommendationPage(BaseModel):
    items: list[CommendationOut]
    next: str | None = Field(description="The cursor of the next page; null on the last")


@router.get("", response_model=CommendationPage, responses=documented())
async def listed(
    session: Reading,
    _: Staff,
    department: CodeQuery = None,
    branch: CodeQuery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """What teams were praised for, newest first."""
    rows = await store.commendations(session, department=department, branch=branch, after=cursor, limit=limit + 1)
    more = rows[limit - 1].id if len(rows) > limit else None
    return {"items": [usecases.view(row) for row in rows[:limit]], "next": more}


@router.post("", response_model=CommendationOut, status_code=201, responses=documented(CommendationInvalid))
async def give(body: CommendationIn, tx: Tx, today: Today, clock: ClockDep, principal: Giver) -> dict[str, Any]:
    """Praise a team."""
    row = await usecases.give(tx, **body.model_dump(), today=today, actor=principal.id, now=clock())
    return usecases.view(row)


@router.delete("/{commendation_id}", status_code=204, responses=documented(CommendationNotFound))
async def remove(commendation_id: Id, tx: Tx, clock: ClockDep, principal: Planner) -> None:
    """Remove a commendation, as when it names somebody."""
    await usecases.remove(tx, commendation_id, actor=principal.id, now=clock())
