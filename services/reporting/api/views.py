"""The pages of figures: charts with the tables behind them, of the complaints that the address selects."""

import hashlib
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import Depends, Path, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from services.reporting.api.select import Selected, parameters, readers, today
from services.reporting.domain.place import FILTERS
from services.reporting.domain.selection import Selection
from services.reporting.figures import reading
from services.reporting.figures.catalogue import CATALOGUE
from services.reporting.usecases import drilldown
from services.reporting.views import charts
from services.reporting.views.block import Block, Context
from services.reporting.views.pages import PAGES, Page
from shared import i18n
from shared.errors import NotFound
from shared.i18n import Translator, mark
from shared.web import pages
from shared.web.app import ClockDep, Reading
from shared.web.router import Router

router = Router(include_in_schema=False, dependencies=[Depends(readers())])
Name = Annotated[str, Path(pattern=r"^[a-z-]{1,40}$")]
HEADINGS = {
    "channel": mark("Channel"),
    "category": mark("Type"),
    "product": mark("Product"),
    "department": mark("Department"),
    "branch": mark("Branch"),
}


class PageNotFound(NotFound):
    """There is no such page of figures."""

    code = "page_not_found"


@router.get("/dashboard/{name}", response_class=HTMLResponse)
async def page(request: Request, name: Name, session: Reading, chosen: Selected, clock: ClockDep) -> Response:
    """One page of figures. The charts come by themselves, after the page (`picture`)."""
    which = _page(name)
    await reading.agree(session)
    context = _context(request, session, chosen, clock)
    made = {key: await make(context) for key, make in which.blocks.items()}
    t = context.t
    return pages.render(
        request,
        "figures.html",
        page=which,
        blocks=[_shown(key, block) for key, block in made.items()],
        tabs=tabs(t, which.name, chosen),
        query=urlencode({**parameters(chosen), "lang": t.language}),
        **await chooser(session, t, chosen),
    )


@router.get("/dashboard/{name}/{block}.svg")
async def picture(
    request: Request, name: Name, block: Name, session: Reading, chosen: Selected, clock: ClockDep
) -> Response:
    """The chart of one block, for the complaints that the address selects."""
    make = _page(name).blocks.get(block)
    if make is None:
        raise PageNotFound
    await reading.agree(session)
    context = _context(request, session, chosen, clock)
    made = await make(context)
    if made.chart is None:
        raise PageNotFound
    narrow = request.query_params.get("narrow") == "1"
    drawn = await charts.svg(made.chart, context.t.language, narrow=narrow)
    tag = f'"{hashlib.sha256(drawn.encode()).hexdigest()[:24]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(drawn, media_type="image/svg+xml", headers=headers)


def _page(name: str) -> Page:
    """Raises PageNotFound."""
    if name not in PAGES:
        raise PageNotFound
    return PAGES[name]


def _context(request: Request, session: Reading, chosen: Selection, clock: ClockDep) -> Context:
    day = today(request.app.state.settings, clock())
    return Context(session, chosen, pages.translator(request), day)


def _shown(key: str, block: Block) -> dict[str, Any]:
    figure = CATALOGUE[block.figure]
    numbers = [any(row[i].value is not None and i for row in block.rows) for i in range(len(block.columns))]
    return {"key": key, "block": block, "figure": figure, "numbers": numbers}


BESIDE = {
    "/warnings": mark("Warnings"),
    "/reports": mark("Reports"),
    "/improvement": mark("Goals and measures"),
    "/surveys": mark("Surveys"),
    "/coaching": mark("Coaching"),
    "/public-summary": mark("Public summary"),
}
"""Pages of reporting that take no choice of complaints, by address."""


def tabs(t: Translator, current: str, chosen: Selection) -> list[dict[str, Any]]:
    """The pages of reporting; those of figures keep the choice of complaints."""
    query = urlencode(parameters(chosen))
    found = [("", mark("Overview")), *((p.name, p.title) for p in PAGES.values())]
    figures = [
        {
            "path": f"/dashboard{'/' + name if name else ''}{'?' + query if query else ''}",
            "text": t.gettext(text),
            "current": name == current,
        }
        for name, text in found
    ]
    beside = [
        {"path": path, "text": t.gettext(text), "current": path == f"/{current}"} for path, text in BESIDE.items()
    ]
    return figures + beside


async def chooser(session: Reading, t: Translator, chosen: Selection) -> dict[str, Any]:
    """What the form to choose complaints needs: its fields, their choices, and whether anything is chosen."""
    fields = []
    for name in FILTERS:
        in_use = await reading.counts(session, "received", name, Selection())
        selected = chosen.where.get(name)
        codes = dict.fromkeys([*i18n.codes(name), *sorted(in_use), *([selected] if selected else [])])
        choices = [(code, t.label(name, code)) for code in codes]
        fields.append({"name": name, "heading": HEADINGS[name], "choices": choices, "selected": selected})
    beside = {name: code for name, code in chosen.where.items() if name not in FILTERS}
    return {"selection": chosen, "filtered": chosen != Selection(), "fields": fields, "beside": beside}


_SHOWN = 100


@router.get("/complaints", response_class=HTMLResponse)
async def complaints(
    request: Request,
    session: Reading,
    chosen: Selected,
    of: Literal[
        "received", "acknowledged", "responded", "resolved", "closed", "reopened", "disputed", "rated"
    ] = "received",
    after: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9._-]{0,64}$")] = None,
) -> Response:
    """The complaints that a figure counts, by their references."""
    which = drilldown.Which(of)
    await reading.agree(session)
    found = await drilldown.complaints(session, which, chosen, after=after or None, limit=_SHOWN + 1)
    t = pages.translator(request)
    return pages.render(
        request,
        "counted.html",
        figure=CATALOGUE[which.basis],
        basis=which.basis,
        rows=found[:_SHOWN],
        next=found[_SHOWN - 1]["complaint_id"] if len(found) > _SHOWN else None,
        tabs=tabs(t, "-", chosen),
        **await chooser(session, t, chosen),
    )
