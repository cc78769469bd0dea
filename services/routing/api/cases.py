"""Cases: lists, a case, its history, and the steps that people take."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import orjson
from fastapi import Depends, Header, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store
from services.routing.api.context import Rules, Today, actor_of
from services.routing.domain.case import (
    ApprovalNeeded,
    CaseNotFound,
    CloseIncomplete,
    ConflictOfInterest,
    Decision,
    NotAssignee,
    NotEntitled,
    Redress,
    SamePerson,
    State,
    VerbNotAllowed,
)
from services.routing.domain.machine import (
    Acknowledge,
    Action,
    Advise,
    Approve,
    Assign,
    Claim,
    Close,
    Consult,
    Deliver,
    Note,
    Propose,
    ReceiveInformation,
    Refer,
    Reopen,
    RequestInformation,
    Resolve,
    Respond,
    Return,
    Transfer,
    Triage,
    Verb,
)
from services.routing.usecases import history, staff, steps
from services.routing.usecases.steps import ConsultNotFound
from services.routing.usecases.views import view
from shared import audit
from shared.clock import rfc3339
from shared.errors import FieldError, Invalid, PreconditionFailed
from shared.events import Outcome, Severity
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1", tags=["cases"])

_READERS = (Role.OFFICER, Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN)
_NARRATIVE = (Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR)
_CONTROL = r"^[^\x00-\x1f\x7f]*$"


ComplaintId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


class RedressOut(BaseModel):
    value: str | None
    currency: str | None


class DecisionOut(BaseModel):
    outcome: Outcome
    root_cause: str
    redress: RedressOut | None
    no_redress_reason: str | None


class CaseOut(BaseModel):
    """A case. `next_steps` are the verbs that its state permits, `missing` is what it lacks before it may be closed.
    `narrative` is redacted, and left out of lists."""

    complaint_id: str
    reference: str
    channel: str
    state: State
    department: str
    routing_reason: str
    category: str
    severity: Severity
    confidence: float
    decided_by: Literal["rules", "model", "person"]
    model: str | None
    rules: list[str]
    product: str | None
    branch: str | None
    language: str | None
    amount: str | None
    currency: str | None
    assignee: str | None
    received_at: AwareDatetime
    assigned_at: AwareDatetime | None
    acknowledged_at: AwareDatetime | None
    holding_response_at: AwareDatetime | None
    waiting_since: AwareDatetime | None
    proposed_at: AwareDatetime | None
    approved_at: AwareDatetime | None
    final_response_at: AwareDatetime | None
    delivered_at: AwareDatetime | None
    withdrawn_at: AwareDatetime | None
    disputed_at: AwareDatetime | None
    resolved_at: AwareDatetime | None
    closed_at: AwareDatetime | None
    outcome: Outcome | None
    root_cause: str | None
    redress: RedressOut | None
    no_redress_reason: str | None
    escalation_level: int
    escalation_role: str | None
    imported: bool
    version: int
    proposed: DecisionOut | None
    proposed_by: str | None
    approved_by: str | None
    delivered_via: str | None
    rights_told: bool
    reopened: int
    vulnerable: bool
    about: list[str]
    incident_id: str | None
    next_steps: list[Verb]
    missing: list[str]
    explanation: dict[str, Any] | None = None
    narrative: str | None = None
    desired_outcome: str | None = None


class CasePage(BaseModel):
    """`next` is the cursor of the next page, null on the last."""

    items: list[CaseOut]
    next: str | None


class RedressIn(BaseModel):
    """What is paid."""

    model_config = ConfigDict(extra="forbid")

    value: Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=4, allow_inf_nan=False)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


Code = Annotated[str, Field(max_length=40, pattern=r"^[a-z][a-z0-9_]*$")]
Person = Annotated[str, Field(min_length=1, max_length=100, pattern=_CONTROL)]


class StepIn(BaseModel):
    """A step's particulars; a verb takes those that concern it. `at`: when it really happened, if that was earlier.

    `text` is a note, the reason (transfer, return, reopen, refer, triage of severity), the question (consult,
    request_information) or the answer (advise). Names and numbers of persons are taken out of it: they stay in intake.
    """

    model_config = ConfigDict(extra="forbid")

    at: AwareDatetime | None = None
    text: Annotated[str | None, Field(min_length=1, max_length=10_000)] = None
    final: bool = Field(True, description="respond: the final response, or a holding one")
    via: Literal["email", "post", "sms", "webhook", "phone", "in_person", "other"] | None = Field(
        None, description="respond, deliver: how it reached the complainant"
    )
    rights_told: bool | None = Field(None, description="respond, deliver: it names the right to go further")
    outcome: Outcome | None = Field(None, description="propose, resolve")
    root_cause: Annotated[str | None, Field(max_length=40)] = Field(None, description="propose, resolve")
    redress: RedressIn | None = Field(None, description="propose, resolve: what is paid")
    no_redress_reason: Annotated[str | None, Field(max_length=40)] = Field(
        None, description="propose, resolve: why nothing is paid"
    )
    category: Code | None = Field(None, description="triage")
    product: Code | None = Field(None, description="triage")
    severity: Severity | None = Field(None, description="triage: `text` says why; a supervisor's to lower")
    department: Code | None = Field(None, description="triage, transfer, consult")
    about: Annotated[list[Person] | None, Field(max_length=20)] = Field(
        None, description="triage: staff whom the complaint is about"
    )
    assignee: Person | None = Field(None, description="assign: the officer; without one the desk chooses")
    consult_id: Annotated[str | None, Field(max_length=36)] = Field(None, description="advise")
    reply_by: AwareDatetime | None = Field(None, description="request_information: until when an answer helps")

    def action(self, verb: Verb) -> Action:
        """Raises Invalid when a step lacks what it needs."""
        self._need(*_NEEDS.get(verb, ()))
        match verb:
            case Verb.TRIAGE:
                self._need(*(("text",) if self.severity is not None else ()))
                about = None if self.about is None else tuple(self.about)
                return Triage(self.at, self.category, self.product, self.department, about, self.severity)
            case Verb.ASSIGN:
                return Assign(self.at, str(self.assignee))
            case Verb.TRANSFER:
                return Transfer(self.at, str(self.department))
            case Verb.CONSULT:
                return Consult(self.at, str(self.department))
            case Verb.ADVISE:
                return Advise(self.at, str(self.consult_id))
            case Verb.PROPOSE:
                return Propose(self.at, self._decision())
            case Verb.RESPOND:
                return Respond(self.at, self.final, self.via, bool(self.rights_told))
            case Verb.DELIVER:
                return Deliver(self.at, str(self.via), self.rights_told)
            case Verb.RESOLVE:
                said = (self.outcome, self.root_cause, self.redress, self.no_redress_reason)
                return Resolve(self.at, self._decision() if any(s is not None for s in said) else None)
            case _:
                return _PLAIN[verb](self.at)

    def _decision(self) -> Decision:
        self._need("outcome", "root_cause")
        redress = Redress(self.redress.value, self.redress.currency) if self.redress else None
        outcome: Any = self.outcome
        return Decision(outcome, str(self.root_cause), redress, self.no_redress_reason)

    def _need(self, *names: str) -> None:
        if wrong := tuple(FieldError(f"/{n}", "is needed", "missing") for n in names if getattr(self, n) is None):
            raise Invalid("Something is missing that this step needs; see errors.", errors=wrong)


_NEEDS: Mapping[Verb, tuple[str, ...]] = {
    Verb.ASSIGN: ("assignee",),
    Verb.TRANSFER: ("department", "text"),
    Verb.NOTE: ("text",),
    Verb.CONSULT: ("department", "text"),
    Verb.ADVISE: ("consult_id", "text"),
    Verb.REQUEST_INFORMATION: ("text",),
    Verb.PROPOSE: ("outcome", "root_cause"),
    Verb.RETURN: ("text",),
    Verb.DELIVER: ("via",),
    Verb.REOPEN: ("text",),
    Verb.REFER: ("text",),
}
_PLAIN: Mapping[Verb, Callable[[datetime | None], Action]] = {
    Verb.CLAIM: Claim,
    Verb.ACKNOWLEDGE: Acknowledge,
    Verb.NOTE: Note,
    Verb.REQUEST_INFORMATION: RequestInformation,
    Verb.RECEIVE_INFORMATION: ReceiveInformation,
    Verb.APPROVE: Approve,
    Verb.RETURN: Return,
    Verb.CLOSE: Close,
    Verb.REOPEN: Reopen,
    Verb.REFER: Refer,
}


class LineOut(BaseModel):
    """A line of a case's history. `text` is redacted."""

    id: str
    kind: str
    actor: str
    at: AwareDatetime
    text: str | None
    detail: dict[str, Any]


class HistoryPage(BaseModel):
    items: list[LineOut]
    next: str | None


class ConsultOut(BaseModel):
    """A question to another department, and its answer."""

    id: str
    department: str
    question: str
    asked_by: str
    asked_at: AwareDatetime
    answer: str | None
    answered_by: str | None
    answered_at: AwareDatetime | None


@router.get("/cases", response_model=CasePage, response_model_exclude_unset=True, responses=documented())
async def cases(
    tx: Reading,
    _: Annotated[Principal, Depends(allow(*_READERS))],
    department: Annotated[str | None, Query(max_length=40, pattern=_CONTROL)] = None,
    state: State | None = None,
    assignee: Annotated[str | None, Query(max_length=100, pattern=_CONTROL)] = None,
    incident: Annotated[str | None, Query(max_length=36, pattern=_CONTROL)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=70, pattern=_CONTROL)] = None,
) -> dict[str, Any]:
    """Cases, newest first."""
    rows = await store.page(
        tx,
        department=department,
        state=state,
        assignee=assignee,
        incident=incident,
        after=cursor,
        limit=limit + 1,
    )
    more = len(rows) > limit
    return {"items": [view(r) for r in rows[:limit]], "next": rows[limit - 1].sort_key if more else None}


@router.get(
    "/cases/{complaint_id}",
    response_model=CaseOut,
    response_model_exclude_unset=True,
    responses=documented(CaseNotFound),
)
async def case(
    complaint_id: ComplaintId,
    response: Response,
    tx: Tx,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow(*_READERS))],
) -> dict[str, Any]:
    """A case. Its `ETag` goes into `If-Match` of the next step. Reading the narrative is audited."""
    row = (await store.cases(tx, [complaint_id])).get(complaint_id)
    if row is None:
        raise CaseNotFound("No case has this complaint id.")
    response.headers["ETag"] = f'"{row.version}"'
    found = view(row)
    if principal.has(*_NARRATIVE):
        audit.add(tx, principal.id, "case.read", complaint_id, now=clock())
        found |= {"narrative": row.narrative, "desired_outcome": row.desired_outcome}
        found |= {"explanation": orjson.loads(row.explanation)}
    return found


@router.get("/cases/{complaint_id}/history", response_model=HistoryPage, responses=documented(CaseNotFound))
async def case_history(
    complaint_id: ComplaintId,
    tx: Tx,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow(*_NARRATIVE))],
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
    cursor: Annotated[str | None, Query(max_length=36, pattern=r"^[0-9a-f-]+$")] = None,
) -> dict[str, Any]:
    """What happened to a case, oldest first. Reading it is audited."""
    await _known(tx, complaint_id)
    audit.add(tx, principal.id, "case.history_read", complaint_id, now=clock())
    lines = await store.work.entries(tx, complaint_id, after=cursor, limit=limit + 1)
    more = len(lines) > limit
    return {"items": [history.line_view(one) for one in lines[:limit]], "next": lines[limit - 1].id if more else None}


@router.get("/cases/{complaint_id}/consults", response_model=list[ConsultOut], responses=documented(CaseNotFound))
async def case_consults(
    complaint_id: ComplaintId, tx: Tx, clock: ClockDep, principal: Annotated[Principal, Depends(allow(*_NARRATIVE))]
) -> list[dict[str, Any]]:
    """What other departments were asked about a case. Reading it is audited."""
    await _known(tx, complaint_id)
    audit.add(tx, principal.id, "case.consults_read", complaint_id, now=clock())
    return [
        {
            **{n: getattr(c, n) for n in ("id", "department", "question", "asked_by", "answer", "answered_by")},
            "asked_at": rfc3339(c.asked_at),
            "answered_at": rfc3339(c.answered_at) if c.answered_at else None,
        }
        for c in await store.work.consults(tx, complaint_id)
    ]


async def _known(tx: AsyncSession, complaint_id: str) -> None:
    if not await store.cases(tx, [complaint_id]):
        raise CaseNotFound("No case has this complaint id.")


@router.post(
    "/cases/{complaint_id}/{verb}",
    response_model=CaseOut,
    response_model_exclude_unset=True,
    responses=documented(
        CaseNotFound,
        ConsultNotFound,
        VerbNotAllowed,
        ApprovalNeeded,
        NotAssignee,
        NotEntitled,
        ConflictOfInterest,
        SamePerson,
        PreconditionFailed,
        CloseIncomplete,
        staff.NobodyFree,
    ),
)
async def step(
    complaint_id: ComplaintId,
    verb: Verb,
    response: Response,
    tx: Tx,
    clock: ClockDep,
    today: Today,
    rulebook: Rules,
    principal: Annotated[Principal, Depends(allow(Role.OFFICER, Role.SUPERVISOR, Role.MANAGER))],
    body: StepIn | None = None,
    if_match: Annotated[str | None, Header(max_length=40)] = None,
) -> dict[str, Any]:
    """Take a step with a case. Its state permits some (`next_steps`), your role some; `If-Match` guards against a case
    that has changed since you read it."""
    said = body or StepIn()
    if verb is Verb.ASSIGN and said.assignee is None:
        said = said.model_copy(update={"assignee": await staff.choose(tx, complaint_id, today=today)})
    row = await steps.take(
        tx,
        complaint_id,
        said.action(verb),
        actor=await actor_of(tx, principal),
        rulebook=rulebook,
        version=version_of(if_match),
        now=clock(),
        words=steps.Words(said.text, said.reply_by),
    )
    response.headers["ETag"] = f'"{row.version}"'
    return view(row)


def version_of(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit()):
        raise Invalid("If-Match holds no ETag of a case.", errors=(FieldError("If-Match", "is no ETag", "etag"),))
    return int(text)
