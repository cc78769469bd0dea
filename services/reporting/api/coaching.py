"""The page of coaching: what a department may learn from, and what its people were praised for. It names no person and
ranks nobody."""

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.reporting.api import forms, views
from services.reporting.api.commendations import CommendationIn
from services.reporting.api.common import READERS, Reader, Today
from services.reporting.api.forms import NOTHING, Filled
from services.reporting.domain import selection as periods
from services.reporting.domain.place import UNROUTED
from services.reporting.domain.selection import Selection
from services.reporting.figures import reading
from services.reporting.store import goals as store
from services.reporting.usecases import coaching as usecases
from services.reporting.usecases import commendations
from shared import i18n
from shared.errors import Invalid
from shared.i18n import Translator, mark
from shared.security.principal import Principal, Role
from shared.web import pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.router import Router

page_router = Router(include_in_schema=False)
# Agents may praise by the API; the form stands on a page of figures, which is not theirs to read.
_GIVERS = tuple(role for role in READERS if role != Role.AUDITOR)
FormGiver = Annotated[Principal, Depends(allow(*_GIVERS, own_form=True))]
_MOST = 12  # pairs
_PRAISE = 20
_MONTHS = {"1": 1, "3": 3, "6": 6, "12": 12}
Months = Annotated[str, Query(pattern=r"^(1|3|6|12)$")]
Department = Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")]
ADVICE = {
    "staff_service": mark("How people are spoken to, what they are told, and how long they wait for an answer."),
    "product_design": mark("Which terms or steps are misunderstood, and how to explain them beforehand."),
    "system_failure": mark("How to tell that the system is at fault, what to say meanwhile, and whom to tell."),
    "internal_management": mark("Which step of the process fails, who hands over to whom, and what is checked."),
}
"""By root cause: what to look at."""
OTHER = mark("What these complaints have in common, and what would have spared them.")


@page_router.get("/coaching", response_class=HTMLResponse)
async def coaching(
    request: Request,
    principal: Reader,
    session: Reading,
    today: Today,
    department: Department = "",
    months: Months = "3",
) -> Response:
    """What recurs in a department in the last finished months, and what it was praised for."""
    await reading.agree(session)
    return await _page(request, principal, session, today, department, months, NOTHING)


async def _page(
    request: Request,
    principal: Principal,
    session: AsyncSession,
    today: date,
    department: str,
    months: str,
    filled: Filled,
) -> Response:
    t = pages.translator(request)
    chosen, before = _periods(today, _MONTHS[months], department)
    found, of = await usecases.pairs(session, chosen, before, most=_MOST) if department else ([], 0)
    praise = await store.commendations(session, department=department or None, branch=None, after=None, limit=_PRAISE)
    in_use = await reading.counts(session, "received", "department", Selection())
    codes = dict.fromkeys([*i18n.codes("department"), *sorted(in_use.keys() - {UNROUTED})])
    return pages.render(
        request,
        "coaching.html",
        422 if filled.wrong else 200,
        department=department,
        months=months,
        since=chosen.since,
        until=chosen.until,
        pairs=[_shown(t, pair) for pair in found],
        of=of,
        least=usecases.LEAST,
        praise=praise if department else [],
        departments=[(code, t.label("department", code)) for code in codes],
        choice=[(n, t.ngettext("Last finished month", "Last {n} finished months", int(n))) for n in _MONTHS],
        may=principal.has(*_GIVERS),
        today=today,
        filled=filled,
        names=forms.NAMES,
        kept=forms.kept(request),
        tabs=views.tabs(t, "coaching", Selection()),
    )


def _periods(today: date, months: int, department: str) -> tuple[Selection, Selection]:
    """The last finished months, and as many before them."""
    end = periods.beginning(today, "month")
    since, earlier = (periods.following(end, "month", -n) for n in (months, 2 * months))
    day, where = timedelta(days=1), {"department": department}
    return Selection(since, end - day, where), Selection(earlier, since - day, where)


def _shown(t: Translator, pair: usecases.Pair) -> dict[str, Any]:
    return {
        "cause": t.label("root_cause", pair.root_cause),
        "category": t.label("category", pair.category),
        "count": pair.count,
        "before": pair.before,
        "advice": t.gettext(ADVICE.get(pair.root_cause, OTHER)),
        "examples": pair.examples,
    }


@page_router.post("/coaching", response_class=HTMLResponse)
async def praise(request: Request, principal: FormGiver, tx: Tx, today: Today, clock: ClockDep) -> Response:
    """Praise a team by the form of the page."""
    given = await forms.given(request)
    try:
        body = forms.model(CommendationIn, {name: n for name, n in given.items() if name != "months"})
        await commendations.give(tx, **body.model_dump(), today=today, actor=principal.id, now=clock())
    except Invalid as error:
        filled = forms.failed(pages.translator(request), "praise", given, error)
        department, months = given.get("department", ""), given.get("months", "")
        known = department if department.replace("_", "").replace("-", "").isalnum() else ""
        return await _page(request, principal, tx, today, known, months if months in _MONTHS else "3", filled)
    months = given.get("months", "") if given.get("months", "") in _MONTHS else "3"
    return forms.back(request, "/coaching", "praise", department=body.department or "", months=months)
