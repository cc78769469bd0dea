"""Letters of a case: looked at before they go, issued, and read again, as text and on paper."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, Header, Path, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.routing import store
from services.routing.api.cases import ComplaintId, version_of
from services.routing.api.context import Rules, actor_of
from services.routing.domain.case import (
    CaseNotFound,
    ConflictOfInterest,
    NotAssignee,
    VerbNotAllowed,
)
from services.routing.letters import Kind, Language, LetterIncomplete, MandatoryTextMissing
from services.routing.usecases import letters
from services.routing.usecases.letters import LetterNotFound
from shared import audit
from shared.errors import PreconditionFailed
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/cases/{complaint_id}/letters", tags=["letters"])
_WRITERS = (Role.OFFICER, Role.SUPERVISOR)
_READERS = (*_WRITERS, Role.AUDITOR)
LetterId = Annotated[str, Path(max_length=36, pattern=r"^[0-9a-f-]+$")]
_PDF: dict[int | str, dict[str, Any]] = {200: {"content": {"application/pdf": {}}, "description": "The letter, A4"}}


def _desk(request: Request) -> letters.Desk:
    found: letters.Desk = request.app.state.letters
    return found


Bank = Annotated[letters.Desk, Depends(_desk)]


class LetterIn(BaseModel):
    """What a letter is to say beside what the case holds. `{complainant}` in a body stands for the name, which intake
    puts in. `body` replaces the composed text; it must still hold what the law wants."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    language: Language | None = None
    explanation: Annotated[str | None, Field(min_length=1, max_length=10_000)] = None
    reply_by: date | None = None
    adr_body: Annotated[str | None, Field(max_length=500)] = None
    term_passed: bool = False
    body: Annotated[str | None, Field(min_length=1, max_length=20_000)] = None

    def draft(self) -> letters.Draft:
        return letters.Draft(**self.model_dump())


class PreviewOut(BaseModel):
    kind: Kind
    language: Language
    subject: str
    body: str
    template: str


class LetterOut(BaseModel):
    """A letter. `state`: issued, then sent or failed, as intake tells."""

    id: str
    kind: str
    language: str
    template: str
    subject: str
    body: str
    issued_by: str
    issued_at: AwareDatetime
    state: Literal["issued", "sent", "failed"]
    via: str | None
    reason: str | None
    settled_at: AwareDatetime | None


@router.post(
    "/preview", response_model=PreviewOut, responses=documented(CaseNotFound, LetterIncomplete, MandatoryTextMissing)
)
async def preview(
    complaint_id: ComplaintId,
    body: LetterIn,
    tx: Reading,
    rulebook: Rules,
    bank: Bank,
    _: Annotated[Principal, Depends(allow(*_WRITERS))],
) -> dict[str, Any]:
    """The letter as it would be issued; nothing is stored."""
    made = await letters.preview(tx, complaint_id, body.draft(), bank, rulebook)
    return {
        **{name: getattr(made, name) for name in ("kind", "language", "subject", "body")},
        "template": made.template_version,
    }


@router.post(
    "/preview.pdf",
    response_class=Response,
    responses=_PDF | documented(CaseNotFound, LetterIncomplete, MandatoryTextMissing),
)
async def preview_pdf(
    complaint_id: ComplaintId,
    body: LetterIn,
    tx: Reading,
    clock: ClockDep,
    rulebook: Rules,
    bank: Bank,
    _: Annotated[Principal, Depends(allow(*_WRITERS))],
) -> Response:
    """The letter on paper as it would be issued, addressed to a customer: the name is known to intake alone."""
    made = await letters.preview(tx, complaint_id, body.draft(), bank, rulebook)
    row = (await store.cases(tx, [complaint_id]))[complaint_id]
    paper = await letters.paper(made.subject, made.body, made.language, row.reference, clock(), bank)
    return Response(paper, media_type="application/pdf")


@router.post(
    "",
    response_model=LetterOut,
    status_code=201,
    responses=documented(
        CaseNotFound,
        LetterIncomplete,
        MandatoryTextMissing,
        VerbNotAllowed,
        NotAssignee,
        ConflictOfInterest,
        PreconditionFailed,
    ),
)
async def issue(
    complaint_id: ComplaintId,
    body: LetterIn,
    tx: Tx,
    clock: ClockDep,
    rulebook: Rules,
    bank: Bank,
    principal: Annotated[Principal, Depends(allow(*_WRITERS))],
    if_match: Annotated[str | None, Header(max_length=40)] = None,
) -> dict[str, Any]:
    """Issue the letter: intake sends it in the complainant's own way, and the case takes the step that it is."""
    made = await letters.issue(
        tx,
        complaint_id,
        body.draft(),
        bank,
        actor=await actor_of(tx, principal),
        rulebook=rulebook,
        version=version_of(if_match),
        now=clock(),
    )
    return letters.view(made)


@router.get("", response_model=list[LetterOut], responses=documented(CaseNotFound))
async def of_case(
    complaint_id: ComplaintId, tx: Tx, clock: ClockDep, principal: Annotated[Principal, Depends(allow(*_READERS))]
) -> list[dict[str, Any]]:
    """A case's letters, oldest first. Reading them is audited."""
    if not await store.cases(tx, [complaint_id]):
        raise CaseNotFound("No case has this complaint id.")
    audit.add(tx, principal.id, "case.letters_read", complaint_id, now=clock())
    return [letters.view(one) for one in await store.work.letters(tx, complaint_id)]


@router.get("/{letter_id}.pdf", response_class=Response, responses=_PDF | documented(CaseNotFound, LetterNotFound))
async def pdf(
    complaint_id: ComplaintId,
    letter_id: LetterId,
    tx: Tx,
    clock: ClockDep,
    bank: Bank,
    principal: Annotated[Principal, Depends(allow(*_READERS))],
) -> Response:
    """A letter on paper, addressed to a customer; with the name it is printed from intake. Reading it is audited."""
    row, letter = await letters.found(tx, complaint_id, letter_id)
    audit.add(tx, principal.id, "case.letters_read", complaint_id, now=clock(), detail={"letter": letter_id})
    return Response(await letters.pdf(letter, row.reference, bank), media_type="application/pdf")
