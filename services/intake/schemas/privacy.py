"""The shapes of what protects the complainant."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.intake.domain.complaint import Complainant
from services.intake.domain.privacy import VULNERABILITIES
from services.intake.schemas.complaint import Text


class HoldIn(BaseModel):
    """Why a complaint must not be erased: a file number, a court. No personal data: it is shown to whoever asks."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "HCA 0001/2026"}]})

    reason: Annotated[Text, Field(min_length=1, max_length=200)]


class HoldOut(BaseModel):
    complaint_id: str
    reason: str
    placed_by: str
    placed_at: AwareDatetime


class ErasureOut(BaseModel):
    """The complaint's personal data is gone. `ground`: request or retention."""

    complaint_id: str
    ground: str
    erased_by: str
    erased_at: AwareDatetime


class SubjectIn(BaseModel):
    """By what a person is known; one is enough."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"customer_no": "C-000001"}]})

    customer_no: Annotated[Text | None, Field(max_length=64)] = None
    phone: Annotated[str | None, Field(pattern=r"^\+?[0-9 ()./-]{3,40}$")] = None
    email: Annotated[Text | None, Field(max_length=254)] = None

    @model_validator(mode="after")
    def _one_at_least(self) -> "SubjectIn":
        if not (self.customer_no or self.phone or self.email):
            raise PydanticCustomError("person_missing", "a customer number, phone or e-mail is needed")
        return self

    def to_domain(self) -> Complainant:
        return Complainant("", self.phone, self.email, self.customer_no)


class SubjectOut(BaseModel):
    """All that is kept of one person."""

    exported_at: AwareDatetime
    complaints: list[dict[str, Any]]


class VulnerabilityIn(BaseModel):
    """What staff should know to treat a person fairly. `review_on`: at most a year ahead."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"kind": "health", "note": "Hard of hearing; write, do not ring.", "review_on": "2027-05-01"}]
        },
    )

    kind: Literal["health", "life_event", "resilience", "capability", "minor"]
    note: Annotated[Text, Field(min_length=1, max_length=2000)]
    review_on: date


assert set(VULNERABILITIES) == set(VulnerabilityIn.model_fields["kind"].annotation.__args__)  # type: ignore[union-attr]


class ReviewIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    review_on: date


class VulnerabilityOut(BaseModel):
    """`note` only where it is read one by one."""

    id: str
    complaint_id: str
    kind: str
    review_on: date
    noted_by: str
    noted_at: AwareDatetime
    lifted_at: AwareDatetime | None
    note: str | None = None


class VulnerabilitiesOut(BaseModel):
    items: list[VulnerabilityOut]
    next: str | None = None
