"""The complainant's side of a complaint, opened by reference and token; and staff's side of the correspondence."""

from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Header, Query, Request

from services.intake.api.attachment import BINARY, FileName
from services.intake.api.complaint import PERSONAL
from services.intake.api.taking import actor, idempotency_key
from services.intake.domain.attachment import FileRefused
from services.intake.domain.complaint import Erased, IdempotencyKeyInvalid, IdempotencyKeyReused
from services.intake.domain.voice import AlreadyDisputed, NotDisputable, NotRateable, NotWithdrawable
from services.intake.schemas.tracking import (
    DisputeIn,
    DisputeOut,
    FilesOut,
    MessageIn,
    MessageOut,
    MessagePage,
    RatingIn,
    RatingOut,
    StaffMessageOut,
    TrackedOut,
    WithdrawalIn,
    WithdrawalOut,
)
from services.intake.usecases import complaint as complaints
from services.intake.usecases import correspondence, evidence
from services.intake.usecases import voice as usecases
from services.intake.usecases.attachment import Files
from services.intake.usecases.complaint import Desk
from services.intake.usecases.evidence import TooManyFiles
from services.intake.usecases.voice import Rated
from shared.clock import Clock, rfc3339
from shared.errors import NotFound, TooLarge
from shared.security.principal import Principal, Role
from shared.web.access import allow, public
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router: APIRouter = Router(prefix="/v1")

# who may write to the complainant; each reading and each message is audited
_CORRESPONDENTS = (Role.AGENT, Role.OFFICER, Role.SUPERVISOR)
_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "One key a message; repeat the request with it as often as need be.",
}
_ANYBODY: dict[str, Any] = {"tags": ["tracking"], "dependencies": [Depends(public())]}
Token = Annotated[str, Header(alias="X-Tracking-Token", max_length=100)]


@router.get(
    "/track/{reference}",
    tags=["complaints"],
    response_model=TrackedOut,
    responses=documented(NotFound),
    dependencies=[Depends(public())],
)
async def track(
    reference: str,
    request: Request,
    tx: Reading,
    clock: ClockDep,
    token: Annotated[str, Query(max_length=100)] = "",
    x_tracking_token: Annotated[str, Header(max_length=100)] = "",
) -> dict[str, Any]:
    """The complainant's view of their complaint, opened by the tracking token of the receipt."""
    return await seen(request, tx, reference, x_tracking_token or token, clock)


async def seen(request: Request, tx: Reading, reference: str, token: str, clock: Clock) -> dict[str, Any]:
    """What the complainant sees. Raises NotFound."""
    state = request.app.state
    found = await usecases.track(tx, state.desk, reference, token)
    settings = state.settings
    default: str = settings.default_jurisdiction
    return await usecases.view(
        tx, state.desk, state.files, found, default, now=clock(), zone=settings.zone, public_url=state.public_url
    )


@router.post(
    "/track/{reference}/messages",
    status_code=201,
    response_model=MessageOut,
    responses=documented(NotFound, IdempotencyKeyReused, IdempotencyKeyInvalid, Erased),
    openapi_extra={"parameters": [_KEY]},
    **_ANYBODY,
)
async def write(
    reference: str, body: MessageIn, request: Request, tx: Tx, clock: ClockDep, token: Token = ""
) -> dict[str, Any]:
    """Send the bank a message about the complaint; sent again under the same `Idempotency-Key`, it is one message."""
    key = idempotency_key(request)
    message = await usecases.write(
        tx, _desk(request), reference, token, body.text, subject=body.subject, key=key, now=clock()
    )
    return correspondence.view(message) | body.model_dump()


@router.post(
    "/track/{reference}/files",
    status_code=201,
    response_model=FilesOut,
    responses=documented(NotFound, FileRefused, TooManyFiles, TooLarge),
    openapi_extra=BINARY,
    **_ANYBODY,
)
async def add_file(
    reference: str, request: Request, clock: ClockDep, token: Token = "", x_file_name: FileName = "file"
) -> dict[str, Any]:
    """Add a file, as it is; the complainant's own files. Added before, it is not added twice."""
    state = request.app.state
    async with state.db.reading() as tx:  # nobody else's bytes are taken in
        await state.desk.track(tx, reference, token)
    media_type = request.headers.get("content-type", "")
    files: Files = state.files
    one = await files.upload(request.stream(), unquote(x_file_name), media_type, evidence.OWN)
    async with state.db.transaction() as tx:
        rows = await evidence.add(tx, state.desk, files, reference, token, [one], now=clock())
        return {"items": [usecases.file_view(files, row, public_url=state.public_url) for row in rows]}


@router.post(
    "/track/{reference}/withdraw",
    response_model=WithdrawalOut,
    responses=documented(NotFound, NotWithdrawable, Erased),
    **_ANYBODY,
)
async def withdraw(
    reference: str, body: WithdrawalIn, request: Request, tx: Tx, clock: ClockDep, token: Token = ""
) -> dict[str, str]:
    """Take the complaint back. Withdrawn already, it answers the same."""
    withdrawal = await usecases.withdraw(tx, _desk(request), reference, token, body.reason, now=clock())
    return {"withdrawn_at": rfc3339(withdrawal.withdrawn_at)}


@router.post(
    "/track/{reference}/rate",
    response_model=RatingOut,
    responses=documented(NotFound, NotRateable, Erased),
    **_ANYBODY,
)
async def rate(
    reference: str, body: RatingIn, request: Request, tx: Tx, clock: ClockDep, token: Token = ""
) -> dict[str, Any]:
    """Say how satisfied you are. A later rating replaces an earlier one; the same again answers the same."""
    rating = await usecases.rate(tx, _desk(request), reference, token, Rated(**body.model_dump()), now=clock())
    return body.model_dump() | {"at": rfc3339(rating.rated_at)}


@router.post(
    "/track/{reference}/dispute",
    response_model=DisputeOut,
    responses=documented(NotFound, NotDisputable, AlreadyDisputed, Erased),
    **_ANYBODY,
)
async def dispute(
    reference: str, body: DisputeIn, request: Request, tx: Tx, clock: ClockDep, token: Token = ""
) -> dict[str, Any]:
    """Not accept the outcome: somebody else at the bank looks again. The same grounds again answer the same."""
    made = await usecases.dispute(tx, _desk(request), reference, token, body.grounds, now=clock())
    return {"id": made.id, "at": rfc3339(made.disputed_at), "outcome": made.outcome, "grounds": body.grounds}


# --- staff ---


@router.get(
    "/complaints/{id}/messages",
    tags=["complaints"],
    response_model=MessagePage,
    responses=documented(NotFound, Erased),
)
async def read_messages(
    id: str,
    request: Request,
    tx: Tx,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow(*PERSONAL))],
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=36, pattern=r"^[0-9a-f-]*$")] = "",
) -> dict[str, Any]:
    """What was written about a complaint, both ways, oldest first. That it was read is audited."""
    found, following = await correspondence.read_messages(
        tx, _desk(request), id, after=cursor, limit=limit, actor=actor(principal), now=clock()
    )
    return {"items": found, "next": following}


@router.post(
    "/complaints/{id}/messages",
    tags=["complaints"],
    status_code=201,
    response_model=StaffMessageOut,
    responses=documented(NotFound, IdempotencyKeyReused, IdempotencyKeyInvalid, Erased),
    openapi_extra={"parameters": [_KEY]},
)
async def send_message(
    id: str,
    body: MessageIn,
    request: Request,
    tx: Tx,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow(*_CORRESPONDENTS))],
) -> dict[str, Any]:
    """Write to the complainant: it stands on their tracking page, and goes out by their preferred channel."""
    complaint, _ = await complaints.read(tx, id)
    message = await correspondence.write(
        tx,
        _desk(request),
        complaint,
        direction="out",
        author="staff",
        subject=body.subject,
        text=body.text,
        key=idempotency_key(request),
        actor=actor(principal),
        now=clock(),
    )
    return correspondence.view(message) | body.model_dump()


def _desk(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found
