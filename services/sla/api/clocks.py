"""Clocks: how they stand, what led there, what is at risk, and what people do to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.api import schemas as out
from services.sla.api import shown
from services.sla.api.context import (
    NEXT,
    READERS,
    CurrentDep,
    Cursor,
    Department,
    Leader,
    PageSize,
    PlaceDep,
    SetupDep,
    Worker,
    tag,
)
from services.sla.domain import commands
from services.sla.domain.clock import StepState, Watch
from services.sla.domain.notice import Setup
from services.sla.store import OpenStep
from services.sla.usecases import timekeeping, views
from services.sla.usecases.current import Current
from services.sla.usecases.views import ClockNotFound
from shared.errors import PreconditionFailed
from shared.events import StepName
from shared.security.principal import Principal
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1", tags=["clocks"], dependencies=[Depends(allow(*READERS))])
acting = Router(prefix="/v1/clocks/{complaint_id}/{clock_id}", tags=["timekeeping"])
ComplaintId = Annotated[str, Path(pattern=out.CODE)]


@router.get("/clocks/{complaint_id}", responses=documented(ClockNotFound))
async def clock(complaint_id: ComplaintId, session: Reading, current: CurrentDep, response: Response) -> out.ClockOut:
    """A complaint's deadlines: under which rule each is set, how it is counted, and what has become of it. Its primary
    clock, whose `ETag` goes into `If-Match`, and the others that run beside it."""
    watch = await views.clock_of(session, complaint_id)
    return _told(watch, current, response)


@router.get("/clocks/{complaint_id}/ledger", responses=documented(ClockNotFound))
async def ledger(
    complaint_id: ComplaintId,
    session: Reading,
    current: CurrentDep,
    now: ClockDep,
    as_of: Annotated[out.GivenMoment | None, Query(description="What the desk stood by at this moment")] = None,
) -> out.LedgersOut:
    """Everything that happened to a complaint's clocks, row by row, and the deadlines that the rows come to: now, or as
    the desk knew it at a moment of the past."""
    found = await views.as_of(session, complaint_id, as_of, current.policies.editions)
    return out.LedgersOut(
        complaint_id=complaint_id,
        as_of=as_of or now(),
        clocks=[shown.ledger(one, whole=as_of is None) for one in found],
    )


@router.get("/clocks", responses=documented())
async def clocks(
    session: Reading,
    current: CurrentDep,
    state: Annotated[StepState | None, Query(description="Those that have a step in this state")] = None,
    step: Annotated[StepName | None, Query(description="Those that have this step; with `state`, in it")] = None,
    limit: PageSize = 50,
    cursor: Annotated[str | None, Query(pattern=out.CODE, description=NEXT)] = None,
) -> out.PageOut[out.ClockOut]:
    """Clocks, the newest complaints first."""
    found, following = await views.clocks(session, state=state, step=step, cursor=cursor, limit=limit)
    items = [shown.clock(w, current.policies.editions) for w in found]
    return out.PageOut[out.ClockOut](items=items, next=following)


@router.get("/at-risk", responses=documented())
async def at_risk(
    session: Reading,
    now: ClockDep,
    department: Department = None,
    assignee: Annotated[str | None, Query(max_length=100, pattern=r"^[\x20-\x7e]+$")] = None,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> out.PageOut[out.OpenStepOut]:
    """Steps not yet taken, ranked by time left less the time that such complaints usually take: what must be begun
    first comes first, late ones before all. Lapsed deadlines of imports are left out."""
    found, following = await views.at_risk(
        session, department=department, assignee=assignee, cursor=cursor, limit=limit
    )
    return _page(found, following, now())


@router.get("/escalations", responses=documented())
async def escalations(
    session: Reading,
    now: ClockDep,
    department: Department = None,
    level: Annotated[int | None, Query(ge=1, le=9, description="Those that so many levels were told of")] = None,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> out.PageOut[out.OpenStepOut]:
    """Late steps that somebody above the officer was told of and that are not taken, the longest told first."""
    found, following = await views.escalations(session, department=department, level=level, cursor=cursor, limit=limit)
    return _page(found, following, now())


_CHANGED = (ClockNotFound, PreconditionFailed, commands.StepSettled)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every command needs beside its body and its caller."""

    tx: AsyncSession
    place: timekeeping.Place
    current: Current
    setup: Setup
    now: datetime
    response: Response

    async def act(self, command: timekeeping.Command, action: str, by: Principal, **detail: Any) -> out.ClockOut:
        watch = await timekeeping.act(
            self.tx, self.place, self.current, self.setup, command, action, by=by, now=self.now, **detail
        )
        return _told(watch, self.current, self.response, self.place.clock_id)


def _desk(tx: Tx, place: PlaceDep, current: CurrentDep, setup: SetupDep, now: ClockDep, response: Response) -> Desk:
    return Desk(tx, place, current, setup, now(), response)


DeskDep = Annotated[Desk, Depends(_desk)]


@acting.post("/pause", responses=documented(*_CHANGED, commands.RuleForbids, commands.AlreadyPaused))
async def pause(body: out.PauseIn, desk: DeskDep, by: Leader) -> out.ClockOut:
    """Let a clock stand still, for a reason that its policy pack permits; refused with the rule where it does not."""
    return await desk.act(partial(commands.pause, code=body.reason, at=body.at), "clock.paused", by, reason=body.reason)


@acting.post("/resume", responses=documented(*_CHANGED, commands.NotPaused))
async def resume(body: out.ResumeIn, desk: DeskDep, by: Leader) -> out.ClockOut:
    """Let a paused clock run again."""
    return await desk.act(partial(commands.resume, at=body.at), "clock.resumed", by)


_EXTENSION = (
    commands.StepNotFound,
    commands.RuleForbids,
    commands.ExtensionNeedsReason,
    commands.BeyondMaximum,
    commands.ApproverRequired,
)


@acting.post("/extend", responses=documented(*_CHANGED, *_EXTENSION))
async def extend(body: out.ExtendIn, desk: DeskDep, by: Worker) -> out.ClockOut:
    """Give a step more time. It takes a reason, a role that may approve, and a day within the policy pack's maximum;
    the complainant gets a holding letter with the reason, the new date and where they may turn."""
    command = partial(
        commands.extend,
        step=body.step,
        until=body.until,
        reason=body.reason,
        code=body.code,
        roles=frozenset(map(str, by.roles)),
    )
    return await desk.act(command, "clock.extended", by, step=body.step)


@acting.post("/restart", responses=documented(*_CHANGED, commands.RuleForbids))
async def restart(body: out.RestartIn, desk: DeskDep, by: Leader) -> out.ClockOut:
    """New facts have come: count what is not yet done from their receipt, where the policy pack says so."""
    return await desk.act(partial(commands.restart, at=body.at, reason=body.reason), "clock.restarted", by)


@acting.post("/record", responses=documented(*_CHANGED, commands.StepNotFound, commands.RuleForbids))
async def record(body: out.RecordIn, desk: DeskDep, by: Worker) -> out.ClockOut:
    """Record a step that no other service tells of: a first contact by telephone, provisional credit, internal
    review."""
    command = partial(commands.record, step=body.step, at=body.at)
    return await desk.act(command, "clock.step_recorded", by, step=body.step)


@acting.post("/acknowledge-escalation", responses=documented(*_CHANGED, commands.StepNotFound, commands.NotEscalated))
async def acknowledge_escalation(body: out.AnswerIn, desk: DeskDep, by: Leader) -> out.ClockOut:
    """Take an escalation on: it climbs no further for as long as the ladder is patient."""
    command = partial(commands.answer, step=body.step, hand_back=False, reason=body.reason)
    return await desk.act(command, "escalation.acknowledged", by, step=body.step)


@acting.post("/hand-back-escalation", responses=documented(*_CHANGED, commands.StepNotFound, commands.NotEscalated))
async def hand_back_escalation(body: out.AnswerIn, desk: DeskDep, by: Leader) -> out.ClockOut:
    """Hand an escalation back to the level below, with a reason; its time begins anew."""
    command = partial(commands.answer, step=body.step, hand_back=True, reason=body.reason)
    return await desk.act(command, "escalation.handed_back", by, step=body.step)


def _told(watch: Watch, current: Current, response: Response, clock_id: str | None = None) -> out.ClockOut:
    found = next((c for c in watch.clocks if c.id == clock_id), watch.primary or watch.clocks[0])
    tag(response, found.seq)
    return shown.clock(watch, current.policies.editions)


def _page(found: Sequence[OpenStep], following: str | None, now: datetime) -> out.PageOut[out.OpenStepOut]:
    return out.PageOut[out.OpenStepOut](items=[shown.open_step(one, now) for one in found], next=following)
