"""Routes for the letters that the bank has written: read them, print them."""

import asyncio
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request, Response

from services.intake.api.complaint import PERSONAL
from services.intake.domain.complaint import Erased
from services.intake.schemas.letter import LettersOut, OpenedLetterOut
from services.intake.usecases import letter as usecases
from services.intake.usecases.complaint import Desk, read
from shared import audit
from shared.errors import NotFound
from shared.security.principal import Principal
from shared.web.access import allow
from shared.web.app import ClockDep, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/complaints/{id}/letters", tags=["letters"])
Reader = Annotated[Principal, Depends(allow(*PERSONAL))]
_PDF: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("", response_model=LettersOut, responses=documented(NotFound, Erased))
async def letters(id: str, request: Request, tx: Tx, clock: ClockDep, principal: Reader) -> dict[str, Any]:
    """The letters of a complaint and how they fare. That they were looked at is audited."""
    complaint, _ = await read(tx, id)
    desk: Desk = request.app.state.desk
    found = await usecases.letters(tx, desk, complaint)
    audit.add(tx, principal.id, "letters.read", id, now=clock())
    return {"items": [usecases.view(one) for one in found]}


@router.get(
    "/{letter}.pdf",
    response_class=Response,
    responses=documented(NotFound, Erased) | _PDF,
)
async def printed(id: str, letter: str, request: Request, tx: Tx, clock: ClockDep, principal: Reader) -> Response:
    """A letter as PDF, with the name, to be printed and posted. That it was printed is audited."""
    found = await _opened(id, letter, request, tx)
    audit.add(tx, principal.id, "letter.printed", id, now=clock(), detail={"letter": letter})
    content = await asyncio.to_thread(found.pdf, request.app.state.bank_name)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.file_name, safe='')}"}
    return Response(content, headers=headers, media_type="application/pdf")


@router.get("/{letter}", response_model=OpenedLetterOut, responses=documented(NotFound, Erased))
async def open_one(
    id: str, letter: str, request: Request, tx: Tx, clock: ClockDep, principal: Reader
) -> dict[str, Any]:
    """A letter with its words. That it was read is audited."""
    found = await _opened(id, letter, request, tx)
    audit.add(tx, principal.id, "letter.read", id, now=clock(), detail={"letter": letter})
    return usecases.view(found) | {"text": found.text}


async def _opened(id: str, letter: str, request: Request, tx: Tx) -> usecases.Printable:
    complaint, _ = await read(tx, id)
    desk: Desk = request.app.state.desk
    return await usecases.letter(tx, desk, complaint, letter)
