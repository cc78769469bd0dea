"""Routing's routes: parse, call a use case, return."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.routing import store, usecases
from services.routing.classifier import Rulebook
from services.routing.domain import (
    Acknowledge,
    Action,
    Actor,
    CaseNotFound,
    Claim,
    Close,
    CloseIncomplete,
    NotAssignee,
    Redress,
    Resolve,
    Respond,
    State,
    Verb,
    VerbNotAllowed,
)
from shared import audit
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


def _rulebook(request: Request) -> Rulebook:
    found: Rulebook = request.app.state.rulebook
    return found


Rules = Annotated[Rulebook, Depends(_rulebook)]
ComplaintId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


class RedressOut(BaseModel):
    value: str | None
    currency: str | None


class CaseOut(BaseModel):
    """A case. `next_steps` are the verbs that its state permits. `narrative` is redacted, and left out of lists."""

    complaint_id: str
    reference: str
    channel: str
    state: State
    department: str
    routing_reason: str
    category: str
    severity: Severity
    confidence: float
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
    final_response_at: AwareDatetime | None
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
    next_steps: list[str]
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


class StepIn(BaseModel):
    """A step's particulars; a verb takes those that concern it. `at`: when it really happened, if that was earlier."""

    model_config = ConfigDict(extra="forbid")

    at: AwareDatetime | None = None
    final: bool = Field(True, description="respond: the final response, or a holding one")
    outcome: Outcome | None = Field(None, description="resolve")
    root_cause: Annotated[str | None, Field(max_length=40)] = Field(None, description="resolve")
    redress: RedressIn | None = Field(None, description="resolve: what is paid")
    no_redress_reason: Annotated[str | None, Field(max_length=40)] = Field(None, description="resolve: why nothing is")

    def action(self, verb: Verb) -> Action:
        """Raises Invalid when a resolution lacks its outcome or root cause."""
        match verb:
            case Verb.CLAIM:
                return Claim(at=self.at)
            case Verb.ACKNOWLEDGE:
                return Acknowledge(at=self.at)
            case Verb.RESPOND:
                return Respond(final=self.final, at=self.at)
            case Verb.CLOSE:
                return Close(at=self.at)
            case Verb.RESOLVE:
                if self.outcome is None or self.root_cause is None:
                    given = {"outcome": self.outcome, "root_cause": self.root_cause}
                    wrong = tuple(FieldError(f"/{n}", "is needed", "missing") for n, v in given.items() if v is None)
                    raise Invalid("A resolution needs its outcome and root cause.", errors=wrong)
                redress = Redress(self.redress.value, self.redress.currency) if self.redress else None
                return Resolve(self.outcome, self.root_cause, redress, self.no_redress_reason, self.at)


class ClassifyIn(BaseModel):
    """A text to classify, with what is known of it."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    product: Annotated[str | None, Field(max_length=64)] = None
    language: Literal["zh-Hant", "zh-Hans", "en"] | None = None
    channel: Annotated[str | None, Field(max_length=20)] = None


class RuleOut(BaseModel):
    """A rule that spoke and the words that made it."""

    id: str
    owner: str
    category: str | None
    severity: Severity | None
    weight: float
    words: list[str]


class ClassifiedOut(BaseModel):
    """What the complaint would be, whose, and why."""

    category: str
    severity: Severity
    confidence: float
    language: str | None
    product: str | None
    department: str
    reason: str
    rules: list[RuleOut]
    rulebook: str


class DepartmentOut(BaseModel):
    code: str
    labels: dict[str, str]


@router.get("/cases", response_model=CasePage, response_model_exclude_unset=True, responses=documented())
async def cases(
    tx: Reading,
    _: Annotated[Principal, Depends(allow(*_READERS))],
    department: Annotated[str | None, Query(max_length=40, pattern=_CONTROL)] = None,
    state: State | None = None,
    assignee: Annotated[str | None, Query(max_length=100, pattern=_CONTROL)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=70, pattern=_CONTROL)] = None,
) -> dict[str, Any]:
    """Cases, newest first."""
    rows = await store.page(tx, department=department, state=state, assignee=assignee, after=cursor, limit=limit + 1)
    more = len(rows) > limit
    return {"items": [usecases.view(r) for r in rows[:limit]], "next": rows[limit - 1].sort_key if more else None}


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
    found = usecases.view(row)
    if principal.has(*_NARRATIVE):
        audit.add(tx, principal.id, "case.read", complaint_id, now=clock())
        found |= {"narrative": row.narrative, "desired_outcome": row.desired_outcome}
    return found


@router.post(
    "/cases/{complaint_id}/{verb}",
    response_model=CaseOut,
    response_model_exclude_unset=True,
    responses=documented(CaseNotFound, VerbNotAllowed, NotAssignee, PreconditionFailed, CloseIncomplete),
)
async def step(
    complaint_id: ComplaintId,
    verb: Verb,
    response: Response,
    tx: Tx,
    clock: ClockDep,
    rulebook: Rules,
    principal: Annotated[Principal, Depends(allow(Role.OFFICER, Role.SUPERVISOR))],
    body: StepIn | None = None,
    if_match: Annotated[str | None, Header(max_length=40)] = None,
) -> dict[str, Any]:
    """Take a step with a case: claim, acknowledge, respond, resolve, close."""
    row = await usecases.take(
        tx,
        complaint_id,
        (body or StepIn()).action(verb),
        actor=Actor(principal.id, supervisor=Role.SUPERVISOR in principal.roles),
        rulebook=rulebook,
        version=_version(if_match),
        now=clock(),
    )
    response.headers["ETag"] = f'"{row.version}"'
    return usecases.view(row)


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit()):
        raise Invalid("If-Match holds no ETag of a case.", errors=(FieldError("If-Match", "is no ETag", "etag"),))
    return int(text)


@router.post(
    "/classify",
    response_model=ClassifiedOut,
    responses=documented(),
    dependencies=[Depends(allow(Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR, Role.ADMIN))],
)
async def classify(body: ClassifyIn, rulebook: Rules) -> dict[str, Any]:
    """A dry run that explains itself; nothing is stored."""
    found = rulebook.classify(body.text, product=body.product, language=body.language, channel=body.channel)
    routing = rulebook.route(found, channel=body.channel)
    return {
        "category": found.category,
        "severity": found.severity,
        "confidence": found.confidence,
        "language": found.language,
        "product": found.product,
        "department": routing.department,
        "reason": routing.reason,
        "rules": [
            {
                "id": s.rule.id,
                "owner": s.rule.owner,
                "category": s.rule.category,
                "severity": s.rule.severity,
                "weight": s.rule.weight,
                "words": list(s.words),
            }
            for s in found.spoke
        ],
        "rulebook": str(rulebook.version),
    }


@router.get(
    "/departments",
    response_model=list[DepartmentOut],
    responses=documented(),
    dependencies=[Depends(allow(*_READERS))],
)
async def departments(rulebook: Rules) -> list[dict[str, Any]]:
    """The register of departments."""
    return [{"code": d.code, "labels": d.labels.model_dump(by_alias=True)} for d in rulebook.departments.values()]
