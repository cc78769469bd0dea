"""Intake's routes: parse, call a use case, return."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response

from services.intake.api.taking import IDEMPOTENCY_KEY, REPLAYED, WRITERS, idempotency_key, parse, take
from services.intake.domain.attachment import TicketUnknown
from services.intake.domain.complaint import ChannelRefConflict, Erased, IdempotencyKeyReused
from services.intake.schemas.complaint import COMPLAINT, ComplaintIn, ComplaintOut, ReceiptOut
from services.intake.store import correspondence
from services.intake.usecases import complaint as usecases
from services.intake.usecases.complaint import Desk
from shared import audit
from shared.errors import Forbidden, NotFound, TooLarge
from shared.security.principal import Principal, Role, Scope
from shared.web.access import Authenticator, allow
from shared.web.app import ClockDep, Tx
from shared.web.edge import direct
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1", tags=["complaints"])

# who may read what people wrote and who they are; each such read is audited
PERSONAL = (Role.AGENT, Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": ComplaintIn.model_json_schema(ref_template="#/components/schemas/{model}")}
        },
    },
    "parameters": [IDEMPOTENCY_KEY],
}


async def _may_write(request: Request) -> None:
    """Declares the access of `receive`, which checks it itself: a dependency would cost a tenth of its time."""


_may_write.__redress_allows__ = WRITERS  # type: ignore[attr-defined]


@router.post(
    "/complaints",
    status_code=201,
    response_model=ReceiptOut,
    responses=documented(IdempotencyKeyReused, ChannelRefConflict, TicketUnknown, TooLarge) | {201: REPLAYED},
    openapi_extra=_BODY,
    dependencies=[Depends(_may_write)],
)
@direct
async def receive(request: Request) -> Response:
    """Take in a complaint; repeated with the same `Idempotency-Key` or `channel_ref`, it answers the same.

    201 means that the complaint is durably kept.
    """
    authenticator: Authenticator = request.app.state.authenticator
    principal = await authenticator.principal(request)
    if not principal.has(*WRITERS):
        raise Forbidden(f"This needs one of: {', '.join(WRITERS)}.")
    key = idempotency_key(request)
    body = parse(COMPLAINT, await request.body())
    return await take(request, principal, body.to_domain(), body, key=key)


@router.get(
    "/complaints/{id}",
    response_model=ComplaintOut,
    response_model_exclude_unset=True,
    responses=documented(NotFound, Erased),
)
async def read(
    id: str,
    request: Request,
    tx: Tx,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow(Scope.READ, *PERSONAL, Role.MANAGER, Role.ADMIN))],
) -> dict[str, Any]:
    """A complaint and how it stands. A channel's key sees its own channels' complaints, without personal data; staff
    whose work needs it see what was said and by whom, and that they looked is audited."""
    complaint, progress = await usecases.read(tx, id)
    if principal.channels and complaint.channel not in principal.channels:
        raise NotFound("No complaint has this id.")
    found = usecases.view(complaint, progress) | {"message_count": await correspondence.message_count(tx, id)}
    if principal.has(*PERSONAL):
        desk: Desk = request.app.state.desk
        audit.add(tx, principal.id, "complaint.read", id, now=clock())
        if not complaint.wrapped_key:
            return found | {"erased": True}
        found |= desk.content(complaint) | {"complainant": desk.person(complaint) or {"anonymous": True}}
    return found
