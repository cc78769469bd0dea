"""The page from which admins go to all that they run, of every service."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from services.intake.pages.common import tabs
from shared.i18n import mark
from shared.security.principal import Principal, Role
from shared.web import pages
from shared.web.access import allow
from shared.web.router import Router

router = Router(include_in_schema=False)
Admin = Annotated[Principal, Depends(allow(Role.ADMIN))]
_EVERY = ("intake", "routing", "sla", "reporting")


@dataclass(frozen=True, slots=True)
class Card:
    """What is run, in words, and where: one page, or one of each service."""

    title: str
    about: str
    path: str
    services: tuple[str, ...]


CARDS = (
    Card(mark("Departments and staff"), mark("Who works where, and what each may do"), "/people", ("routing",)),
    Card(mark("Rules and routing"), mark("Which complaints go to which department"), "/rules", ("routing",)),
    Card(mark("Policy packs"), mark("By when what must be done, and who has confirmed it"), "/packs", ("sla",)),
    Card(mark("Calendars"), mark("Working days and holidays"), "/calendars", ("sla",)),
    Card(mark("Notices"), mark("Who is told of what is late"), "/notices", ("sla",)),
    Card(mark("Keys"), mark("By which systems and staff come in"), "/keys", _EVERY),
    Card(mark("Webhooks"), mark("Whose systems are told of their complaints"), "/webhooks", ("intake",)),
    Card(mark("Forms"), mark("Where the complaint form stands, and how it looks"), "/forms", ("intake",)),
    Card(mark("Retention"), mark("What is kept of people and for how long; legal holds"), "/retention", ("intake",)),
    Card(mark("Parked events"), mark("What could not be dealt with and waits for somebody"), "/parked", _EVERY),
    Card(mark("Audit trail"), mark("Who did what, and that nothing of it was changed"), "/audit", _EVERY),
    Card(mark("Health"), mark("What runs, what lags, and what to do about it"), "/health", ("desk",)),
)


@router.get("/admin", response_class=HTMLResponse)
async def admin(request: Request, principal: Admin) -> Response:
    """All pages of administration, as far as they can be reached from here."""
    t = pages.translator(request)
    cards: list[dict[str, Any]] = []
    for card in CARDS:
        found = [(one, pages.service_url(request, one, card.path)) for one in card.services]
        if links := [(t.label("service", one), href) for one, href in found if href is not None]:
            cards.append({"title": t.gettext(card.title), "about": t.gettext(card.about), "links": links})
    return pages.render(request, "admin.html", cards=cards, tabs=tabs(t, principal, "/admin"))
