"""How a complaint is taken in over HTTP, whatever endpoint it came by."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, TypeAdapter, ValidationError

from services.intake.domain.complaint import (
    ChannelNotAllowed,
    HistoryNotAllowed,
    IdempotencyKeyInvalid,
    Submission,
    check_times,
)
from services.intake.usecases.attachment import Files, Upload
from services.intake.usecases.complaint import Also, Desk, Prepared, Receipt
from shared.clock import rfc3339
from shared.db import GroupCommit
from shared.errors import FieldError, Invalid, Malformed
from shared.security.principal import Principal, Role, Scope
from shared.web.problems import fields_of

Shape = TypeVar("Shape")

WRITERS = (Scope.WRITE, Scope.IMPORT, Role.AGENT)
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "One key a complaint; repeat the request with it as often as need be. Without it "
    "(and without channel_ref) a repeated request is a second complaint.",
}


REPLAYED: dict[str, Any] = {
    "description": "Durably kept",
    "headers": {
        "Idempotency-Replayed": {
            "description": "Sent when it had been taken before; the answer is the same",
            "schema": {"type": "string", "enum": ["true"]},
        }
    },
}


def idempotency_key(request: Request) -> str | None:
    """Raises IdempotencyKeyInvalid."""
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) < 256 and key.isascii() and key.isprintable()):
        raise IdempotencyKeyInvalid
    return key


async def take(
    request: Request,
    principal: Principal,
    submission: Submission,
    body: BaseModel,
    *,
    key: str | None,
    uploads: Sequence[Upload] = (),
) -> Response:
    """Take `submission` in for `principal`, with its files and `uploads`, and answer with its receipt: 201, durably
    kept.

    `body` is what was sent. What is in its files belongs to what tells it from another; their tickets do not, for a
    repeat may have uploaded them anew. Raises named errors.
    """
    state = request.app.state
    now = state.clock()
    check(principal, submission, now=now)
    also: Also | None = None
    if submission.attachments or uploads:
        files: Files = state.files
        digests = await files.digests(submission.attachments) + [upload.row.sha256 for upload in uploads]
        body = body.model_copy(update={"attachments": digests})
        also = files.claim([*submission.attachments, *(upload.ticket for upload in uploads)])
    content = body.__pydantic_serializer__.to_json(body)
    desk: Desk = state.desk
    writer: GroupCommit[Prepared, Receipt] = state.writer
    receipt = await desk.receive(
        writer, submission, content, idempotency_key=key, actor=actor(principal), now=now, also=also
    )
    return receipt_response(receipt, state.public_url)


def check(principal: Principal, submission: Submission, *, now: datetime) -> None:
    """Whether `submission` may be taken in for `principal`. Raises HistoryNotAllowed, ChannelNotAllowed, Invalid."""
    check_right(principal, submission.channel, history=submission.imported)
    check_times(submission, now=now)


def parse(shape: TypeAdapter[Shape], raw: bytes) -> Shape:
    """Raises Malformed, Invalid."""
    try:
        return shape.validate_json(raw)
    except ValidationError as error:
        raised = error.errors(include_url=False, include_context=False, include_input=False)
        if raised[0]["type"] == "json_invalid":
            reason = raised[0]["msg"].removeprefix("Invalid JSON: ")
            raise Malformed("The body is no valid JSON.", errors=(FieldError("", reason, "json_invalid"),)) from None
        raise Invalid("Some values cannot be taken; see errors.", errors=fields_of(raised)) from None


def receipt_response(receipt: Receipt, public_url: str) -> Response:
    """201, durably kept."""
    headers = {"Idempotency-Replayed": "true"} if receipt.replayed else None
    return Response(_answer(receipt, public_url), 201, headers=headers, media_type="application/json")


def actor(principal: Principal) -> str:
    """Who acts, as the audit trail names it."""
    return principal.id if principal.key_id is None else f"key:{principal.key_id}"


def check_right(principal: Principal, channel: str, *, history: bool = False) -> None:
    """Raises HistoryNotAllowed, ChannelNotAllowed."""
    if history and not principal.has(Scope.IMPORT):
        raise HistoryNotAllowed(
            errors=(FieldError("/received_at", "needs complaints:import", "received_at_not_allowed"),)
        )
    if principal.channels and channel not in principal.channels:
        allowed = ", ".join(sorted(principal.channels))
        raise ChannelNotAllowed(
            f"This key may post for: {allowed}.",
            errors=(FieldError("/channel", "not this key's", "channel_not_allowed"),),
        )


def _answer(receipt: Receipt, public_url: str) -> bytes:
    return orjson.dumps(
        {
            "id": receipt.id,
            "reference": receipt.reference,
            "status": "received",
            "received_at": rfc3339(receipt.received_at),
            "tracking": {"url": f"{public_url}/v1/track/{receipt.reference}", "token": receipt.token},
        }
    )
