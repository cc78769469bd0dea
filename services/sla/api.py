"""SLA's routes: parse, call a use case, return."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from services.sla.domain.clock import State, Step, Watch
from services.sla.domain.policy import (
    Authority,
    Count,
    CountFrom,
    Limit,
    Pack,
    Policies,
    Rule,
    StartEvent,
    Unit,
)
from services.sla.store import OpenStep
from services.sla.usecases import views
from services.sla.usecases.views import AT_RISK_CURSOR, ClockNotFound, Planned
from shared.clock import rfc3339
from shared.events import StepName
from shared.security.principal import Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading
from shared.web.problems import documented
from shared.web.router import Router

_READERS = (Role.OFFICER, Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN)
router = Router(prefix="/v1", dependencies=[Depends(allow(*_READERS))])

Moment = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
_CODE = r"^[A-Za-z0-9._-]{1,64}$"
_NEXT = "`next` of the page before; none for the first"
PageSize = Annotated[int, Query(ge=1, le=200, description="How many items a page has at most")]
Item = TypeVar("Item")


class PageOut(BaseModel, Generic[Item]):
    items: list[Item]
    next: str | None = Field(description="The cursor of the next page; null on the last")


class RuleOut(BaseModel):
    """A rule's limit and where it comes from. Where `confirmed` is false, nobody has checked it in the rule's text."""

    limit: int
    unit: Unit
    count_from: CountFrom = Field(description="Which day is day 1; `moment` for hours")
    source: str
    article: str
    confirmed: bool
    effective_from: date


class CountOut(BaseModel):
    """How the limit leads from receipt to deadline. Days are null where hours are counted."""

    received: str = Field(description="Receipt on the clocks of the pack's time zone, RFC 3339")
    first_day: date | None = Field(description="Day 1")
    last_day: date | None = Field(description="The day whose end is the deadline")
    time_zone: str
    explanation: str


class DeadlineOut(BaseModel):
    step: StepName
    due_at: Moment = Field(description="The last millisecond that is in time")
    due_local: str = Field(description="The same on the clocks of the pack's time zone, RFC 3339")
    rule: RuleOut
    count: CountOut


class EscalationOut(BaseModel):
    level: int = Field(description="1: the department's head")
    role: str
    escalated_at: Moment


class StepOut(DeadlineOut):
    """One deadline and what has become of it.

    `missed_at` beside `state` met: the step was taken in time, and heard of only after its miss had been recorded.
    """

    state: State
    warn_at: Moment | None = Field(description="When a warning is planned")
    warned_at: Moment | None
    met_at: Moment | None = Field(description="When the step was taken")
    missed_at: Moment | None = Field(description="When the miss was recorded")
    historic: bool = Field(description="The deadline had passed before the complaint was imported")
    escalation: EscalationOut | None


class ClockOut(BaseModel):
    """A complaint's clock. `pack_reason` says in plain words why this pack, in this version, applies."""

    complaint_id: str
    clock_id: str
    received_at: Moment = Field(description="When the clock began to count")
    opened_at: Moment = Field(description="When this service heard of the complaint and began to watch it")
    imported: bool
    department: str | None
    assignee: str | None
    pack: str
    pack_version: str
    pack_reason: str
    steps: list[StepOut]


class OpenStepOut(BaseModel):
    """A step not yet taken. `seconds_left` is negative once it is late."""

    complaint_id: str
    step: StepName
    state: State
    due_at: Moment
    seconds_left: float
    department: str | None
    assignee: str | None


def _text(value: object) -> object:
    """Pydantic takes numbers, and digits in quotes, for seconds since 1970; here a time is written out."""
    if not isinstance(value, str) or not _WRITTEN_OUT.match(value):
        raise ValueError("is no RFC 3339 time between 1970 and 2199")
    return value


_WRITTEN_OUT = re.compile(r"(19[7-9]\d|2[01]\d\d)-")


class SimulateIn(BaseModel):
    received_at: Annotated[
        AwareDatetime,
        BeforeValidator(_text),
        Field(examples=["2026-02-28T23:59:59+08:00"], json_schema_extra={"pattern": f"^{_WRITTEN_OUT.pattern}"}),
    ]
    jurisdiction: Annotated[
        str | None,
        Field(pattern=r"^[a-z]{2}(-[a-z0-9]+){0,3}$", max_length=40, description="Missing: the bank's default pack"),
    ] = None


class PlannedOut(DeadlineOut):
    warn_at: Moment | None
    note: str = Field(description="What a user of the rule should know of it")


class SimulationOut(BaseModel):
    pack: str
    pack_version: str
    pack_reason: str
    deadlines: list[PlannedOut]


class PackRuleOut(RuleOut):
    step: StepName
    note: str
    warn_share: float | None = Field(description="Warn at this share of the time")
    warn_lead_hours: float | None = Field(description="Warn so many hours before; the earlier where both are given")
    escalate_level: int | None
    escalate_role: str | None


class PackOut(BaseModel):
    id: str
    version: str
    default: bool = Field(description="The pack for complaints of unknown or no jurisdiction")
    titles: dict[str, str]
    jurisdictions: list[str]
    time_zone: str
    start_event: StartEvent
    effective_from: date
    effective_to: date | None
    confirmed: bool = Field(description="Whether every rule of it is confirmed")
    rules: list[PackRuleOut]


class PacksOut(BaseModel):
    items: list[PackOut]


def _policies(request: Request) -> Policies:
    found: Policies = request.app.state.policies
    return found


PoliciesDep = Annotated[Policies, Depends(_policies)]


@router.get("/clocks/{complaint_id}", tags=["clocks"], responses=documented(ClockNotFound))
async def clock(complaint_id: Annotated[str, Path(pattern=_CODE)], session: Reading) -> ClockOut:
    """A complaint's deadlines: under which rule each is set, how it is counted, and what has become of it."""
    return _clock(await views.clock_of(session, complaint_id))


@router.get("/clocks", tags=["clocks"], responses=documented())
async def clocks(
    session: Reading,
    state: Annotated[State | None, Query(description="Those that have a step in this state")] = None,
    step: Annotated[StepName | None, Query(description="Those that have this step; with `state`, in it")] = None,
    limit: PageSize = 50,
    cursor: Annotated[str | None, Query(pattern=_CODE, description=_NEXT)] = None,
) -> PageOut[ClockOut]:
    """Clocks, the newest complaints first."""
    found, following = await views.clocks(session, state=state, step=step, cursor=cursor, limit=limit)
    return PageOut[ClockOut](items=[_clock(w) for w in found], next=following)


@router.get("/at-risk", tags=["clocks"], responses=documented())
async def at_risk(
    session: Reading,
    now: ClockDep,
    department: Annotated[str | None, Query(pattern=_CODE)] = None,
    limit: PageSize = 50,
    cursor: Annotated[str | None, Query(pattern=AT_RISK_CURSOR, description=_NEXT)] = None,
) -> PageOut[OpenStepOut]:
    """Steps not yet taken, the least time left first, late ones before all; lapsed deadlines of imports left out."""
    found, following = await views.at_risk(session, department=department, cursor=cursor, limit=limit)
    moment = now()
    return PageOut[OpenStepOut](items=[_open_step(o, moment) for o in found], next=following)


@router.post("/simulate", tags=["policies"], responses=documented())
async def simulate(body: SimulateIn, policies: PoliciesDep) -> SimulationOut:
    """Every deadline that a complaint received at this moment would get, by which rule, and how it is counted."""
    plan = views.simulate(policies, body.received_at, body.jurisdiction)
    return SimulationOut(
        pack=plan.pack.id,
        pack_version=plan.pack.version,
        pack_reason=plan.reason,
        deadlines=[_planned(p) for p in plan.deadlines],
    )


@router.get("/packs", tags=["policies"], responses=documented())
async def packs(policies: PoliciesDep) -> PacksOut:
    """The policy packs that this desk knows, each version by itself."""
    return PacksOut(items=[_pack(p, default=p.id == policies.default) for p in policies.packs])


def _clock(watch: Watch) -> ClockOut:
    clock, facts = watch.clock, watch.facts
    assert clock is not None
    assert facts.start is not None
    return ClockOut(
        complaint_id=watch.complaint_id,
        clock_id=clock.id,
        received_at=facts.start,
        opened_at=clock.opened_at,
        imported=facts.imported,
        department=facts.department,
        assignee=facts.assignee,
        pack=clock.pack,
        pack_version=clock.pack_version,
        pack_reason=clock.pack_reason,
        steps=[_step(watch, s) for s in clock.steps],
    )


def _step(watch: Watch, step: Step) -> StepOut:
    escalation = None
    if step.escalation is not None and step.escalated_at is not None:
        escalation = EscalationOut(
            level=step.escalation.level, role=step.escalation.role, escalated_at=step.escalated_at
        )
    return StepOut(
        **_deadline(step.name, step.authority, views.recount(watch, step), due_at=step.due_at),
        state=step.state,
        warn_at=step.warn_at,
        warned_at=step.warned_at,
        met_at=step.met_at,
        missed_at=step.missed_at,
        historic=step.historic,
        escalation=escalation,
    )


def _planned(planned: Planned) -> PlannedOut:
    rule = planned.rule
    return PlannedOut(
        **_deadline(rule.step, rule.authority, planned.count, due_at=planned.count.due_at),
        warn_at=planned.warn_at,
        note=rule.note,
    )


def _deadline(step: StepName, authority: Authority, counted: Count, *, due_at: datetime) -> dict[str, Any]:
    """What a deadline shows whether it is planned or runs. `due_at` is the one that stands."""
    zone = counted.received.tzinfo
    return {
        "step": step,
        "due_at": due_at,
        "due_local": due_at.astimezone(zone).isoformat(timespec="milliseconds"),
        "rule": RuleOut(**_rule(counted.limit, authority)),
        "count": CountOut(
            received=counted.received.isoformat(timespec="milliseconds"),
            first_day=counted.first_day,
            last_day=counted.last_day,
            time_zone=str(zone),
            explanation=counted.explanation,
        ),
    }


def _rule(limit: Limit, authority: Authority) -> dict[str, Any]:
    return {
        "limit": limit.length,
        "unit": limit.unit,
        "count_from": limit.count_from,
        "source": authority.source,
        "article": authority.article,
        "confirmed": authority.confirmed,
        "effective_from": authority.effective_from,
    }


def _open_step(found: OpenStep, now: datetime) -> OpenStepOut:
    return OpenStepOut(
        complaint_id=found.complaint_id,
        step=found.step.name,
        state=found.step.state,
        due_at=found.step.due_at,
        seconds_left=(found.step.due_at - now).total_seconds(),
        department=found.department,
        assignee=found.assignee,
    )


def _pack(pack: Pack, *, default: bool) -> PackOut:
    return PackOut(
        id=pack.id,
        version=pack.version,
        default=default,
        titles=dict(pack.titles),
        jurisdictions=list(pack.jurisdictions),
        time_zone=pack.zone.key,
        start_event=pack.start_event,
        effective_from=pack.effective_from,
        effective_to=pack.effective_to,
        confirmed=all(r.authority.confirmed for r in pack.rules),
        rules=[_pack_rule(r) for r in pack.rules],
    )


def _pack_rule(rule: Rule) -> PackRuleOut:
    lead = rule.warn.lead if rule.warn else None
    return PackRuleOut(
        **_rule(rule.limit, rule.authority),
        step=rule.step,
        note=rule.note,
        warn_share=rule.warn.share if rule.warn else None,
        warn_lead_hours=lead.total_seconds() / 3600 if lead else None,
        escalate_level=rule.escalation.level if rule.escalation else None,
        escalate_role=rule.escalation.role if rule.escalation else None,
    )
