"""What complainants and staff say to one another about a complaint, and what a complainant sees and says of it."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.intake.domain.voice import MESSAGE_LIMIT, REMARK_LIMIT
from services.intake.schemas.complaint import Deadline, Text

Mark = Annotated[int, Field(ge=1, le=5)]
Remark = Annotated[Text | None, Field(max_length=REMARK_LIMIT)]


class MessageIn(BaseModel):
    """A message. It is sent under an `Idempotency-Key`, or each time anew."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "I have found the receipt: the fee was taken on the third."}]},
    )

    text: Annotated[Text, Field(max_length=MESSAGE_LIMIT)]
    subject: Annotated[Text | None, Field(max_length=200)] = None


class MessageOut(BaseModel):
    """One message. `direction`: in (to the bank) or out; `via`: the channel's code, or tracking."""

    id: str
    at: AwareDatetime
    direction: Literal["in", "out"]
    author: Literal["complainant", "representative", "staff", "system"]
    via: str
    subject: str | None
    text: str


class StaffMessageOut(MessageOut):
    """`facts`: what the channel told besides, such as the results of an e-mail's sender checks."""

    facts: dict[str, Any] | None = None


class MessagePage(BaseModel):
    items: list[StaffMessageOut]
    next: str | None = None


class WithdrawalIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "The fee was paid back."}]})

    reason: Remark = None


class WithdrawalOut(BaseModel):
    withdrawn_at: AwareDatetime


class RatingIn(BaseModel):
    """How satisfied one is, each from 1 (not at all) to 5 (fully)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"overall": 4, "staff": 5, "comment": "It took long, but all were kind."}]},
    )

    overall: Mark
    staff: Mark | None = None
    product: Mark | None = None
    handling: Mark | None = None
    comment: Remark = None


class RatingOut(BaseModel):
    overall: int
    staff: int | None
    product: int | None
    handling: int | None
    comment: str | None
    at: AwareDatetime


class DisputeIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"grounds": "The reply does not speak of the second fee."}]}
    )

    grounds: Annotated[Text, Field(max_length=MESSAGE_LIMIT)]


class DisputeOut(BaseModel):
    """`outcome` is the one that is not accepted."""

    id: str
    at: AwareDatetime
    outcome: str
    grounds: str


class RightOut(BaseModel):
    """Where the complainant may turn. `internal`: the bank looks again itself, when it is asked by a dispute. `body`
    and `explanation` by language. `until`: the last day, where one is set; `over`: it has passed."""

    code: str
    internal: bool
    body: dict[str, str]
    explanation: dict[str, str]
    url: str | None
    until: date | None
    over: bool


class FileOut(BaseModel):
    """A file that came with the complaint. `size` in bytes; `state`: quarantined (not looked at yet), clean, infected
    or refused (not taken), erased. `name` and, once it is clean, a `url` that soon ends: of the complainant's own files
    alone."""

    id: str
    at: AwareDatetime
    media_type: str
    size: int
    state: str
    name: str | None
    url: str | None


class FilesOut(BaseModel):
    items: list[FileOut]


class TrackedOut(BaseModel):
    """The complainant's view. `may`: what they can do now."""

    reference: str
    status: str
    received_at: AwareDatetime
    deadlines: list[Deadline]
    outcome: str | None
    may: list[Literal["write", "withdraw", "rate", "dispute"]]
    messages: list[MessageOut]
    attachments: list[FileOut]
    rating: RatingOut | None
    disputes: list[DisputeOut]
    withdrawn_at: AwareDatetime | None
    rights: list[RightOut]
