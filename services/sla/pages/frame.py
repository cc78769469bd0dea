"""What SLA's pages share: their tabs, the names of fields, and refusals in words."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from starlette.responses import Response

from services.sla.api.context import READERS
from shared.errors import Conflict, Invalid, RedressError
from shared.i18n import Translator, mark
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.forms import Filled

LISTENERS = (Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN)
"""Who may open the page of subscriptions and calendar feeds."""
_TABS = (
    ("/at-risk", mark("At risk"), READERS),
    ("/notices", mark("Notices"), READERS),
    ("/posts", mark("Posts"), READERS),
    ("/packs", mark("Policy packs"), READERS),
    ("/calendars", mark("Calendars"), READERS),
    ("/subscriptions", mark("Subscriptions"), LISTENERS),
)
NAMES: Mapping[str, str] = {
    "until": mark("New last day"),
    "reason": mark("Reason"),
    "code": mark("Kind of reason"),
    "note": mark("Note"),
    "pack": mark("Policy pack"),
    "received": mark("Received at"),
    "id": mark("Short name"),
    "role": mark("Role"),
    "department": mark("Department"),
    "branch": mark("Branch"),
    "holder": mark("Held by"),
    "deputy": mark("Deputy"),
    "language": mark("Language"),
    "email": mark("Mailbox"),
    "deputy_email": mark("Deputy's mailbox"),
    "chat": mark("Chat in place of the mailbox"),
    "time_zone": mark("Time zone"),
    "quiet_start": mark("Quiet from"),
    "quiet_end": mark("Quiet until"),
    "weekends": mark("Quiet at weekends"),
    "first": mark("First day away"),
    "last": mark("Last day away"),
    "whose": mark("Who is away"),
    "url": mark("Address"),
    "name": mark("Name"),
    "format": mark("What it is"),
    "kinds": mark("Told of"),
    "minimum_level": mark("Escalations from level"),
}
"""What people call the fields of forms."""
_SHOWN_AT = {"received_at": "received", "quiet": "quiet_start", "absences": "first", "departments": "department"}


def show(request: Request, template: str, tab: str, status: int = 200, **context: Any) -> Response:
    """One of SLA's pages, under the tab `tab` of those that its reader may open."""
    reader: Principal | None = pages.me(request)
    t = pages.translator(request)
    tabs = [
        {"path": path, "text": t.gettext(text), "current": path == tab}
        for path, text, roles in _TABS
        if reader is not None and reader.has(*roles)
    ]
    found: Response = pages.render(
        request, template, status, tabs=tabs, names=NAMES, kept=forms.kept(request), **context
    )
    return found


def refused(t: Translator, form: str, values: Mapping[str, str], error: RedressError) -> Filled:
    """The form as it was sent, with why it was refused: by field, or in one sentence."""
    if isinstance(error, Invalid) and error.errors:
        return forms.failed(t, form, values, error, _SHOWN_AT)
    said = t.label("refusal", error.code)
    return Filled(form, values, {"": said if said != error.code else error.detail})


def status_of(error: RedressError) -> int:
    return 409 if isinstance(error, Conflict) else 422
