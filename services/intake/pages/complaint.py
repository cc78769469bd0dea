"""The page of one complaint: what was said and by whom, what was written since, what went out, what may be the same
matter. And the same as a part of another service's page, for whoever handles the case there.

Personal data is shown to those whose work needs it, and each reading is audited as that of the API is.
"""

import secrets
from collections.abc import Sequence
from typing import Annotated, Any, get_args

import orjson
from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from services.intake.api.complaint import PERSONAL
from services.intake.api.taking import actor
from services.intake.domain.complaint import IdempotencyKeyReused
from services.intake.domain.linking import State, Verb
from services.intake.domain.voice import MESSAGE_LIMIT, deadline_state
from services.intake.pages.common import NAMES, Id, desk_of, here, moment, not_kept, tabs
from services.intake.schemas.tracking import MessageIn
from services.intake.store import attachment, correspondence, privacy, voice
from services.intake.store.complaint import Complaint, Progress
from services.intake.usecases import complaint as complaints
from services.intake.usecases import correspondence as messages
from services.intake.usecases import dispatch as dispatches
from services.intake.usecases import letter as letters
from services.intake.usecases import link as links
from services.intake.usecases import privacy as protection
from services.intake.usecases import voice as voices
from services.intake.usecases.attachment import Files
from services.intake.usecases.complaint import Desk
from shared import audit, i18n
from shared.clock import Clock
from shared.errors import Conflict, NotFound, Refused
from shared.i18n import Translator
from shared.security.principal import Principal, Role
from shared.web import pages
from shared.web.access import allow
from shared.web.app import ClockDep, Tx
from shared.web.forms import NOTHING, Filled, back, given, kept, model
from shared.web.router import Router
from shared.web.session import local

router = Router(include_in_schema=False)
WORKERS = (Role.AGENT, Role.OFFICER, Role.SUPERVISOR)
"""Who may write to the complainant, decide on links, and see to what could not be sent."""
_KNOWING = (Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR)  # of a vulnerability
_MESSAGES = 100  # shown; a longer correspondence shows its end
_DISPATCHES = 20
Reader = Annotated[Principal, Depends(allow(*PERSONAL))]
Worker = Annotated[Principal, Depends(allow(*WORKERS, own_form=True))]
Back = Annotated[str, Query(max_length=500)]


@router.get("/complaints/{id}", response_class=HTMLResponse)
async def show(id: Id, request: Request, principal: Reader, tx: Tx, clock: ClockDep) -> Response:
    """The whole complaint."""
    return await _page(request, principal, tx, clock, id, NOTHING)


@router.get("/parts/complaints/{id}", response_class=HTMLResponse)
async def part(id: Id, request: Request, principal: Reader, tx: Tx, clock: ClockDep, back: Back = "") -> Response:
    """Who complains, in their own words, and the messages, without a frame. What is written there leads to `back`."""
    found = await _context(request, principal, tx, clock, id)
    return pages.render(request, "complaint_part.html", **found, filled=NOTHING, names=NAMES, back=local(back, ""))


async def _page(
    request: Request, principal: Principal, tx: AsyncSession, clock: Clock, id: str, filled: Filled
) -> Response:
    found = await _context(request, principal, tx, clock, id)
    more = await _more(request, principal, tx, clock, found["complaint_row"]) if not found["erased"] else {}
    return pages.render(
        request,
        "complaint.html",
        422 if filled.wrong else 200,
        **found,
        **more,
        filled=filled,
        names=NAMES,
        kept=kept(request),
        back=local(filled.given.get("back", ""), ""),
        tabs=tabs(pages.translator(request), principal, ""),
        **here(request, f"/complaints/{id}"),
    )


async def _context(request: Request, principal: Principal, tx: AsyncSession, clock: Clock, id: str) -> dict[str, Any]:
    """What page and part show. Raises NotFound."""
    complaint, progress = await complaints.read(tx, id)
    desk, now, t = desk_of(request), clock(), pages.translator(request)
    audit.add(tx, principal.id, "complaint.read", id, now=now)
    found: dict[str, Any] = {
        "complaint_row": complaint,
        "complaint": _standing(t, complaint, progress, clock),
        "erased": not complaint.wrapped_key,
        "works": principal.has(*WORKERS),
    }
    if found["erased"]:
        return found
    person, content = desk.person(complaint), desk.content(complaint)
    thread = await _thread(tx, desk, complaint)
    if thread:
        audit.add(tx, actor(principal), "messages.read", id, now=now)
    return found | {
        "person": person,
        "content": content,
        "facts": _facts(content),
        "vulnerabilities": await _vulnerabilities(tx, desk, complaint, principal, clock),
        "thread": thread[-_MESSAGES:],
        "cut": len(thread) > _MESSAGES,
        "message_limit": MESSAGE_LIMIT,
        "key": secrets.token_hex(16),
        "may_track": f"{request.app.state.public_url}/track/{complaint.reference}",
    }


def _standing(t: Translator, complaint: Complaint, progress: Progress | None, clock: Clock) -> dict[str, Any]:
    found, now = complaints.view(complaint, progress), clock()
    found["received_at"] = complaint.received_at
    found["occurred_at"] = complaint.occurred_at
    found["amount"] = None
    if complaint.amount is not None and complaint.currency:
        found["amount"] = i18n.money(complaint.amount, complaint.currency, t.language)
    found["deadlines"] = [
        {
            "step": one["step"],
            "due_at": moment(one["due_at"]),
            "state": deadline_state(one["state"], moment(one["due_at"]) or now, now=now),
        }
        for one in found["deadlines"]
    ]
    return found


def _facts(content: dict[str, Any]) -> list[tuple[str, str]]:
    """What the channel told besides, as far as it can be read as a line; a transcript is for the API."""
    every = {**(content.get("detail") or {}), **(content.get("facts") or {})}
    return [(name, str(value)) for name, value in every.items() if isinstance(value, str | int | float) and value != ""]


async def _thread(tx: AsyncSession, desk: Desk, complaint: Complaint) -> list[dict[str, Any]]:
    return [
        messages.view(one) | {"at": one.created_at} | messages.opened(desk, complaint, one)
        for one in await correspondence.latest_messages(tx, complaint.id, _MESSAGES + 1)
    ]


async def _vulnerabilities(
    tx: AsyncSession, desk: Desk, complaint: Complaint, principal: Principal, clock: Clock
) -> list[dict[str, Any]]:
    """Those in force, where there are any and the reader may know."""
    if not principal.has(*_KNOWING) or not await privacy.vulnerabilities(tx, complaint.id):
        return []
    found = await protection.read_vulnerabilities(tx, desk, complaint.id, actor=principal.id, now=clock())
    return [one for one in found if one["lifted_at"] is None]


async def _more(
    request: Request, principal: Principal, tx: AsyncSession, clock: Clock, complaint: Complaint
) -> dict[str, Any]:
    """What the page shows besides."""
    desk, files, id, now = desk_of(request), request.app.state.files, complaint.id, clock()
    came = [files.view(row, public_url="") | {"at": row.created_at} for row in await attachment.of_complaint(tx, id)]
    written = await letters.letters(tx, desk, complaint)
    for there, action in ((came, "files.read"), (written, "letters.read")):
        if there:
            audit.add(tx, principal.id, action, id, now=now)
    sent = await correspondence.dispatches(tx, state=None, complaint_id=id, before=None, limit=_DISPATCHES)
    seen, governs_from = await links.of_complaint(tx, id)
    rating, withdrawal = await tx.get(voice.Rating, id), await tx.get(voice.Withdrawal, id)
    key = desk.data_key(complaint)
    return {
        "files": came,
        "letters": [letters.view(one) | {"issued_on": one.issued_on} for one in written],
        "dispatches": [dispatches.dispatch_view(one) | {"at": one.created_at} for one in sent],
        "links": _links(seen, id),
        "governs_from": governs_from if governs_from != complaint.received_at else None,
        "rating": None if rating is None else voices.rated_view(desk, complaint, rating),
        "rated_at": rating.rated_at if rating else None,
        "disputes": [
            {"at": one.disputed_at, "grounds": key.open(f"dispute:{one.id}", one.sealed_grounds).decode()}
            for one in await voice.disputes(tx, id)
        ],
        "withdrawal": None
        if withdrawal is None
        else {
            "at": withdrawal.withdrawn_at,
            "reason": key.open("withdrawal", withdrawal.sealed_reason).decode() if withdrawal.sealed_reason else "",
        },
    }


def _links(seen: Sequence[links.Seen], id: str) -> list[dict[str, Any]]:
    found = []
    for one in seen:
        other = one.later if one.earlier.id == id else one.earlier
        found.append(
            {
                "id": one.link.id,
                "state": one.link.state,
                "score": one.link.score,
                "reasons": orjson.loads(one.link.reasons),
                "other": other,
                "decided_by": one.link.decided_by,
            }
        )
    return found


@router.get("/complaints/{id}/files/{file}", response_class=HTMLResponse)
async def open_file(id: Id, file: Id, request: Request, principal: Reader, tx: Tx, clock: ClockDep) -> Response:
    """A file that came with the complaint, by a link that is made now: it never has to be older than the click."""
    files: Files = request.app.state.files
    for row in await attachment.of_complaint(tx, id):
        if row.id == file and (address := files.view(row, public_url=pages.root_of(request))["url"]):
            audit.add(tx, principal.id, "file.opened", id, now=clock(), detail={"file": file})
            return RedirectResponse(address, 303)
    raise NotFound("This complaint has no such file that could be opened.")


@router.post("/complaints/{id}/messages", response_class=HTMLResponse)
async def write(id: Id, request: Request, principal: Worker, tx: Tx, clock: ClockDep) -> Response:
    """Write to the complainant; the same form sent twice is one message."""
    sent = await given(request)
    key = sent.get("key", "")
    try:
        body = model(MessageIn, {"text": sent.get("message"), "subject": sent.get("subject")})
        complaint, _ = await complaints.read(tx, id)
        await messages.write(
            tx,
            desk_of(request),
            complaint,
            direction="out",
            author="staff",
            subject=body.subject,
            text=body.text,
            key=key if key.isalnum() and len(key) <= 64 else None,
            actor=actor(principal),
            now=clock(),
        )
    except (Refused, Conflict) as error:
        if isinstance(error, IdempotencyKeyReused):
            del sent["key"]  # what is sent now is another message
        filled = not_kept(pages.translator(request), "message", sent, error)
        filled = Filled(filled.form, filled.given, {_FIELDS.get(n, n): why for n, why in filled.wrong.items()})
        return await _page(request, principal, tx, clock, id, filled)
    if there := local(sent.get("back", ""), ""):
        return RedirectResponse(there, 303)
    return back(request, f"/complaints/{id}", "messages")


_FIELDS = {"text": "message"}


@router.post("/complaints/{id}/links/{link}/{verb}", response_class=HTMLResponse)
async def decide(
    id: Id, link: Id, verb: Verb, request: Request, principal: Worker, tx: Tx, clock: ClockDep
) -> Response:
    """Say whether two complaints are one matter, or take that back."""
    sent = await given(request)
    expected: State | None = next((one for one in get_args(State) if one == sent.get("expected")), None)
    try:
        await links.decide(tx, link, verb, expected=expected, actor=actor(principal), now=clock())
    except (Refused, Conflict) as error:
        filled = not_kept(pages.translator(request), "link", sent, error)
        return await _page(request, principal, tx, clock, id, filled)
    return back(request, f"/complaints/{id}", "links")


@router.post("/complaints/{id}/dispatches/{dispatch}/{verb}", response_class=HTMLResponse)
async def see_to(
    id: Id, dispatch: Id, verb: str, request: Request, principal: Worker, tx: Tx, clock: ClockDep
) -> Response:
    """Send again what could not be sent (`retry`), or say that it was seen to another way (`settle`)."""
    acts = {"retry": dispatches.retry, "settle": dispatches.settle}
    if verb not in acts:
        raise NotFound
    await given(request)
    try:
        await acts[verb](tx, dispatch, actor=principal.id, now=clock())
    except Conflict as error:
        filled = not_kept(pages.translator(request), "dispatch", {}, error)
        return await _page(request, principal, tx, clock, id, filled)
    return back(request, f"/complaints/{id}", "sent")
