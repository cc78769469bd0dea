"""The shapes of intake's public face: what a channel sends and what it gets back."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from babel.core import get_global
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from services.intake.domain.complaint import CHANNELS, CODE_LIMIT, NARRATIVE_LIMIT, Complainant, Submission, is_email

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_CURRENCIES = frozenset(get_global("all_currencies"))


def _clean(text: str) -> str:
    if _CONTROL.search(text):
        raise PydanticCustomError("control_character", "holds control characters")
    return text


def _not_blank(text: str) -> str:
    if not text or text.isspace():
        raise PydanticCustomError("blank", "is blank")
    return _clean(text)


def email_address(text: str) -> str:
    if not is_email(text):
        raise PydanticCustomError("email", "is no e-mail address")
    return _clean(text)


def _currency(code: str) -> str:
    if code not in _CURRENCIES:
        raise PydanticCustomError("currency", "is no ISO 4217 currency code")
    return code


Text = Annotated[str, AfterValidator(_not_blank)]
Free = Annotated[str, AfterValidator(_clean)]  # may be empty
Code = Annotated[str, Field(min_length=1, max_length=CODE_LIMIT), AfterValidator(_not_blank)]


class ComplainantIn(BaseModel):
    """Who complains: a name and, where known, how to reach them; or `{"anonymous": true}`."""

    model_config = ConfigDict(extra="forbid")

    anonymous: bool = False
    name: Annotated[Text | None, Field(max_length=200)] = None
    phone: Annotated[str | None, Field(pattern=r"^\+?[0-9 ()./-]{3,40}$")] = None
    email: Annotated[str | None, Field(max_length=254), AfterValidator(lambda v: email_address(v) if v else v)] = None
    customer_no: Annotated[Text | None, Field(max_length=64)] = None
    preferred_channel: Literal["email", "sms", "post", "phone"] | None = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "ComplainantIn":
        own = self.name or self.phone or self.email or self.customer_no or self.preferred_channel
        if self.anonymous and own:
            raise PydanticCustomError("anonymous_with_person", "an anonymous complainant has no personal data")
        if not self.anonymous and not self.name:
            raise PydanticCustomError("name_missing", "a name is needed, or anonymous: true")
        return self

    def to_domain(self) -> Complainant | None:
        if self.anonymous:
            return None
        return Complainant(self.name or "", self.phone, self.email, self.customer_no, self.preferred_channel)


class AmountIn(BaseModel):
    """Money: a decimal and an ISO 4217 code."""

    model_config = ConfigDict(extra="forbid")

    value: Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=4, allow_inf_nan=False)]
    currency: Annotated[str, AfterValidator(_currency)]


class ComplaintIn(BaseModel):
    """A complaint as a channel sends it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "channel": "phone",
                    "narrative": "The branch charged me twice for one transfer and nobody rang back.",
                    "complainant": {"name": "Chan Example", "customer_no": "C-000001"},
                    "channel_ref": "call-2026-11-23-0001",
                    "product": "remittance",
                    "amount": {"value": "120.00", "currency": "HKD"},
                    "language": "en",
                }
            ]
        },
    )

    channel: Literal["phone", "web_chat", "mobile", "web_form", "email", "letter", "branch", "social", "regulator"]
    narrative: Annotated[Text, Field(min_length=1, max_length=NARRATIVE_LIMIT)]
    complainant: ComplainantIn
    channel_ref: Annotated[Text | None, Field(max_length=200)] = None
    branch: Code | None = None
    product: Code | None = None
    amount: AmountIn | None = None
    occurred_at: AwareDatetime | None = None
    received_at: Annotated[
        AwareDatetime | None, Field(description="For history brought in later; needs the scope complaints:import")
    ] = None
    desired_outcome: Annotated[Text | None, Field(max_length=2000)] = None
    language: Literal["zh-Hant", "zh-Hans", "en"] | None = None
    jurisdiction: Annotated[str | None, Field(pattern=r"^[a-z]{2}(-[a-z0-9]+){0,3}$", max_length=40)] = None
    detail: Annotated[
        dict[Annotated[Code, Field()], Annotated[str, Field(max_length=2000), AfterValidator(_clean)]] | None,
        Field(max_length=50, description="The channel's own facts, as flat text"),
    ] = None
    attachments: Annotated[
        list[Annotated[str, Field(max_length=100)]] | None,
        Field(max_length=20, description="Tickets of files uploaded before"),
    ] = None

    def to_domain(self) -> Submission:
        return Submission(
            channel=self.channel,
            narrative=self.narrative,
            complainant=self.complainant.to_domain(),
            channel_ref=self.channel_ref,
            branch=self.branch,
            product=self.product,
            amount=self.amount.value if self.amount else None,
            currency=self.amount.currency if self.amount else None,
            occurred_at=self.occurred_at,
            received_at=_milliseconds(self.received_at),
            desired_outcome=self.desired_outcome,
            language=self.language,
            jurisdiction=self.jurisdiction,
            detail=self.detail or {},
            imported=self.received_at is not None,
            attachments=tuple(self.attachments or ()),
        )


def _milliseconds(moment: datetime | None) -> datetime | None:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000) if moment else None


COMPLAINT: TypeAdapter[ComplaintIn] = TypeAdapter(ComplaintIn)
assert set(CHANNELS) == set(ComplaintIn.model_fields["channel"].annotation.__args__)  # type: ignore[union-attr]


class Tracking(BaseModel):
    """How the complainant looks in: `url` with the token in the header `X-Tracking-Token` (or `?token=`)."""

    url: str
    token: str


class ReceiptOut(BaseModel):
    """A complaint was taken in."""

    id: str
    reference: str = Field(examples=["261123-7T51-DVFS9"])
    status: str = Field(examples=["received"])
    received_at: AwareDatetime
    tracking: Tracking


class Deadline(BaseModel):
    """One deadline. `state`: running, met, late (met after it was due) or missed."""

    step: str
    due_at: AwareDatetime
    state: str
    met_at: AwareDatetime | None = None


class ComplaintOut(BaseModel):
    """A complaint and how it stands, as far as intake has heard.

    `narrative`, `complainant`, `desired_outcome`, `detail` and `channel_ref` only for staff whose work needs them.
    """

    id: str
    reference: str
    channel: str
    status: str
    received_at: AwareDatetime
    type: str | None
    severity: str | None
    department: str | None
    outcome: str | None
    escalation_level: int
    deadlines: list[Deadline]
    branch: str | None
    product: str | None
    language: str | None
    jurisdiction: str | None
    imported: bool
    message_count: int = Field(description="Messages exchanged about it, both ways")
    narrative: str | None = None
    complainant: dict[str, Any] | None = None
    desired_outcome: str | None = None
    detail: dict[str, str] | None = None
    channel_ref: str | None = None
    facts: dict[str, Any] | None = None
    erased: bool | None = None
