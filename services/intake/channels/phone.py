"""The phone centre: a call that an agent or a recording system wrote down."""

from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field
from pydantic.config import JsonDict

from services.intake.channels.shape import (
    PHONE_NUMBER,
    TURNS,
    LanguageTag,
    Reception,
    Report,
    Turn,
    submission,
    told_by_customer,
    written_language,
)
from services.intake.domain.complaint import Submission
from services.intake.schemas.complaint import Text

EXAMPLE: JsonDict = {
    "call_id": "call-2026-11-23-0002",
    "agent": "A-1042",
    "recording": "rec/2026/11/23/0001.opus",
    "caller_number": "+852 5555 0100",
    "call_language": "yue",
    "started_at": "2026-11-23T10:02:11+08:00",
    "seconds": 214,
    "transcript": [
        {"role": "agent", "second": 2.5, "text": "早晨，請問有咩可以幫到你？"},
        {"role": "customer", "second": 6.0, "text": "我張信用卡收咗兩次年費，上個月打過嚟都冇人覆。"},
    ],
    "complainant": {"name": "Chan Example", "customer_no": "C-000001"},
    "product": "credit_card",
    "amount": {"value": "1800.00", "currency": "HKD"},
}


class PhoneIn(Report):
    """A complaint made by phone. Without a narrative, it is what the customer said in the transcript.

    `call_id` is the call's own number: the same call reported again is no second complaint.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    call_id: Annotated[Text, Field(max_length=200)]
    agent: Annotated[Text | None, Field(max_length=100, description="Who took the call, by staff number")] = None
    recording: Annotated[Text | None, Field(max_length=500, description="Where the recording is kept")] = None
    transcript: Annotated[list[Turn] | None, Field(max_length=TURNS)] = None
    caller_number: Annotated[
        str | None, Field(pattern=PHONE_NUMBER, description="As the exchange showed it; need not be the complainant's")
    ] = None
    call_language: LanguageTag | None = None
    started_at: AwareDatetime | None = None
    seconds: Annotated[int | None, Field(ge=0, le=86_400, description="How long the call took")] = None


def read(body: PhoneIn, reception: Reception) -> Submission:
    """Raises Invalid."""
    return submission(
        "phone",
        body,
        narrative=told_by_customer(body.transcript),
        channel_ref=body.call_id,
        language=written_language(body.call_language),
        personal=(body.caller_number,) if body.caller_number else (),
    )
