"""How a complaint is taken in over HTTP, whatever endpoint it came by."""

from typing import Any

import orjson
from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake.domain.complaint import (
    ChannelNotAllowed,
    HistoryNotAllowed,
    IdempotencyKeyInvalid,
    Submission,
    check_times,
)
from services.intake.usecases.complaint import Also, Desk, Prepared, Receipt
from shared.clock import rfc3339
from shared.db import GroupCommit, Pending
from shared.errors import FieldError
from shared.security.principal import Principal, Role, Scope

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
    content: bytes,
    *,
    key: str | None,
    also: Also | None = None,
) -> Response:
    """Take `submission` in for `principal`, and answer with its receipt: 201, durably kept.

    `content` is the submission in canonical form; `also` is written with it. Raises named errors.
    """
    state = request.app.state
    check_right(principal, submission.channel, history=submission.imported)
    now = state.clock()
    check_times(submission, now=now)
    if submission.attachments:
        also = _together(state.files.claim(submission.attachments), also)
    desk: Desk = state.desk
    writer: GroupCommit[Prepared, Receipt] = state.writer
    receipt = await desk.receive(
        writer, submission, content, idempotency_key=key, actor=actor(principal), now=now, also=also
    )
    return receipt_response(receipt, state.public_url)


def _together(first: Also, second: Also | None) -> Also:
    async def both(connection: AsyncConnection, pending: Pending, receipt: Receipt) -> None:
        await first(connection, pending, receipt)
        if second is not None:
            await second(connection, pending, receipt)

    return both


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
