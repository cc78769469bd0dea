"""Incidents: declared, planned, worked on together, answered together, closed with findings."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import Depends, Header, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.routing import store
from services.routing.api.cases import StepIn, version_of
from services.routing.api.context import Rules, actor_of
from services.routing.api.letters import Bank, LetterIn
from services.routing.domain.machine import Verb
from services.routing.usecases import incidents, letters, steps
from services.routing.usecases.incidents import IncidentNotFound, IncidentOver, OtherIncident, PlanStep, PlanUnfinished
from shared.errors import PreconditionFailed
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/incidents", tags=["incidents"])
_LEADERS = (Role.SUPERVISOR, Role.MANAGER)
_READERS = (*_LEADERS, Role.OFFICER, Role.AUDITOR)
_PLAIN = r"^[^\x00-\x1f\x7f]*$"
IncidentId = Annotated[str, Path(max_length=36, pattern=r"^[0-9a-f-]+$")]
Ids = Annotated[list[Annotated[str, Field(max_length=36, pattern=r"^[0-9a-f-]+$")]], Field(max_length=1000)]
Cursor = Annotated[str | None, Query(max_length=36, pattern=r"^[0-9a-f-]+$")]
Together = Literal[
    "triage",
    "claim",
    "assign",
    "transfer",
    "acknowledge",
    "note",
    "request_information",
    "receive_information",
    "propose",
    "approve",
    "return",
    "respond",
    "deliver",
    "resolve",
    "close",
    "reopen",
    "refer",
]
Leader = Annotated[Principal, Depends(allow(*_LEADERS))]
IfMatch = Annotated[str | None, Header(max_length=40)]


class PlanStepIn(BaseModel):
    """What is to be done, who does it (a department or an officer), by when; `done_at` once it is done."""

    model_config = ConfigDict(extra="forbid")

    what: Annotated[str, Field(min_length=1, max_length=500)]
    who: Annotated[str, Field(min_length=1, max_length=100)]
    by: AwareDatetime
    code: Annotated[str | None, Field(max_length=40)] = None
    done_at: AwareDatetime | None = None

    def step(self) -> PlanStep:
        return PlanStep(self.what, self.who, self.by, self.code, done_at=self.done_at)


Plan = Annotated[list[PlanStepIn], Field(max_length=100)]


class PlanStepOut(PlanStepIn):
    done_by: str | None


class IncidentIn(BaseModel):
    """An incident to declare. Without a plan it begins with the one of the registers."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=200)]
    department: Annotated[str, Field(max_length=40)] = "complaint_office"
    complaints: Ids = []
    plan: Plan | None = None


class ComplaintsIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    complaints: Annotated[Ids, Field(min_length=1)]


class PlanIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    plan: Plan


class FindingsIn(BaseModel):
    """What was the cause, and what is done that it does not come again."""

    model_config = ConfigDict(extra="forbid")

    findings: Annotated[str, Field(min_length=1, max_length=20_000)]


class IncidentOut(BaseModel):
    id: str
    title: str
    state: Literal["open", "closed"]
    cause: Literal["supervisor", "rule", "surge"]
    department: str
    plan: list[PlanStepOut]
    complaints: int
    findings: str | None
    declared_by: str
    declared_at: AwareDatetime
    closed_by: str | None
    closed_at: AwareDatetime | None
    version: int


class IncidentPage(BaseModel):
    items: list[IncidentOut]
    next: str | None


class ResultOut(BaseModel):
    """`code` and `detail`: why it was refused to this complaint; null where it was done."""

    complaint_id: str
    code: str | None
    detail: str | None


class TogetherOut(BaseModel):
    """What became of each. `next`: the cursor to go on with, null once all have had their turn."""

    done: int
    refused: int
    results: list[ResultOut]
    next: str | None


@router.get("", response_model=IncidentPage, responses=documented())
async def listed(
    tx: Reading,
    _: Annotated[Principal, Depends(allow(*_READERS))],
    state: Literal["open", "closed"] | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Incidents, newest first."""
    rows = await store.incident.incidents(tx, state=state, after=cursor, limit=limit + 1)
    sizes = await store.incident.sizes(tx, [row.id for row in rows])
    more = len(rows) > limit
    return {
        "items": [incidents.view(row, sizes[row.id]) for row in rows[:limit]],
        "next": rows[limit - 1].id if more else None,
    }


@router.post("", response_model=IncidentOut, status_code=201, responses=documented(OtherIncident))
async def declare(
    body: IncidentIn, response: Response, tx: Tx, clock: ClockDep, rulebook: Rules, principal: Leader
) -> dict[str, Any]:
    """Declare an incident over complaints."""
    row = await incidents.declare(
        tx,
        title=body.title,
        department=body.department,
        ids=list(dict.fromkeys(body.complaints)),
        plan=None if body.plan is None else [step.step() for step in body.plan],
        rulebook=rulebook,
        by=principal.id,
        now=clock(),
    )
    return await _view(tx, row, response)


@router.get("/{incident_id}", response_model=IncidentOut, responses=documented(IncidentNotFound))
async def one(
    incident_id: IncidentId, response: Response, tx: Reading, _: Annotated[Principal, Depends(allow(*_READERS))]
) -> dict[str, Any]:
    """An incident. Its complaints: `GET /v1/cases?incident=`. Its `ETag` goes into `If-Match`."""
    return await _view(tx, await incidents.found(tx, incident_id), response)


@router.post(
    "/{incident_id}/complaints",
    response_model=IncidentOut,
    responses=documented(IncidentNotFound, IncidentOver, OtherIncident),
)
async def join(
    incident_id: IncidentId, body: ComplaintsIn, response: Response, tx: Tx, clock: ClockDep, principal: Leader
) -> dict[str, Any]:
    """Handle more complaints under an incident."""
    ids = list(dict.fromkeys(body.complaints))
    row = await incidents.join(tx, incident_id, ids, by=principal.id, now=clock())
    return await _view(tx, row, response)


@router.post(
    "/{incident_id}/complaints/remove",
    response_model=IncidentOut,
    responses=documented(IncidentNotFound, IncidentOver),
)
async def leave(
    incident_id: IncidentId, body: ComplaintsIn, response: Response, tx: Tx, clock: ClockDep, principal: Leader
) -> dict[str, Any]:
    """Handle complaints by themselves again."""
    row = await incidents.leave(tx, incident_id, body.complaints, by=principal.id, now=clock())
    return await _view(tx, row, response)


@router.put(
    "/{incident_id}/plan",
    response_model=IncidentOut,
    responses=documented(IncidentNotFound, IncidentOver, PreconditionFailed),
)
async def replan(
    incident_id: IncidentId,
    body: PlanIn,
    response: Response,
    tx: Tx,
    clock: ClockDep,
    principal: Leader,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Write the plan anew, or say which steps are done."""
    plan = [step.step() for step in body.plan]
    version = version_of(if_match)
    row = await incidents.replan(tx, incident_id, plan, version=version, by=principal.id, now=clock())
    return await _view(tx, row, response)


@router.post(
    "/{incident_id}/close",
    response_model=IncidentOut,
    responses=documented(IncidentNotFound, IncidentOver, PreconditionFailed, PlanUnfinished),
)
async def close(
    incident_id: IncidentId,
    body: FindingsIn,
    response: Response,
    tx: Tx,
    clock: ClockDep,
    principal: Leader,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Close an incident, once its plan is done, with what was found."""
    version = version_of(if_match)
    row = await incidents.close(tx, incident_id, body.findings, version=version, by=principal.id, now=clock())
    return await _view(tx, row, response)


@router.post(
    "/{incident_id}/steps/{verb}", response_model=TogetherOut, responses=documented(IncidentNotFound, IncidentOver)
)
async def step_together(
    incident_id: IncidentId,
    verb: Together,
    tx: Tx,
    clock: ClockDep,
    rulebook: Rules,
    principal: Leader,
    body: StepIn | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Take one step with all complaints of an incident, `limit` at a time. Each is subject to its own state and to the
    second person's word; what is refused to one keeps nobody else waiting."""
    said = body or StepIn()
    action = said.action(Verb(verb))
    actor = await actor_of(tx, principal)
    now = clock()

    async def take(complaint_id: str) -> None:
        words = steps.Words(said.text, said.reply_by)
        await steps.take(tx, complaint_id, action, actor=actor, rulebook=rulebook, version=None, now=now, words=words)

    found = await incidents.together(
        tx, incident_id, take, by=principal.id, what=verb, after=cursor, limit=limit, now=now
    )
    return _together(*found)


@router.post("/{incident_id}/letters", response_model=TogetherOut, responses=documented(IncidentNotFound, IncidentOver))
async def reply_together(
    incident_id: IncidentId,
    body: LetterIn,
    tx: Tx,
    clock: ClockDep,
    rulebook: Rules,
    desk: Bank,
    principal: Leader,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """One reply to all: the same letter to each complainant of an incident, in their language and channel, `limit` at a
    time."""
    actor = await actor_of(tx, principal)
    now = clock()

    async def issue(complaint_id: str) -> None:
        await letters.issue(tx, complaint_id, body.draft(), desk, actor=actor, rulebook=rulebook, version=None, now=now)

    found = await incidents.together(
        tx, incident_id, issue, by=principal.id, what="letters", after=cursor, limit=limit, now=now
    )
    return _together(*found)


def _together(results: list[incidents.Result], next: str | None) -> dict[str, Any]:
    done = sum(result.code is None for result in results)
    return {
        "done": done,
        "refused": len(results) - done,
        "results": [asdict(result) for result in results],
        "next": next,
    }


async def _view(tx: Any, row: store.incident.Incident, response: Response) -> dict[str, Any]:
    await tx.flush()
    response.headers["ETag"] = f'"{row.version}"'
    return incidents.view(row, (await store.incident.sizes(tx, [row.id]))[row.id])
