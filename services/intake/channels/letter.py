"""Letters: scanned in the mail room, with the day on which they came."""

from datetime import date
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from services.intake.channels.shape import Reception, Report, received_on, submission
from services.intake.domain.complaint import NARRATIVE_LIMIT, Submission
from services.intake.schemas.complaint import ComplainantIn, Text

EXAMPLE: JsonDict = {
    "received_on": "2026-11-20",
    "postal_ref": "RR 123 456 785 HK",
    "register_no": "MR-2026-004711",
    "dated": "2026-11-17",
    "sender_address": "1 Example Road, Central, Hong Kong",
    "pages": 2,
    "narrative": "I write to complain about the closure of my account without notice.",
    "complainant": {"name": "Lee Example", "preferred_channel": "post"},
    "product": "current_account",
    "language": "en",
    "attachments": [],
}


class LetterIn(Report):
    """A complaint made by letter. `received_on`, in the bank's time zone, governs the clock, whenever it is keyed in.

    The scans are tickets of uploads in `attachments`, or parts of a multipart request. `register_no` is the mail room's
    own number: the same letter keyed in again is no second complaint.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    received_on: Annotated[date, Field(description="The day on which the bank received it; at most 90 days ago")]
    postal_ref: Annotated[Text | None, Field(max_length=100, description="Number of registered post")] = None
    register_no: Annotated[Text | None, Field(max_length=200, description="Number in the mail room's register")] = None
    dated: Annotated[date | None, Field(description="The day that the letter itself bears")] = None
    sender_address: Annotated[Text | None, Field(max_length=500)] = None
    pages: Annotated[int | None, Field(ge=1, le=10_000)] = None
    narrative: Annotated[Text, Field(max_length=NARRATIVE_LIMIT, description="The letter's text, or its gist")]
    complainant: ComplainantIn


def read(body: LetterIn, reception: Reception) -> Submission:
    """Raises Invalid."""
    taken = submission(
        "letter",
        body,
        channel_ref=body.register_no,
        personal=(body.sender_address,) if body.sender_address else (),
    )
    return received_on(taken, body.received_on, reception, field="received_on")
