"""Where each channel's own system posts what it took, in the channel's own shape."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from services.intake.api.taking import IDEMPOTENCY_KEY, REPLAYED, WRITERS, idempotency_key, take
from services.intake.channels import branch, letter, phone, regulator, social, web_chat
from services.intake.channels.shape import Reception
from services.intake.domain.complaint import (
    ChannelNotAllowed,
    ChannelRefConflict,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    Submission,
)
from services.intake.schemas.complaint import ReceiptOut
from shared.errors import TooLarge
from shared.security.principal import Principal, Scope
from shared.web.access import allow
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/channels", tags=["channels"])

REFUSALS = (IdempotencyKeyReused, IdempotencyKeyInvalid, ChannelRefConflict, ChannelNotAllowed, TooLarge)
_TAKEN: dict[str, Any] = {
    "status_code": 201,
    "response_model": ReceiptOut,
    "responses": documented(*REFUSALS) | {201: REPLAYED},
    "openapi_extra": {"parameters": [IDEMPOTENCY_KEY]},
}


class Post:
    """One report on its way in: who sends it, under which key, and where it is received."""

    def __init__(self, request: Request, principal: Annotated[Principal, Depends(allow(*WRITERS))]) -> None:
        self._request = request
        self._principal = principal
        self._key = idempotency_key(request)
        state = request.app.state
        self.reception = Reception(state.settings.zone, state.clock(), may_import=principal.has(Scope.IMPORT))

    async def take(self, submission: Submission, body: BaseModel) -> Response:
        content = body.__pydantic_serializer__.to_json(body)
        return await take(self._request, self._principal, submission, content, key=self._key)


PostDep = Annotated[Post, Depends()]


@router.post("/phone", **_TAKEN)
async def from_phone(body: phone.PhoneIn, post: PostDep) -> Response:
    """Take in a complaint from the phone centre; the same `call_id` again answers the same."""
    return await post.take(phone.read(body, post.reception), body)


@router.post("/web-chat", **_TAKEN)
async def from_web_chat(body: web_chat.WebChatIn, post: PostDep) -> Response:
    """Take in a complaint from web chat; the same `session_id` again answers the same."""
    return await post.take(web_chat.read(body, post.reception), body)


@router.post("/letter", **_TAKEN)
async def from_letter(body: letter.LetterIn, post: PostDep) -> Response:
    """Take in a complaint that came by letter, counting from the day of receipt; the same `register_no` again answers
    the same."""
    return await post.take(letter.read(body, post.reception), body)


@router.post("/branch", **_TAKEN)
async def from_branch(body: branch.BranchIn, post: PostDep) -> Response:
    """Take in a complaint from a branch counter; the same `form_no` of the branch again answers the same."""
    return await post.take(branch.read(body, post.reception), body)


@router.post("/social", **_TAKEN)
async def from_social(body: social.SocialIn, post: PostDep) -> Response:
    """Take in a complaint from a social network; the same post again answers the same."""
    return await post.take(social.read(body, post.reception), body)


@router.post("/regulator", **_TAKEN)
async def from_regulator(body: regulator.RegulatorIn, post: PostDep) -> Response:
    """Take in what a regulator or ombudsman refers; the same `body` and `reference` again answer the same."""
    return await post.take(regulator.read(body, post.reception), body)
