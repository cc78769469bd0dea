"""What the pages of upkeep have in common: who may, the tabs, and files to download."""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import StreamingResponse

from shared.db import Database
from shared.errors import FieldError, Invalid
from shared.i18n import mark
from shared.security.principal import Principal, Role
from shared.web import pages
from shared.web.access import allow

READERS = (Role.AUDITOR, Role.ADMIN)
Reader = Annotated[Principal, Depends(allow(*READERS))]
ReaderForm = Annotated[Principal, Depends(allow(*READERS, own_form=True))]
AdminForm = Annotated[Principal, Depends(allow(Role.ADMIN, own_form=True))]
PAGE = 50  # lines

SERVICES = ("intake", "routing", "sla", "reporting")
_SECTIONS = (
    ("audit", "/audit", mark("Audit trail")),
    ("verification", "/audit/verification", mark("Verification")),
    ("compliance", "/audit/compliance", mark("Compliance")),
    ("parked", "/parked", mark("Parked events")),
    ("keys", "/keys", mark("API keys")),
)
_COMPLAINT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def frame(request: Request, current: str) -> dict[str, Any]:
    """The two rows of tabs: the same page of the other services, and the other pages of this one."""
    t = pages.translator(request)
    here = next(path for name, path, _ in _SECTIONS if name == current)
    own = request.app.state.service
    services = [
        {"href": href, "text": t.label("service", name), "current": name == own}
        for name in SERVICES
        if (href := pages.service_url(request, name, here)) is not None
    ]
    sections = [{"path": path, "text": t.gettext(text), "current": name == current} for name, path, text in _SECTIONS]
    return {"services": services if len(services) > 1 else [], "sections": sections, "service": own}


def case_url(request: Request, subject: str | None) -> str | None:
    """The page of the case, if `subject` is a complaint and there is a service that has it here."""
    if subject is None or not _COMPLAINT.match(subject):
        return None
    return pages.service_url(request, "routing", f"/cases/{subject}")


def database(request: Request) -> Database:
    found: Database = request.app.state.db
    return found


def day(text: str, name: str) -> date | None:
    """A day as a date field sends it; None for none. Raises Invalid."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise wrong(name, "day") from None


def midnight(request: Request, of: date, *, next: bool = False) -> datetime:
    """When the day `of` begins in the bank's time zone, or the `next` one. Raises Invalid."""
    try:
        begins = datetime.combine(of + timedelta(days=1 if next else 0), time(), request.app.state.settings.zone)
        return begins.astimezone(UTC)
    except OverflowError:
        raise wrong("from", "day") from None


def wrong(name: str, code: str) -> Invalid:
    return Invalid("Some values cannot be taken; see errors.", errors=(FieldError(name, "cannot be taken", code),))


def download(lines: AsyncIterator[bytes], name: str, media: str) -> StreamingResponse:
    """A file that is made while it is sent."""
    return StreamingResponse(lines, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def csv_line(cells: Iterable[object]) -> bytes:
    """A row of CSV. What a spreadsheet would take for a formula is marked as text."""
    out = io.StringIO()
    texts = ["" if cell is None else str(cell) for cell in cells]
    csv.writer(out).writerow(["'" + text if text[:1] in tuple("=+-@\t\r") else text for text in texts])
    return out.getvalue().encode()
