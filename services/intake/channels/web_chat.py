"""Web chat: a session with a person or a bot on the bank's site."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from services.intake.channels.shape import TURNS, Reception, Report, Turn, refused, submission, told_by_customer
from services.intake.domain.complaint import Submission
from services.intake.schemas.complaint import ComplainantIn, Text

EXAMPLE: JsonDict = {
    "session_id": "chat-7f3a91",
    "visitor": {"kind": "customer", "customer_no": "C-000002", "name": "王 Example"},
    "transcript": [
        {"role": "bot", "at": "2026-11-23T14:00:00+08:00", "text": "您好，請問有什麼可以幫您？"},
        {"role": "customer", "at": "2026-11-23T14:00:21+08:00", "text": "跨境汇款三天还没到账，手续费却扣了两次。"},
        {"role": "agent", "at": "2026-11-23T14:01:02+08:00", "text": "明白，我為您登記投訴。"},
    ],
    "page": "/remittance/status",
    "product": "remittance",
    "transaction_ref": "TT-20261120-7781",
    "language": "zh-Hans",
}


class Visitor(BaseModel):
    """Who chats: a `customer` whom the bank's own sign-in knows (`customer_no`, `name`), or somebody `anonymous`, with
    the chat system's own mark for the browser (`visitor_id`)."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["customer", "anonymous"]
    customer_no: Annotated[Text | None, Field(max_length=64)] = None
    name: Annotated[Text | None, Field(max_length=200)] = None
    visitor_id: Annotated[Text | None, Field(max_length=200)] = None


class WebChatIn(Report):
    """A complaint made in a chat. Without a narrative, it is what the customer wrote in the transcript; without a
    complainant, it is the visitor's.

    `session_id` is the chat's own number: the same chat reported again is no second complaint.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    session_id: Annotated[Text, Field(max_length=200)]
    visitor: Visitor
    transcript: Annotated[list[Turn] | None, Field(max_length=TURNS)] = None
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    page: Annotated[Text | None, Field(max_length=500, description="Where on the site the chat began")] = None


def read(body: WebChatIn, reception: Reception) -> Submission:
    """Raises Invalid."""
    return submission(
        "web_chat",
        body.model_copy(update={"complainant": _complainant(body.visitor, body.complainant)}),
        narrative=told_by_customer(body.transcript),
        channel_ref=body.session_id,
    )


def _complainant(visitor: Visitor, given: ComplainantIn | None) -> ComplainantIn:
    """What the chat asked for, with what the sign-in knows, which the bank itself vouches for."""
    if visitor.kind == "anonymous":
        if visitor.customer_no or visitor.name:
            raise refused("/visitor", "is anonymous and yet has a name or number", "anonymous_with_person")
        return given or ComplainantIn(anonymous=True)
    if visitor.customer_no is None:
        raise refused("/visitor/customer_no", "is missing: the sign-in knows it", "customer_no_missing")
    if given is None:
        return ComplainantIn(name=visitor.name or visitor.customer_no, customer_no=visitor.customer_no)
    if given.anonymous or given.customer_no not in (None, visitor.customer_no):
        raise refused("/complainant", "is another than the visitor who is signed in", "not_the_visitor")
    return given.model_copy(update={"customer_no": visitor.customer_no})
