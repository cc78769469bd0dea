"""What intake's pages for staff have in common: tabs, names of fields, and errors in words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.store.complaint import Complaint
from services.intake.usecases import search
from services.intake.usecases.complaint import Desk
from shared.errors import Conflict, FieldError, Invalid, NotFound, Refused
from shared.i18n import Translator, mark
from shared.security.principal import Principal, Role
from shared.web import pages
from shared.web.forms import FLAW, Filled, failed

Id = Annotated[str, Path(max_length=36, pattern=r"^[0-9a-f-]+$")]
Cursor = Annotated[str, Query(max_length=36, pattern=r"^[0-9a-f-]*$")]
SHOWN = 50
"""Rows on a page of a list."""

NAMES = {
    "reference": mark("Reference"),
    "by": mark("Look for"),
    "text": mark("What to look for"),
    "message": mark("Message"),
    "narrative": mark("What happened, in the complainant's words"),
    "name": mark("Name"),
    "phone": mark("Telephone number"),
    "email": mark("E-mail address"),
    "customer_no": mark("Customer number"),
    "preferred_channel": mark("How they would like to hear from us"),
    "anonymous": mark("The complainant does not want to be named"),
    "branch": mark("Branch"),
    "staff": mark("Your staff number"),
    "form_no": mark("Number of the form"),
    "taken_on": mark("Taken on"),
    "call_id": mark("Number of the call"),
    "register_no": mark("Number in the mail register"),
    "received_on": mark("Received on"),
    "dated": mark("Date of the letter"),
    "sender_address": mark("Address of the sender"),
    "body": mark("Regulator or ombudsman"),
    "matter": mark("Their number for the matter"),
    "due_on": mark("Reply due on"),
    "letter_text": mark("What they write"),
    "channel_ref": mark("Number in the other system"),
    "channel": mark("Channel"),
    "product": mark("Product"),
    "amount": mark("Amount in question"),
    "currency": mark("Currency"),
    "occurred_on": mark("When it happened"),
    "desired_outcome": mark("What the complainant wants"),
    "language": mark("Language to write in"),
    "url": mark("Address that is told"),
    "title": mark("Name of the form"),
    "origins": mark("Sites it may stand in"),
    "look_name": mark("Name of the bank"),
    "logo": mark("Address of the logo"),
    "colour": mark("Colour of buttons and links"),
    "reason": mark("Reason"),
}
"""What people call the fields of all forms here."""


def tabs(t: Translator, principal: Principal, current: str) -> list[dict[str, Any]]:
    """Intake's pages that whoever asks may see; none where the present one is all there is."""
    found = []
    for path, text, roles in _TABS:
        if principal.has(*roles):
            found.append({"path": path, "text": t.gettext(text), "current": path == current})
    return found if len(found) > 1 or not current else []


_TABS = (
    ("/search", mark("Find a complaint"), tuple(Role)),
    ("/take", mark("Take a complaint in"), (Role.AGENT,)),
    ("/admin", mark("Administration"), (Role.ADMIN,)),
    ("/webhooks", mark("Webhooks"), (Role.ADMIN,)),
    ("/forms", mark("Forms"), (Role.ADMIN,)),
    ("/retention", mark("Retention"), (Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR)),
)


def not_kept(t: Translator, form: str, given: Mapping[str, str], error: Refused | Conflict | NotFound) -> Filled:
    """The form as it was sent, with the reason why its request was refused, in words."""
    if isinstance(error, Invalid):
        return failed(t, form, given, error)
    said = t.label(FLAW, error.code)
    return Filled(form, given, {"": said if said != error.code else t.gettext("This cannot be done now.")})


async def by_reference(tx: AsyncSession, typed: str) -> Complaint:
    """The complaint that a form's field `reference` names. Raises Invalid."""
    try:
        return await search.by_reference(tx, typed)
    except NotFound:
        flaw = FieldError("/reference", "is that of no complaint", "reference_unknown")
        raise Invalid(errors=(flaw,)) from None


def moment(text: str | None) -> datetime | None:
    """A time as the views of use cases write it."""
    return datetime.fromisoformat(text) if text else None


def here(request: Request, path: str) -> dict[str, Any]:
    """Where the language switch leads from what a form is answered by, which has no address of its own."""
    if request.method == "GET":
        return {}
    return {"here": lambda **changes: pages.with_query(pages.root_of(request) + path, **changes)}


def desk_of(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found
