"""Social media: a post for everybody to see, or a message to the bank's account."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field
from pydantic.config import JsonDict

from services.intake.channels.shape import Reception, Report, refused, submission
from services.intake.domain.complaint import NARRATIVE_LIMIT, Complainant, Submission
from services.intake.schemas.complaint import Text

EXAMPLE: JsonDict = {
    "network": "facebook",
    "post_id": "1029384756",
    "url": "https://social.example/bank/posts/1029384756",
    "handle": "@hungry.example",
    "visibility": "public",
    "posted_at": "2026-11-23T21:15:00+08:00",
    "narrative": "Third time your app logs me out in the middle of a transfer. Is anybody reading this?",
    "product": "mobile_banking",
    "language": "en",
}


class SocialIn(Report):
    """A complaint made on a social network. Without a complainant, it is whoever holds the handle.

    `network` and `post_id` (or `url`) name the post: reported again, it is no second complaint.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    network: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,29}$", examples=["facebook"])]
    post_id: Annotated[Text | None, Field(max_length=160)] = None
    url: Annotated[Text | None, Field(pattern=r"^https://[^\s]+$", max_length=1000)] = None
    handle: Annotated[Text, Field(max_length=100, description="The author's name on that network: personal data")]
    display_name: Annotated[Text | None, Field(max_length=200)] = None
    visibility: Literal["public", "private"]
    posted_at: AwareDatetime | None = None
    narrative: Annotated[Text, Field(max_length=NARRATIVE_LIMIT, description="The post's or message's text")]


def read(body: SocialIn, reception: Reception) -> Submission:
    """Raises Invalid."""
    place = body.post_id or body.url
    if place is None:
        raise refused("/post_id", "is missing, and so is url: one of them must name the post", "post_missing")
    handle = body.handle.lstrip("@")
    return submission(
        "social",
        body,
        complainant=Complainant(body.display_name or body.handle),
        channel_ref=f"{body.network} {place}",
        personal=tuple(v for v in (body.handle, handle, body.display_name, body.url) if v),
    )
