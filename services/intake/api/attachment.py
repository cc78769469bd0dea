"""Routes for files: up as a stream, down by a signed link that soon ends."""

from typing import Annotated, Any
from urllib.parse import quote, unquote

from fastapi import Depends, Header, Query, Request
from fastapi.responses import StreamingResponse

from services.intake.api.taking import WRITERS, actor
from services.intake.domain.attachment import FileRefused, TicketUnknown
from services.intake.domain.complaint import Erased
from services.intake.schemas.attachment import AttachIn, AttachmentsOut, UploadOut
from services.intake.store import attachment as store
from services.intake.usecases.attachment import Files
from services.intake.usecases.complaint import read
from shared import audit
from shared.errors import NotFound, TooLarge
from shared.security.principal import Principal, Role
from shared.web.access import allow, public
from shared.web.app import ClockDep, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1", tags=["files"])
UPLOADS = "/v1/uploads"
_STAFF = (Role.AGENT, Role.OFFICER, Role.SUPERVISOR)
Uploader = Annotated[Principal, Depends(allow(*WRITERS))]
Handler = Annotated[Principal, Depends(allow(*_STAFF))]
Reader = Annotated[Principal, Depends(allow(*_STAFF, Role.AUDITOR))]
_CONTENT = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
BINARY = {"requestBody": {"required": True, "content": _CONTENT}}
FileName = Annotated[
    str, Header(max_length=1000, description="Percent-encoded UTF-8", examples=["bill%20%E6%94%B6.pdf"])
]


@router.post(
    "/uploads",
    status_code=201,
    response_model=UploadOut,
    responses=documented(FileRefused, TooLarge),
    openapi_extra=BINARY,
)
async def upload(request: Request, principal: Uploader, x_file_name: FileName = "file") -> dict[str, Any]:
    """Take a file as it is, of any size up to the limit, for a complaint that is sent afterwards. What is in it must be
    what `Content-Type` says."""
    files: Files = request.app.state.files
    media_type = request.headers.get("content-type", "")
    taken = await files.upload(request.stream(), unquote(x_file_name), media_type, actor(principal))
    return files.view(taken.row, public_url=request.app.state.public_url) | {"ticket": taken.ticket}


@router.post(
    "/complaints/{id}/attachments",
    response_model=AttachmentsOut,
    responses=documented(NotFound, TicketUnknown, Erased),
)
async def attach(
    id: str, body: AttachIn, request: Request, principal: Handler, tx: Tx, clock: ClockDep
) -> dict[str, Any]:
    """Give uploaded files to a complaint; all of its files."""
    complaint, _ = await read(tx, id)
    if not complaint.wrapped_key:
        raise Erased
    files: Files = request.app.state.files
    await files.attach(tx, body.attachments, id)
    audit.add(tx, principal.id, "files.added", id, now=clock(), detail={"count": len(body.attachments)})
    public_url = request.app.state.public_url
    return {"items": [files.view(row, public_url=public_url) for row in await store.of_complaint(tx, id)]}


@router.get("/complaints/{id}/attachments", response_model=AttachmentsOut, responses=documented(NotFound))
async def attachments(id: str, request: Request, tx: Tx, clock: ClockDep, principal: Reader) -> dict[str, Any]:
    """The files of a complaint. Names and links are personal data: that they were read is audited."""
    await read(tx, id)
    audit.add(tx, principal.id, "files.read", id, now=clock())
    files: Files = request.app.state.files
    public_url = request.app.state.public_url
    return {"items": [files.view(row, public_url=public_url) for row in await store.of_complaint(tx, id)]}


@router.get(
    "/files/{id}",
    response_class=StreamingResponse,
    responses=documented(NotFound) | {200: {"content": {"application/octet-stream": {}}, "description": "The file"}},
    dependencies=[Depends(public())],
)
async def download(
    id: str,
    request: Request,
    tx: Tx,
    clock: ClockDep,
    expires: Annotated[int, Query(ge=0, le=2**40)] = 0,
    signature: Annotated[str, Query(max_length=100)] = "",
) -> StreamingResponse:
    """What a link opens. It is only ever saved, never shown by the browser. That it was opened is audited."""
    files: Files = request.app.state.files
    row = await files.opened(tx, id, expires, signature)
    audit.add(tx, "link", "file.downloaded", row.complaint_id or id, now=clock(), detail={"file": id})
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(files.name(row), safe='')}",
        "Content-Length": str(row.size),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    return StreamingResponse(files.content(row), headers=headers, media_type="application/octet-stream")
