"""The dashboard: the figures as people look at them."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.reporting.api import charts, views
from services.reporting.api.select import Selected, readers, today
from services.reporting.domain.selection import Selection
from services.reporting.figures import measures, reading
from services.reporting.figures.catalogue import CATALOGUE
from services.reporting.figures.measures import Count
from shared.i18n import Translator, mark
from shared.web import pages
from shared.web.app import ClockDep, Reading
from shared.web.router import Router

router = Router(include_in_schema=False)

_DIMENSIONS: tuple[tuple[str, str, str], ...] = (
    ("channel", mark("By channel"), mark("Channel")),
    ("category", mark("By type"), mark("Type")),
    ("department", mark("By department"), mark("Department")),
    ("outcome", mark("By outcome"), mark("Outcome")),
)
_DAYS = 31  # most that the chart by day shows: the last of the period
_MONTHS = 36  # most that the chart by month shows
_STEPS = ("acknowledge", "interim", "final")


@router.get("/dashboard", response_class=HTMLResponse, dependencies=[Depends(readers())])
async def dashboard(request: Request, session: Reading, selection: Selected, clock: ClockDep) -> Response:
    """Complaints in figures: totals, trend, distribution and deadlines, for the complaints that the address selects."""
    t = pages.translator(request)
    day = today(request.app.state.settings, clock())
    await reading.agree(session)
    totals = await measures.totals(session, selection, today=day)
    by_day = await measures.volumes(session, "received", "day", selection)
    distributions = await _distributions(session, t, selection)
    return pages.render(
        request,
        "dashboard.html",
        totals=totals,
        figure=CATALOGUE["total"],
        tabs=views.tabs(t, "", selection),
        **await views.chooser(session, t, selection),
        trends=_trends(t, by_day, selection, day),
        distributions=distributions,
        deadlines=_deadlines(await measures.deadlines(session, "step", selection)),
    )


async def _distributions(session: AsyncSession, t: Translator, selection: Selection) -> list[dict[str, Any]]:
    found = []
    for kind, title, heading in _DIMENSIONS:
        counts = await measures.volumes(session, "received", kind, selection)
        bars = charts.bars([(c.key, t.label(kind, c.key), c.count) for c in counts])
        found.append({"kind": kind, "title": title, "heading": heading, "bars": bars, "links": kind != "outcome"})
    return found


def _trends(t: Translator, by_day: list[Count], selection: Selection, day: date) -> list[dict[str, Any]]:
    """The charts over time. They begin no earlier than a little before the first complaint, and end no later than
    today or the last complaint, whatever period is asked for."""
    if not by_day:
        return []
    first, last = date.fromisoformat(by_day[0].key), date.fromisoformat(by_day[-1].key)
    since = max(selection.since or first, first - timedelta(days=_DAYS))
    until = min(selection.until or date.max, max(day, last))
    monthly: Counter[str] = Counter()
    for one in by_day:
        monthly[one.key[:7]] += one.count
    a_month = charts.months(monthly, since, until)
    a_day = charts.days({c.key: c.count for c in by_day}, max(since, until - timedelta(days=_DAYS - 1)), until)
    in_days = (until - since).days + 1
    return [
        _trend("month", mark("By month"), mark("Month"), a_month[-_MONTHS:], t.month, t.month)
        | {"cut": t.gettext("The last {n} months", n=_MONTHS) if len(a_month) > _MONTHS else ""},
        _trend("day", mark("By day"), mark("Day"), a_day, t.day, t.date)
        | {"cut": t.gettext("The last {n} days", n=_DAYS) if in_days > _DAYS else ""},
    ]


def _trend(
    kind: str,
    title: str,
    heading: str,
    items: list[tuple[date, int]],
    short: Callable[[date], str],
    full: Callable[[date], str],
) -> dict[str, Any]:
    chart = charts.columns([(full(at), short(at), count) for at, count in items])
    return {"kind": kind, "title": title, "heading": heading, "chart": chart, "height": charts.HEIGHT}


def _deadlines(results: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    """A row for each step, in the order in which they are due, with the share met in time of those that are past."""
    rows = []
    for step in sorted(results, key=lambda s: (_STEPS.index(s) if s in _STEPS else len(_STEPS), s)):
        counts = results[step]
        rows.append({"step": step, "counts": counts, "in_time": measures.kept(counts)})
    return rows
