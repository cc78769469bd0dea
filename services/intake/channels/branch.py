"""The branch counter: somebody of the staff takes a complaint, in person or from a form."""

from datetime import date
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from services.intake.channels.shape import Reception, Report, received_on, refused, submission
from services.intake.domain.complaint import NARRATIVE_LIMIT, Submission
from services.intake.schemas.complaint import Code, ComplainantIn, Text

EXAMPLE: JsonDict = {
    "branch": "HK-012",
    "staff": "S-3381",
    "in_person": True,
    "form_no": "F-000482",
    "taken_on": "2026-11-23",
    "minor": True,
    "narrative": "My son's savings account was charged a dormancy fee that nobody had told us about.",
    "complainant": {"name": "Wong Example"},
    "representative": {"name": "Wong Parent Example", "relation": "parent", "authority": "guardianship"},
    "product": "savings",
    "language": "en",
    "attachments": [],
}


class BranchIn(Report):
    """A complaint taken at a branch. A form filled in earlier counts from the day on which it was taken, `taken_on`.

    A minor needs a representative, with relation and authority. Scans of the form are tickets of uploads in
    `attachments`, or parts of a multipart request. `form_no` is the branch's own number: the same form keyed in again
    is no second complaint.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    branch: Code
    staff: Annotated[Text, Field(max_length=100, description="Who took it, by staff number")]
    in_person: Annotated[bool, Field(description="The complainant, or who acts for them, came to the counter")] = True
    form_no: Annotated[Text | None, Field(max_length=100)] = None
    taken_on: Annotated[
        date | None, Field(description="In the bank's time zone, at most 90 days ago; without it, now")
    ] = None
    minor: Annotated[bool, Field(description="The complainant is not of age")] = False
    narrative: Annotated[Text, Field(max_length=NARRATIVE_LIMIT)]
    complainant: ComplainantIn


def read(body: BranchIn, reception: Reception) -> Submission:
    """Raises Invalid."""
    if body.minor and body.representative is None:
        raise refused("/representative", "is missing: somebody must act for a minor", "minor_without_representative")
    taken = submission("branch", body, channel_ref=f"{body.branch} {body.form_no}" if body.form_no else None)
    today = reception.now.astimezone(reception.zone).date()
    if body.taken_on is None or body.taken_on == today:
        return taken
    return received_on(taken, body.taken_on, reception, field="taken_on")
