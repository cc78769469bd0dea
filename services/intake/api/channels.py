"""Where each channel's own system posts what it took, in the channel's own shape."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, Response
from pydantic import BaseModel, TypeAdapter

from services.intake.api import multipart
from services.intake.api.taking import IDEMPOTENCY_KEY, REPLAYED, WRITERS, actor, check, idempotency_key, parse, take
from services.intake.channels import branch, letter, phone, regulator, social, web_chat
from services.intake.channels.shape import Reception
from services.intake.domain.attachment import FileRefused, TicketUnknown
from services.intake.domain.complaint import (
    ChannelNotAllowed,
    ChannelRefConflict,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    Submission,
)
from services.intake.schemas.complaint import ReceiptOut
from services.intake.usecases.attachment import Files, Upload
from shared.errors import TooLarge
from shared.security.principal import Principal, Scope
from shared.web.access import allow
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/channels", tags=["channels"])

WITH_SCANS = ("/v1/channels/letter", "/v1/channels/branch")
"""Where files may come in the same request."""

REFUSALS = (
    IdempotencyKeyReused,
    IdempotencyKeyInvalid,
    ChannelRefConflict,
    ChannelNotAllowed,
    TicketUnknown,
    TooLarge,
)
Shape = TypeVar("Shape", bound=BaseModel)
_TAKEN: dict[str, Any] = {
    "status_code": 201,
    "response_model": ReceiptOut,
    "responses": documented(*REFUSALS) | {201: REPLAYED},
    "openapi_extra": {"parameters": [IDEMPOTENCY_KEY]},
}


def _with_scans(shape: type[BaseModel], example: Any) -> dict[str, Any]:
    refusals = documented(*REFUSALS, multipart.FormMalformed, multipart.PartRefused, FileRefused)
    more = {"parameters": [IDEMPOTENCY_KEY], "requestBody": multipart.described(shape, example)}
    return _TAKEN | {"responses": refusals | {201: REPLAYED}, "openapi_extra": more}


_LETTER = TypeAdapter(letter.LetterIn)
_BRANCH = TypeAdapter(branch.BranchIn)


class Post:
    """One report on its way in: who sends it, under which key, and where it is received."""

    def __init__(self, request: Request, principal: Annotated[Principal, Depends(allow(*WRITERS))]) -> None:
        self._request = request
        self._principal = principal
        self._key = idempotency_key(request)
        state = request.app.state
        self.reception = Reception(state.settings.zone, state.clock(), may_import=principal.has(Scope.IMPORT))

    async def take(self, submission: Submission, body: BaseModel, uploads: Sequence[Upload] = ()) -> Response:
        return await take(self._request, self._principal, submission, body, key=self._key, uploads=uploads)

    async def take_with_scans(
        self, shape: TypeAdapter[Shape], read: Callable[[Shape, Reception], Submission]
    ) -> Response:
        """Take the request in as JSON, or as a form with files, which are kept as they come. What is refused leaves
        those kept before unclaimed."""
        content_type = self._request.headers.get("content-type", "")
        if not multipart.is_form(content_type):
            body = parse(shape, await self._request.body())
            return await self.take(read(body, self.reception), body)
        state = self._request.app.state
        form = multipart.ReportForm(
            content_type,
            self._request.stream(),
            report=state.settings.max_body,
            files=state.settings.scans_files,
        )
        report = await form.complaint()
        with multipart.within(f"/{multipart.COMPLAINT}"):
            body = parse(shape, report)
            submission = read(body, self.reception)
            check(self._principal, submission, now=self.reception.now)
        files: Files = state.files
        uploads: list[Upload] = []
        while (part := await form.file()) is not None:
            with multipart.within(f"/{multipart.FILE}/{len(uploads)}"):
                uploads.append(await files.upload(part, part.file_name, part.media_type, actor(self._principal)))
        with multipart.within(f"/{multipart.COMPLAINT}"):
            return await self.take(submission, body, uploads)


PostDep = Annotated[Post, Depends()]


@router.post("/phone", **_TAKEN)
async def from_phone(body: phone.PhoneIn, post: PostDep) -> Response:
    """Take in a complaint from the phone centre; the same `call_id` again answers the same."""
    return await post.take(phone.read(body, post.reception), body)


@router.post("/web-chat", **_TAKEN)
async def from_web_chat(body: web_chat.WebChatIn, post: PostDep) -> Response:
    """Take in a complaint from web chat; the same `session_id` again answers the same."""
    return await post.take(web_chat.read(body, post.reception), body)


@router.post("/letter", **_with_scans(letter.LetterIn, letter.EXAMPLE))
async def from_letter(post: PostDep) -> Response:
    """Take in a complaint that came by letter, counting from the day of receipt, and its scans; the same `register_no`
    with the same scans again answers the same."""
    return await post.take_with_scans(_LETTER, letter.read)


@router.post("/branch", **_with_scans(branch.BranchIn, branch.EXAMPLE))
async def from_branch(post: PostDep) -> Response:
    """Take in a complaint from a branch counter, and scans of the form; the same `form_no` of the branch with the same
    scans again answers the same."""
    return await post.take_with_scans(_BRANCH, branch.read)


@router.post("/social", **_TAKEN)
async def from_social(body: social.SocialIn, post: PostDep) -> Response:
    """Take in a complaint from a social network; the same post again answers the same."""
    return await post.take(social.read(body, post.reception), body)


@router.post("/regulator", **_TAKEN)
async def from_regulator(body: regulator.RegulatorIn, post: PostDep) -> Response:
    """Take in what a regulator or ombudsman refers; the same `body` and `reference` again answer the same."""
    return await post.take(regulator.read(body, post.reception), body)
