"""Routes of the embedded form: its keys for admins, and what the form itself calls.

Open to everybody, so held: by sessions sealed for one form, the Origin that browsers tell, a proof of work for each
complaint, a trap field, the time a person needs, and limits by address.
"""

from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from fastapi import Depends, Header, Request, Response

from services.intake.api.attachment import BINARY, FileName
from services.intake.api.taking import IDEMPOTENCY_KEY, REPLAYED, idempotency_key, take
from services.intake.domain.attachment import FileRefused, TicketUnknown
from services.intake.domain.complaint import IdempotencyKeyInvalid, IdempotencyKeyReused
from services.intake.domain.form import (
    IdentityRefused,
    LookInvalid,
    LooksAutomatic,
    OriginInvalid,
    OriginNotAllowed,
    ProofMissing,
    SessionEnded,
    check_human,
    is_solved,
)
from services.intake.schemas.attachment import UploadOut
from services.intake.schemas.complaint import ReceiptOut
from services.intake.schemas.form import (
    FormComplaintIn,
    FormIn,
    FormOut,
    FormsOut,
    IdentitySecretOut,
    NewFormOut,
    SessionIn,
    SessionOut,
)
from services.intake.store import caller as store
from services.intake.usecases import form as usecases
from services.intake.usecases.attachment import Files
from shared.errors import FieldError, Invalid, NotFound, TooLarge
from shared.security.principal import Principal, Role
from shared.web.access import allow, public
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1", tags=["form"])
UPLOADS = "/v1/form/uploads"
Admin = Annotated[Principal, Depends(allow(Role.ADMIN))]
SessionHeader = Annotated[str, Header(max_length=8000, description="What `POST /v1/form/sessions` gave")]


def own_origin(request: Request) -> str:
    """The origin under which people's browsers know intake."""
    parts = urlsplit(request.app.state.public_url)
    return f"{parts.scheme}://{parts.netloc}"


async def from_our_own_page(request: Request) -> None:
    """The form calls from its own frame, which is ours wherever it stands; browsers tell by Fetch Metadata, older ones
    by Origin, callers that are no browsers not at all. Raises OriginNotAllowed."""
    if request.method == "GET":
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site != "same-origin":
            raise OriginNotAllowed
        return
    origin = request.headers.get("origin")
    here = f"{request.url.scheme}://{request.url.netloc}"
    if origin is not None and origin not in (own_origin(request), here):
        raise OriginNotAllowed


_OPEN = [Depends(public()), Depends(from_our_own_page)]


# --- keys, for admins ---


@router.post("/forms", status_code=201, response_model=NewFormOut, responses=documented(OriginInvalid, LookInvalid))
async def create(body: FormIn, request: Request, tx: Tx, clock: ClockDep, principal: Admin) -> dict[str, Any]:
    """A new form, for the pages of the origins named. Its key is no secret; the identity secret is, and belongs in the
    bank's backend."""
    made, secret = usecases.create(
        tx,
        request.app.state.desk.keys,
        body.name,
        body.channel,
        body.origins,
        body.look.to_domain(),
        actor=principal.id,
        now=clock(),
    )
    return usecases.form_view(made) | {"identity_secret": secret}


@router.get("/forms", response_model=FormsOut, responses=documented())
async def list_forms(tx: Reading, principal: Admin) -> dict[str, Any]:
    """All forms, the oldest first."""
    return {"items": [usecases.form_view(one) for one in await store.forms(tx)]}


@router.put("/forms/{id}", response_model=FormOut, responses=documented(NotFound, OriginInvalid, LookInvalid))
async def change(id: str, body: FormIn, tx: Tx, clock: ClockDep, principal: Admin) -> dict[str, Any]:
    """Other origins or another look; it holds from the next time the form is opened."""
    found = await usecases.change(
        tx, id, body.name, body.channel, body.origins, body.look.to_domain(), actor=principal.id, now=clock()
    )
    return usecases.form_view(found)


@router.post("/forms/{id}/rotate", response_model=IdentitySecretOut, responses=documented(NotFound))
async def rotate(id: str, request: Request, tx: Tx, clock: ClockDep, principal: Admin) -> dict[str, str]:
    """A new identity secret. What the old one signed is refused from now on; open forms begin a new session."""
    keys = request.app.state.desk.keys
    return {"identity_secret": await usecases.rotate(tx, keys, id, actor=principal.id, now=clock())}


@router.delete("/forms/{id}", status_code=204, responses=documented(NotFound))
async def revoke(id: str, tx: Tx, clock: ClockDep, principal: Admin) -> None:
    """Close the form for good. Complaints sent by it stay."""
    await usecases.revoke(tx, id, actor=principal.id, now=clock())


# --- what the form calls ---


@router.post(
    "/form/sessions",
    status_code=201,
    response_model=SessionOut,
    responses=documented(NotFound, OriginNotAllowed, IdentityRefused),
    dependencies=_OPEN,
)
async def begin(body: SessionIn, request: Request, tx: Reading, clock: ClockDep) -> dict[str, Any]:
    """Open a form, for two hours."""
    state = request.app.state
    form = await usecases.live(tx, body.key)
    session, sealed = usecases.begin(form, state.desk.keys, body.identity, now=clock())
    return {
        "session": sealed,
        "seed": session.seed,
        "bits": state.settings.form_proof_bits,
        "expires_at": usecases.ends(session),
        "signed_in_as": session.person["name"] if session.person else None,
    }


@router.post(
    "/form/uploads",
    status_code=201,
    response_model=UploadOut,
    responses=documented(FileRefused, TooLarge, SessionEnded, OriginNotAllowed),
    openapi_extra=BINARY,
    dependencies=_OPEN,
)
async def upload(
    request: Request, clock: ClockDep, x_form_session: SessionHeader, x_file_name: FileName = "file"
) -> dict[str, Any]:
    """Take a file for the complaint that this session will send."""
    state = request.app.state
    async with state.db.reading() as tx:  # not for as long as the file takes
        form, _ = await usecases.resume(tx, state.desk.keys, x_form_session, now=clock())
    files: Files = state.files
    media_type = request.headers.get("content-type", "")
    taken = await files.upload(request.stream(), unquote(x_file_name), media_type, f"form:{form.id}")
    return files.view(taken.row, public_url=state.public_url) | {"ticket": taken.ticket}


@router.post(
    "/form/complaints",
    status_code=201,
    response_model=ReceiptOut,
    responses=documented(
        IdempotencyKeyReused,
        IdempotencyKeyInvalid,
        ProofMissing,
        LooksAutomatic,
        SessionEnded,
        OriginNotAllowed,
        TicketUnknown,
        TooLarge,
    )
    | {201: REPLAYED},
    openapi_extra={"parameters": [IDEMPOTENCY_KEY | {"required": True}]},
    dependencies=_OPEN,
)
async def send(
    body: FormComplaintIn,
    request: Request,
    clock: ClockDep,
    x_form_session: SessionHeader,
    x_form_proof: Annotated[str, Header(max_length=40, description="The nonce that solves the session's puzzle")] = "",
) -> Response:
    """Take in what somebody wrote into the form. Repeated with the same `Idempotency-Key`, it answers the same."""
    state = request.app.state
    key = idempotency_key(request)
    if key is None:
        raise IdempotencyKeyInvalid
    async with state.db.reading() as tx:
        form, session = await usecases.resume(tx, state.desk.keys, x_form_session, now=clock())
    check_human(session, body.website, now=clock())
    if not is_solved(session.seed, key, x_form_proof, state.settings.form_proof_bits):
        raise ProofMissing
    return await take_from(request, form, session.person, body, key)


async def take_from(
    request: Request, form: store.FormKey, person: dict[str, str] | None, body: FormComplaintIn, key: str
) -> Response:
    """Take in a complaint of `form`. Raises Invalid, and what `take` raises."""
    if person is None and (missing := body.missing()):
        errors = tuple(FieldError(f"/{name}", "is needed, or anonymous: true", "missing") for name in missing)
        raise Invalid("Some values cannot be taken; see errors.", errors=errors)
    sender = Principal(id=f"form:{form.id}", channels=frozenset((form.channel,)))
    return await take(request, sender, body.to_domain(form.channel, form.id, person), body, key=key)
