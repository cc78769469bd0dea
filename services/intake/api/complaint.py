"""Intake's routes: parse, call a use case, return."""

from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Query, Request, Response
from pydantic import ValidationError

from services.intake.domain.complaint import (
    ChannelNotAllowed,
    ChannelRefConflict,
    HistoryNotAllowed,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    check_times,
)
from services.intake.schemas.complaint import COMPLAINT, ComplaintIn, ComplaintOut, ReceiptOut, TrackedOut
from services.intake.usecases import complaint as usecases
from services.intake.usecases.complaint import Desk, Prepared, Receipt
from shared import audit
from shared.clock import rfc3339
from shared.db import GroupCommit
from shared.errors import FieldError, Forbidden, Invalid, Malformed, NotFound, TooLarge
from shared.security.principal import Principal, Role, Scope
from shared.web.access import Authenticator, allow, public
from shared.web.app import ClockDep, Reading, Tx
from shared.web.edge import direct
from shared.web.problems import documented, fields_of
from shared.web.router import Router

router = Router(prefix="/v1", tags=["complaints"])

_WRITERS = (Scope.WRITE, Scope.IMPORT, Role.AGENT)
# who may read what people wrote and who they are; each such read is audited
_PERSONAL = (Role.AGENT, Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": ComplaintIn.model_json_schema(ref_template="#/components/schemas/{model}")}
        },
    },
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            "description": "One key a complaint; repeat the request with it as often as need be. Without it "
            "(and without channel_ref) a repeated request is a second complaint.",
        }
    ],
}


async def _may_write(request: Request) -> None:
    """Declares the access of `receive`, which checks it itself: a dependency would cost a tenth of its time."""


_may_write.__redress_allows__ = _WRITERS  # type: ignore[attr-defined]


@router.post(
    "/complaints",
    status_code=201,
    response_model=ReceiptOut,
    responses=documented(IdempotencyKeyReused, ChannelRefConflict, TooLarge),
    openapi_extra=_BODY,
    dependencies=[Depends(_may_write)],
)
@direct
async def receive(request: Request) -> Response:
    """Take in a complaint; repeated with the same `Idempotency-Key` or `channel_ref`, it answers the same.

    201 means that the complaint is durably kept.
    """
    state = request.app.state
    authenticator: Authenticator = state.authenticator
    principal = await authenticator.principal(request)
    if not principal.has(*_WRITERS):
        raise Forbidden(f"This needs one of: {', '.join(_WRITERS)}.")
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) < 256 and key.isascii() and key.isprintable()):
        raise IdempotencyKeyInvalid
    body = _parse(await request.body())
    submission = body.to_domain()
    _check_right(principal, submission.channel, history=submission.received_at is not None)
    now = state.clock()
    check_times(submission, now=now)
    desk: Desk = state.desk
    writer: GroupCommit[Prepared, Receipt] = state.writer
    receipt = await desk.receive(
        writer,
        submission,
        body.__pydantic_serializer__.to_json(body),
        idempotency_key=key,
        actor=principal.id if principal.key_id is None else f"key:{principal.key_id}",
        now=now,
    )
    headers = {"Idempotency-Replayed": "true"} if receipt.replayed else None
    return Response(_answer(receipt, state.public_url), 201, headers=headers, media_type="application/json")


def _parse(raw: bytes) -> ComplaintIn:
    try:
        return COMPLAINT.validate_json(raw)
    except ValidationError as error:
        raised = error.errors(include_url=False, include_context=False, include_input=False)
        if raised[0]["type"] == "json_invalid":
            reason = raised[0]["msg"].removeprefix("Invalid JSON: ")
            raise Malformed("The body is no valid JSON.", errors=(FieldError("", reason, "json_invalid"),)) from None
        raise Invalid("Some values cannot be taken; see errors.", errors=fields_of(raised)) from None


def _check_right(principal: Principal, channel: str, *, history: bool) -> None:
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


@router.get(
    "/complaints/{id}",
    response_model=ComplaintOut,
    response_model_exclude_unset=True,
    responses=documented(NotFound),
)
async def read(
    id: str,
    request: Request,
    tx: Tx,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow(Scope.READ, *_PERSONAL, Role.MANAGER, Role.ADMIN))],
) -> dict[str, Any]:
    """A complaint and how it stands. A channel's key sees its own channels' complaints, without personal data; staff
    whose work needs it see what was said and by whom, and that they looked is audited."""
    complaint, progress = await usecases.read(tx, id)
    if principal.channels and complaint.channel not in principal.channels:
        raise NotFound("No complaint has this id.")
    found = usecases.view(complaint, progress)
    if principal.has(*_PERSONAL):
        desk: Desk = request.app.state.desk
        audit.add(tx, principal.id, "complaint.read", id, now=clock())
        found |= desk.content(complaint) | {"complainant": desk.person(complaint) or {"anonymous": True}}
    return found


@router.get(
    "/track/{reference}",
    response_model=TrackedOut,
    responses=documented(NotFound),
    dependencies=[Depends(public())],
)
async def track(
    reference: str,
    request: Request,
    tx: Reading,
    token: Annotated[str, Query(max_length=100)] = "",
    x_tracking_token: Annotated[str, Header(max_length=100)] = "",
) -> dict[str, Any]:
    """The complainant's view of their complaint, opened by the tracking token of the receipt."""
    desk: Desk = request.app.state.desk
    complaint, progress = await desk.track(tx, reference, x_tracking_token or token)
    found = usecases.view(complaint, progress)
    return {k: found[k] for k in ("reference", "status", "received_at", "deadlines")}
