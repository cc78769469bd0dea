"""Where a mail server or gateway posts mail as it came."""

import asyncio
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.intake.api.taking import REPLAYED, WRITERS, actor, check_right, receipt_response
from services.intake.channels import email
from services.intake.domain.complaint import ChannelNotAllowed
from services.intake.schemas.complaint import ReceiptOut
from services.intake.usecases.mail import Mailroom
from shared.errors import Malformed, TooLarge
from shared.security.principal import Principal
from shared.web.access import allow
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/channels", tags=["channels"])

_MEDIA_TYPES = ("message/rfc822", "message/global")
_BY_ITSELF = 64 * 1024  # bytes from which on a mail is read outside the event loop
EXAMPLE = (
    "From: Chan Example <chan@example.com>\r\nTo: complaints@bank.example\r\nSubject: Charged twice\r\n"
    "Message-ID: <20261123100000.1@example.com>\r\n\r\nThe branch charged me twice for one transfer.\r\n"
)
_MAIL = {"schema": {"type": "string", "minLength": 1}, "example": EXAMPLE}
_BODY = {"requestBody": {"required": True, "content": dict.fromkeys(_MEDIA_TYPES, _MAIL)}}


class JoinedOut(BaseModel):
    """The mail was a reply: it is a message of the complaint with this reference."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"joined": "261123-7T51-DVFS9"}]})

    joined: str


class NotedOut(BaseModel):
    """No person wrote the mail, so it is no complaint: it was noted on the complaint it is about, or only counted.

    `kind`: auto_reply or bounce. `outcome`: recorded or dropped.
    """

    kind: str = Field(examples=["auto_reply"])
    outcome: str = Field(examples=["recorded"])
    reference: str | None = Field(None, examples=["261123-7T51-DVFS9"])


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": JoinedOut, "description": "A reply, kept with its complaint"},
    201: REPLAYED,
    202: {"model": NotedOut, "description": "An automatic reply or a report of a delivery; it is not answered"},
}


class NoMail(Malformed):
    """Send the mail itself, as message/rfc822."""

    code = "no_mail"


@router.post(
    "/email",
    status_code=201,
    response_model=ReceiptOut,
    responses=documented(ChannelNotAllowed, NoMail, TooLarge) | _ANSWERS,
    openapi_extra=_BODY,
)
async def from_email(request: Request, principal: Annotated[Principal, Depends(allow(*WRITERS))]) -> Response:
    """Take a mail in as it came over the wire; the same mail again, known by its Message-ID, answers the same. A reply
    joins its complaint; what a machine wrote is never a complaint, and never answered."""
    check_right(principal, "email")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = await request.body()
    if kind not in _MEDIA_TYPES or not raw.strip():
        raise NoMail
    state = request.app.state
    if len(raw) < _BY_ITSELF:
        letter = email.letter(raw, state.mail_setup)
    else:
        letter = await asyncio.to_thread(email.letter, raw, state.mail_setup)
    mailroom: Mailroom = state.mailroom
    taken = await mailroom.take(letter, actor=actor(principal))
    if taken.receipt is not None:
        return receipt_response(taken.receipt, state.public_url)
    if taken.outcome == "joined":
        return _answer(200, {"joined": taken.reference})
    return _answer(202, {"kind": taken.kind, "outcome": taken.outcome, "reference": taken.reference})


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
