"""The dry run of classification, and the registers that it decides by."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field

from services.routing.api.context import Rules
from services.routing.classifier import Facts
from shared.events import Severity
from shared.security.principal import Role
from shared.web.access import allow
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1", tags=["classification"])
_READERS = (Role.OFFICER, Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN)


class ClassifyIn(BaseModel):
    """A text to classify, with what is known of it."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    product: Annotated[str | None, Field(max_length=64)] = None
    language: Literal["zh-Hant", "zh-Hans", "en"] | None = None
    channel: Annotated[str | None, Field(max_length=20)] = None
    branch: Annotated[str | None, Field(max_length=64)] = None
    amount: Annotated[Decimal | None, Field(ge=0, max_digits=18, decimal_places=4, allow_inf_nan=False)] = None
    currency: Annotated[str | None, Field(pattern=r"^[A-Z]{3}$")] = None

    def facts(self) -> Facts:
        return Facts(
            product=self.product,
            language=self.language,
            channel=self.channel,
            branch=self.branch,
            amount=self.amount,
            currency=self.currency,
        )


class RuleOut(BaseModel):
    """A rule that spoke and the words that made it."""

    id: str
    owner: str
    category: str | None
    severity: Severity | None
    weight: float
    words: list[str]


class WordOut(BaseModel):
    """A piece of the text and what it added to the type (in score, over the average of the other types)."""

    text: str
    weight: float


class ModelOut(BaseModel):
    """What the model made of the text. `chances`: type -> probability, the likeliest first."""

    version: str
    chances: dict[str, float]
    words: list[WordOut]


class ClassifiedOut(BaseModel):
    """What the complaint would be, whose, and why. `decided_by` person: it would go to triage."""

    category: str
    severity: Severity
    confidence: float
    language: str | None
    product: str | None
    product_reason: str | None
    department: str
    reason: str
    decided_by: Literal["rules", "model", "person"]
    further: list[str]
    signals: list[str]
    rules: list[RuleOut]
    model: ModelOut | None
    rulebook: str


class DepartmentOut(BaseModel):
    code: str
    labels: dict[str, str]


@router.post(
    "/classify",
    response_model=ClassifiedOut,
    responses=documented(),
    dependencies=[Depends(allow(Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR, Role.ADMIN))],
)
async def classify(body: ClassifyIn, rulebook: Rules) -> dict[str, Any]:
    """A dry run that explains itself; nothing is stored."""
    facts = body.facts()
    found = rulebook.classify(body.text, facts, explain=True)
    routing = rulebook.route(found, facts)
    return {
        "category": found.category,
        "severity": found.severity,
        "confidence": found.confidence,
        "language": found.language,
        "product": found.product,
        "product_reason": found.product_reason,
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
        "decided_by": found.decided_by,
        "further": list(found.further),
        "signals": list(found.signals),
        "model": {
            "version": found.model,
            "chances": dict(found.chances),
            "words": [{"text": w.text, "weight": round(w.weight, 3)} for w in found.words],
        }
        if found.model
        else None,
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
