"""The queue: what waits for me, for my department, for anybody, in the order of the time left."""

from collections.abc import Collection
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Path, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from services.routing import store
from services.routing.api.context import Rules
from services.routing.classifier import Rulebook
from services.routing.domain.case import State
from services.routing.pages import wish
from services.routing.pages.wish import Wish
from services.routing.pages.words import Moments, Names, person, time_left
from services.routing.usecases import queue as queues
from services.routing.usecases.queue import TooManyViews
from shared import i18n
from shared.errors import FieldError, Invalid
from shared.i18n import Translator, mark
from shared.ids import normalise_reference
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router

router = Router(include_in_schema=False)
READERS = (Role.OFFICER, Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN)
WORKERS = (Role.OFFICER, Role.SUPERVISOR, Role.MANAGER)
Reader = Annotated[Principal, Depends(allow(*READERS))]
FormReader = Annotated[Principal, Depends(allow(*READERS, own_form=True))]
_GRAVE = {"low": "○", "normal": "○", "high": "▲", "critical": "▲▲"}
NAMES = {
    "state": mark("State"),
    "category": mark("Type"),
    "severity": mark("Severity"),
    "channel": mark("Channel"),
    "branch": mark("Branch"),
    "language": mark("Language"),
    "department": mark("Department"),
    "vulnerable": mark("Vulnerable"),
    "name": mark("Name of the view"),
    "case": mark("Cases"),
    "assignee": mark("Officer"),
    "to_department": mark("To department"),
    "reason": mark("Reason"),
}


class ViewIn(BaseModel):
    """A name for the present choice of filters."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")]


@router.get("/queue", response_class=HTMLResponse)
async def queue(
    request: Request,
    principal: Reader,
    session: Reading,
    rulebook: Rules,
    clock: ClockDep,
    q: Annotated[str, Query(max_length=60)] = "",
    part: bool = False,
) -> Response:
    """The queue; `q` leads straight to the case of a reference; `part`: the list alone, for a page that is open."""
    wanted = await wish.read(session, request, principal)
    missed = ""
    if q.strip():
        found = await _search(session, q)
        if found is not None:
            return RedirectResponse(f"{pages.root_of(request)}/cases/{found}", 303)
        missed = q.strip()
    if part:
        t = pages.translator(request)
        shown = await _list(session, t, wanted, rulebook, clock())
        return pages.render(request, "queue_list.html", **shown, ticked=frozenset(), may=principal.has(*WORKERS))
    return await draw(request, principal, session, rulebook, wanted, clock, missed=missed)


async def _search(session: AsyncSession, text: str) -> str | None:
    """The complaint that somebody means by a reference, as they typed it or as it ought to be."""
    for reference in (text.strip().upper(), normalise_reference(text)):
        if reference and (found := await store.queue.referred(session, reference)) is not None:
            return found
    return None


async def draw(
    request: Request,
    principal: Principal,
    session: AsyncSession,
    rulebook: Rulebook,
    wanted: Wish,
    clock: Any,
    *,
    filled: Filled = NOTHING,
    ticked: Collection[str] = (),
    missed: str = "",
) -> Response:
    """The whole page."""
    t = pages.translator(request)
    names = Names(t, rulebook)
    may = principal.has(*WORKERS)
    assigns = principal.has(Role.SUPERVISOR, Role.MANAGER)
    officers = await _officers(session, t, wanted) if assigns else []
    tabs = [
        {"href": f"{pages.root_of(request)}/queue?{wanted.query(tab=tab)}", "text": text, "current": tab == wanted.tab}
        for tab, text in (
            ("mine", t.gettext("Mine")),
            ("department", t.gettext("My department")),
            ("unassigned", t.gettext("Nobody's yet")),
            ("all", t.gettext("All")),
        )
        if tab != "mine" or may
    ]
    return pages.render(
        request,
        "queue.html",
        422 if filled.wrong else 200,
        **(await _list(session, t, wanted, rulebook, clock())),
        tabs=tabs,
        query=wanted.query(),
        choices={
            "state": names.choices("state", *State),
            "category": names.choices("category"),
            "severity": names.choices("severity"),
            "channel": names.choices("channel"),
            "language": list(i18n.LANGUAGES.items()),
        },
        departments=names.choices("department"),
        officers=officers,
        views=await store.queue.views(session, principal.id),
        narrowed=bool(wanted.filters or wanted.vulnerable or wanted.department),
        may=may,
        assigns=assigns,
        ticked=frozenset(ticked),
        missed=missed,
        filled=filled,
        names=NAMES,
        kept=forms.kept(request),
    )


async def _officers(session: AsyncSession, t: Translator, wanted: Wish) -> list[tuple[str, str]]:
    rows = await store.staff.officers(session)
    chosen = wanted.departments
    return [(one.id, one.id) for one in rows if one.active and (not chosen or one.department in chosen)][:200]


async def _list(session: AsyncSession, t: Translator, wanted: Wish, rulebook: Rulebook, now: Any) -> dict[str, Any]:
    """What the list is drawn from."""
    names, moments = Names(t, rulebook), Moments(t)
    rows, following = await wanted.rows(session)
    cases = [
        {
            "id": row.complaint_id,
            "version": row.version,
            "reference": row.reference,
            "left": None if row.state == State.CLOSED else time_left(t, row.next_due_at, row.next_step, now),
            "category": names.of("category", row.category),
            "product": names.of("product", row.product) if row.product else "",
            "state": row.state,
            "severity": row.severity,
            "grave": _GRAVE.get(row.severity, "○"),
            "department": names.of("department", row.department),
            "assignee": person(t, row.assignee, wanted.me) if row.assignee else "",
            "channel": t.label("channel", row.channel),
            "branch": row.branch,
            "received": moments(row.received_at),
            "due": moments(row.next_due_at) if row.next_due_at else "",
            "vulnerable": row.vulnerable,
            "escalated": row.escalation_level,
            "disputed": row.disputed_at is not None,
            "withdrawn": row.withdrawn_at is not None,
        }
        for row in rows
    ]
    return {"cases": cases, "next_query": wanted.query(cursor=following) if following else "", "wanted": wanted}


# --- saved views ---


@router.post("/queue/views", response_class=HTMLResponse)
async def keep_view(request: Request, principal: FormReader, tx: Tx, rulebook: Rules, clock: ClockDep) -> Response:
    """Keep the present choice of filters under a name."""
    given = await forms.given(request)
    wanted = await wish.read(tx, request, principal)
    try:
        body = forms.model(ViewIn, {"name": given.get("name")})
        await queues.keep_view(tx, principal.id, body.name, wanted.query(), now=clock())
    except TooManyViews:
        error = Invalid(errors=(FieldError("/name", "too many", "too_many_views"),))
        filled = forms.failed(pages.translator(request), "view", given, error)
        return await draw(request, principal, tx, rulebook, wanted, clock, filled=filled)
    except Invalid as error:
        filled = forms.failed(pages.translator(request), "view", given, error)
        return await draw(request, principal, tx, rulebook, wanted, clock, filled=filled)
    return forms.back(request, "/queue", "", **dict(parse_qsl(wanted.query())))


@router.post("/queue/views/{view_id}/drop", response_class=HTMLResponse)
async def drop_view(
    view_id: Annotated[str, Path(max_length=36, pattern=r"^[0-9a-f-]+$")],
    request: Request,
    principal: FormReader,
    tx: Tx,
    clock: ClockDep,
) -> Response:
    """Drop a view of one's own."""
    await queues.drop_view(tx, principal.id, view_id, now=clock())
    kept = {name: value for name, value in request.query_params.items() if name in ("tab", "department")}
    return RedirectResponse(f"{pages.root_of(request)}/queue?{urlencode(kept)}", 303)
