"""Regulators and ombudsmen: a complaint that was made to them and that they send to the bank."""

from dataclasses import replace
from datetime import date
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from services.intake.channels.shape import Reception, Report, refused, submission
from services.intake.domain.complaint import EARLIEST_YEAR, NARRATIVE_LIMIT, Submission
from services.intake.schemas.complaint import ComplainantIn, Text

FARTHEST_YEARS = 10
EXAMPLE: JsonDict = {
    "body": "HKMA",
    "reference": "CB/2026/00917",
    "received_on": "2026-11-16",
    "due_on": "2026-12-07",
    "text": "We refer to the enclosed complaint and ask for your written reply within the time above.",
    "narrative": "The bank froze my payroll account for two weeks and gave no reason.",
    "complainant": {"name": "Ho Example", "customer_no": "C-000003"},
    "product": "current_account",
    "language": "en",
}


class RegulatorIn(Report):
    """A complaint that a regulator or ombudsman refers. Without a narrative, it is what that body writes.

    `body` and `reference` name the referral: sent again, it is no second complaint.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    body: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9-]{1,19}$", description="Its code", examples=["HKMA"])]
    reference: Annotated[Text, Field(max_length=160, description="Its own number for the matter")]
    received_on: Annotated[date, Field(description="When that body received the complaint, by the bank's time zone")]
    due_on: Annotated[date | None, Field(description="The last day on which a reply is in time for that body")] = None
    text: Annotated[Text, Field(max_length=NARRATIVE_LIMIT, description="What that body writes")]
    complainant: ComplainantIn


def read(body: RegulatorIn, reception: Reception) -> Submission:
    """Raises Invalid."""
    if body.received_on > reception.now.astimezone(reception.zone).date():
        raise refused("/received_on", "lies in the future", "in_the_future")
    if body.received_on.year < EARLIEST_YEAR:
        raise refused("/received_on", f"lies before {EARLIEST_YEAR}", "too_long_ago")
    if body.due_on is not None and body.due_on < body.received_on:
        raise refused("/due_on", "lies before received_on", "before_receipt")
    if body.due_on is not None and body.due_on.year > reception.now.year + FARTHEST_YEARS:
        raise refused("/due_on", f"lies more than {FARTHEST_YEARS} years ahead", "too_far_ahead")
    taken = submission("regulator", body, narrative=body.text, channel_ref=f"{body.body} {body.reference}")
    return replace(
        taken,
        referred_by=body.body,
        referred_at=reception.start_of(body.received_on),
        imposed_due_at=reception.end_of(body.due_on) if body.due_on else None,
    )
