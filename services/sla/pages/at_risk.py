"""What falls due next, and what is late."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, get_args

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from services.sla import store
from services.sla.api.context import READERS, Cursor
from services.sla.domain.moments import end_of_day
from services.sla.pages import words
from services.sla.pages.frame import show
from services.sla.store import OpenStep, Window
from services.sla.usecases import views
from shared import i18n
from shared.events import StepName
from shared.i18n import Translator
from shared.web import pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading
from shared.web.router import Router

router = Router(include_in_schema=False, dependencies=[Depends(allow(*READERS))])
Within = Literal["late", "today", "two_days", "week"]
Chosen = Annotated[Within | Literal[""], Query()]
Step = Annotated[StepName | Literal[""], Query()]
Department = Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")]
_SHOWN = 50
_COUNTED = 1000
"""Nobody needs to know how many more there are."""


@router.get("/at-risk", response_class=HTMLResponse)
async def at_risk(
    request: Request,
    session: Reading,
    now: ClockDep,
    department: Department = "",
    step: Step = "",
    within: Chosen = "",
    cursor: Cursor = None,
) -> Response:
    """Open steps in the order in which they fall due, and how many are late, due today and within a week."""
    t = pages.translator(request)
    at = now()
    only: dict[str, Any] = {"department": department or None, "step": step or None}
    found, following = await views.by_due(session, **only, window=window(within, at, t), cursor=cursor, limit=_SHOWN)
    counts = {
        name: await store.count_due(session, **only, window=window(name, at, t), most=_COUNTED)
        for name in ("late", "today", "week")
    }
    departments = dict.fromkeys([*i18n.codes("department"), *([department] if department else [])])
    return show(
        request,
        "at_risk.html",
        "/at-risk",
        rows=[_row(t, one, at) for one in found],
        following=following,
        first=cursor is None,
        tiles=[
            (name, t.gettext("{n} or more", n=t.number(n)) if more else t.number(n), n)
            for name, (n, more) in counts.items()
        ],
        department=department,
        step=step,
        within=within,
        departments=[(code, t.label("department", code)) for code in departments],
        steps=[(code, t.label("step", code)) for code in get_args(StepName)],
        windows=[(code, t.label("within", code)) for code in get_args(Within)],
    )


def window(within: Within | Literal[""], now: datetime, t: Translator) -> Window:
    """Which deadlines are meant; today ends when the bank's day does."""
    match within:
        case "late":
            return None, now
        case "today":
            return now, end_of_day(now.astimezone(t.zone).date(), t.zone)
        case "two_days":
            return now, now + timedelta(days=2)
        case "week":
            return now, now + timedelta(days=7)
        case "":
            return None, None


def _row(t: Translator, one: OpenStep, now: datetime) -> dict[str, Any]:
    step = one.step
    return {
        "complaint_id": one.complaint_id,
        "reference": one.reference or one.complaint_id,
        "step": step.name,
        "kind": one.kind,
        "due_at": step.due_at,
        "left": words.left(t, step.due_at, now),
        "late": now > step.due_at,
        "sign": words.SIGNS[step.state],
        "state": step.state,
        "look": words.LOOKS.get(step.state, ""),
        "level": step.ladder.rungs[step.rung - 1].level if step.ladder and step.rung else 0,
        "department": one.department,
        "assignee": one.assignee,
        "severity": one.severity,
    }
