"""The figures as JSON. Each answer says in words what it counts."""

from datetime import date

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from services.reporting import figures
from services.reporting.api.select import Selected, readers, today
from shared.web.app import ClockDep, Reading
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/figures", tags=["figures"], dependencies=[Depends(readers())])


class Total(BaseModel):
    """The headline figures; `on` is the day that `today` counts, in the bank's zone."""

    total: int
    today: int
    open: int
    missed: int
    on: date
    definition: str


class Item(BaseModel):
    key: str = Field(description="A code, a day (YYYY-MM-DD) or a month (YYYY-MM)", examples=["phone", "2025-03"])
    count: int


class Volumes(BaseModel):
    """Complaints by one dimension: by time in order, else the largest first. `from` and `to` as they were asked for."""

    model_config = ConfigDict(populate_by_name=True)

    by: figures.Kind
    since: date | None = Field(None, alias="from")
    until: date | None = Field(None, alias="to")
    total: int
    items: list[Item]
    definition: str


class StepResults(BaseModel):
    step: str = Field(examples=["acknowledge"])
    in_time: int = 0
    late: int = 0
    missed: int = 0
    lapsed: int = 0
    due_soon: int = 0
    running: int = 0


class Deadlines(BaseModel):
    """What became of deadlines, by step."""

    model_config = ConfigDict(populate_by_name=True)

    since: date | None = Field(None, alias="from")
    until: date | None = Field(None, alias="to")
    items: list[StepResults]
    definition: str


@router.get("/total", responses=documented())
async def total(request: Request, session: Reading, selection: Selected, clock: ClockDep) -> Total:
    """How many complaints there are, how many came today, are open, and how many deadlines are missed."""
    await figures.agree(session)
    found = await figures.totals(session, selection, today=today(request.app.state.settings, clock()))
    return Total(
        total=found.total,
        today=found.today,
        open=found.open,
        missed=found.missed,
        on=found.on,
        definition=figures.TOTALS,
    )


@router.get("/volumes", responses=documented())
async def volumes(session: Reading, selection: Selected, by: figures.Kind = "day") -> Volumes:
    """Complaints by day, month, channel, type, department or outcome."""
    found = await figures.volumes(session, by, selection)
    return Volumes(
        by=by,
        since=selection.since,
        until=selection.until,
        total=sum(c.count for c in found),
        items=[Item(key=c.key, count=c.count) for c in found],
        definition=figures.DEFINITIONS[by],
    )


@router.get("/deadlines", responses=documented())
async def deadlines(session: Reading, selection: Selected) -> Deadlines:
    """Deadlines met in time, met late, and missed, by step."""
    found = await figures.deadline_results(session, selection)
    return Deadlines(
        since=selection.since,
        until=selection.until,
        items=[StepResults(step=step, **results) for step, results in sorted(found.items())],
        definition=figures.DEADLINES,
    )
