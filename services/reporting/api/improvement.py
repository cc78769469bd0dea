"""Pages of goals and measures: how they stand, what was done, and what changed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.reporting.api import forms, views
from services.reporting.api.common import Id, Reader, Today
from services.reporting.api.forms import NOTHING, Filled
from services.reporting.api.goals import GoalIn
from services.reporting.api.measures import EvidenceIn, MeasureIn, TaskIn
from services.reporting.domain.figure import FIGURES
from services.reporting.domain.measure import horizon
from services.reporting.domain.place import FILTERS
from services.reporting.domain.selection import Selection
from services.reporting.figures import reading
from services.reporting.store import goals as store
from services.reporting.store.goals import GoalRow, MeasureRow, TaskRow
from services.reporting.usecases import goals, measures, saying
from services.reporting.usecases.measures import EffectUnknown, Judged
from services.reporting.views import charts, effects
from shared import i18n
from shared.errors import FieldError, Invalid, NotFound
from shared.i18n import Translator, mark
from shared.security.principal import Principal, Role
from shared.web import pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.router import Router

page_router = Router(include_in_schema=False)
_PLANNERS = (Role.SUPERVISOR, Role.MANAGER, Role.ADMIN)
FormPlanner = Annotated[Principal, Depends(allow(*_PLANNERS, own_form=True))]
_SHOWN = 100  # goals, and measures, on one page
_WEEKS = 104
# A figure's mark tells it apart without colour; the words beside it are what is read out.
MARKS = {"reached": "✓", "on_track": "→", "behind": "!", "missed": "✕", "no_data": "…"}
_SHARES = frozenset(key for key, figure in FIGURES.items() if figure.unit == "share")


class NoEffectToDraw(NotFound):
    """There is no chart of an effect."""

    code = "no_effect_to_draw"


# --- goals and measures ---


@page_router.get("/improvement", response_class=HTMLResponse)
async def improvement(request: Request, principal: Reader, session: Reading, today: Today) -> Response:
    """Goals and how they stand, measures and how far they are, and the forms to add some."""
    await reading.agree(session)
    return await _improvement(request, principal, session, today, NOTHING)


async def _improvement(
    request: Request, principal: Principal, session: AsyncSession, today: date, filled: Filled
) -> Response:
    t = pages.translator(request)
    found = await store.goals(session, state=None, figure=None, department=None, after=None, limit=_SHOWN)
    shown = [await _goal(session, t, row, today) for row in found if row.withdrawn_at is None]
    planned = await store.measures(
        session, status=None, horizon=None, figure=None, department=None, after=None, limit=_SHOWN
    )
    tasks: dict[str, list[TaskRow]] = defaultdict(list)
    for task in await store.tasks(session, [row.id for row in planned]):
        tasks[task.measure_id].append(task)
    listed = [_measure(t, row, tasks[row.id], today) for row in planned]
    may = principal.has(*_PLANNERS)
    return pages.render(
        request,
        "improvement.html",
        422 if filled.wrong else 200,
        goals=[one for one in shown if not one["settled"]],
        settled=[one for one in shown if one["settled"]],
        horizons=[(name, [one for one in listed if one["horizon"] == name]) for name in ("short", "medium", "long")],
        measures=listed,
        may=may,
        today=today,
        filled=filled,
        names=forms.NAMES,
        kept=forms.kept(request),
        tabs=views.tabs(t, "improvement", Selection()),
        **(await _choices(session, t) if may else {}),
    )


async def _goal(session: AsyncSession, t: Translator, row: GoalRow, today: date) -> dict[str, Any]:
    stood = await goals.stand(session, row, today)
    value, way = stood["value"], row.target - row.baseline
    done = None if value is None else min(max((value - row.baseline) / way, 0.0), 1.0)
    return {
        "id": row.id,
        "title": row.title,
        "figure": t.label("figure", row.figure),
        "about": _about(t, row.dimension, row.code),
        "baseline": effects.said(t, row.figure, row.baseline),
        "target": effects.said(t, row.figure, row.target),
        "value": effects.said(t, row.figure, value),
        "expected": effects.said(t, row.figure, stood["expected"]),
        "over": (date.fromisoformat(stood["since"]), date.fromisoformat(stood["until"])),
        "done": done,
        "standing": stood["standing"],
        "mark": MARKS[stood["standing"]],
        "due_on": row.due_on,
        "owner": _owner(t, row.owner_role, row.owner_department),
        "settled": row.settled_at is not None,
        "note": row.note,
    }


def _measure(t: Translator, row: MeasureRow, tasks: Iterable[TaskRow], today: date) -> dict[str, Any]:
    measure, tasks = store.measure_of(row), list(tasks)
    budget = None
    if measure.budget is not None and measure.currency is not None:
        budget = i18n.money(measure.budget, measure.currency, t.language)
    return {
        "id": row.id,
        "title": row.title,
        "figure": t.label("figure", row.figure),
        "about": _about(t, row.dimension, row.code),
        "compared": [t.label(row.dimension or "", code) for code in measure.comparable],
        "horizon": row.horizon,
        "status": row.status,
        "owner": t.label("department", row.owner_department),
        "budget": budget,
        "starts_on": row.starts_on,
        "ends_on": row.ends_on,
        "started_on": row.started_on,
        "ended_on": row.ended_on,
        "note": row.note,
        "tasks": len(tasks),
        "done": sum(task.done_on is not None for task in tasks),
        "late": sum(task.done_on is None and task.due_on < today for task in tasks),
    }


def _about(t: Translator, dimension: str | None, code: str | None) -> str:
    if dimension is None or code is None:
        return t.gettext("Whole bank")
    return f"{t.label('dimension', dimension)}: {t.label(dimension, code)}"


def _owner(t: Translator, role: str | None, department: str | None) -> str:
    named = [t.label("department", department)] if department else []
    return " · ".join(named + ([t.label("role", role)] if role else []))


async def _choices(session: AsyncSession, t: Translator) -> dict[str, Any]:
    """What the forms let people choose from."""
    groups = []
    for name in FILTERS:
        in_use = await reading.counts(session, "received", name, Selection())
        codes = dict.fromkeys([*i18n.codes(name), *sorted(in_use)])
        groups.append((t.label("dimension", name), [(f"{name}={code}", t.label(name, code)) for code in codes]))
    return {
        "figures": [(key, t.label("figure", key)) for key in FIGURES],
        "groups": groups,
        "departments": [(code, t.label("department", code)) for code in i18n.codes("department")],
        "roles": [(role, t.label("role", role)) for role in Role],
        "periods": [("month", t.gettext("Month")), ("quarter", t.gettext("Quarter")), ("year", t.gettext("Year"))],
    }


@page_router.post("/improvement/goals", response_class=HTMLResponse)
async def add_goal(request: Request, principal: FormPlanner, tx: Tx, today: Today, clock: ClockDep) -> Response:
    """Set a goal by the form of the page. Shares are filled in as per cent."""
    given = await forms.given(request)
    try:
        values: dict[str, Any] = {**_of_which(given)}
        baseline, target = (_value(given, name) for name in ("baseline", "target"))
        if baseline is not None and target is not None:
            values["direction"] = "down" if target < baseline else "up"
        else:
            values["direction"] = "down"  # what is missing is told of the fields that miss it
        values |= {"baseline": baseline, "target": target}
        goal = forms.model(GoalIn, values).goal()
        await goals.create(tx, goal, actor=principal.id, now=clock())
    except Invalid as error:
        filled = forms.failed(pages.translator(request), "goal", given, error)
        return await _improvement(request, principal, tx, today, filled)
    return forms.back(request, "/improvement", "goals")


@page_router.post("/improvement/measures", response_class=HTMLResponse)
async def add_measure(request: Request, principal: FormPlanner, tx: Tx, today: Today, clock: ClockDep) -> Response:
    """Plan a measure by the form of the page. How long it runs says whether it is short or long term."""
    given = await forms.given(request)
    try:
        values = _of_which(given)
        if "budget" in values:
            amount, currency = values.pop("budget"), values.pop("currency", None)
            values["budget"] = {"amount": amount, "currency": (currency or "").upper()}
        values.pop("currency", None)
        asked = forms.model(MeasureIn, {**values, "horizon": "short"})
        if asked.ends_on >= asked.starts_on:
            asked = asked.model_copy(update={"horizon": horizon(asked.starts_on, asked.ends_on)})
        row = await measures.create(tx, asked.measure(), today, actor=principal.id, now=clock())
    except Invalid as error:
        filled = forms.failed(pages.translator(request), "measure", given, error)
        return await _improvement(request, principal, tx, today, filled)
    return forms.back(request, f"/improvement/measures/{row.id}")


def _of_which(given: Mapping[str, str]) -> dict[str, Any]:
    """`about`, which is `dimension=code`, as the API has it."""
    values: dict[str, Any] = dict(given)
    dimension, _, code = values.pop("about", "").partition("=")
    return values | ({"dimension": dimension, "code": code} if dimension else {})


def _value(given: Mapping[str, str], name: str) -> float | None:
    """A number of a form. Raises Invalid."""
    if name not in given:
        return None
    try:
        found = float(given[name])
    except ValueError:
        raise Invalid(errors=(FieldError(f"/{name}", "is no number", "float_parsing"),)) from None
    return found / 100 if given.get("figure") in _SHARES else found


# --- one measure ---


@page_router.get("/improvement/measures/{measure_id}", response_class=HTMLResponse)
async def measure(measure_id: Id, request: Request, principal: Reader, session: Reading, today: Today) -> Response:
    """A measure: what is to be done, what was done, and what changed."""
    await reading.agree(session)
    return await _one(request, principal, session, measure_id, today, NOTHING)


async def _one(
    request: Request, principal: Principal, session: AsyncSession, id: str, today: date, filled: Filled
) -> Response:
    t = pages.translator(request)
    row = await measures.find(session, id)
    tasks = await store.tasks(session, [id])
    judged, why = await _judged(session, row, today)
    return pages.render(
        request,
        "measure.html",
        422 if filled.wrong else 200,
        measure=_measure(t, row, tasks, today),
        tasks=[
            {
                "id": task.id,
                "title": task.title,
                "due_on": task.due_on,
                "done_on": task.done_on,
                "owner": _owner(t, task.owner_role, task.owner_department),
                "late": task.done_on is None and task.due_on < today,
            }
            for task in tasks
        ],
        evidence=await store.evidence(session, [id]),
        effect=None if judged is None else effects.block(t, row.figure, judged),
        sentence="" if judged is None else saying.sentence(judged.effect, t),
        caveats=[] if judged is None else saying.caveats(judged.effect, t),
        why=why,
        may=principal.has(*_PLANNERS),
        next=_NEXT[row.status],
        departments=[(code, t.label("department", code)) for code in i18n.codes("department")],
        roles=[(role, t.label("role", role)) for role in Role],
        today=today,
        filled=filled,
        names=forms.NAMES,
        kept=forms.kept(request),
        tabs=views.tabs(t, "improvement", Selection()),
    )


_NEXT = {"planned": ("running", "dropped"), "running": ("done", "dropped"), "done": (), "dropped": ()}


async def _judged(session: AsyncSession, row: MeasureRow, today: date) -> tuple[Judged | None, str]:
    """What a measure changed, or why that cannot be told."""
    if not FIGURES[row.figure].weekly:
        return None, mark("This figure cannot be counted by the week, so no effect can be told.")
    if row.started_on is None:
        return None, mark("The measure has not started. Its effect is told from the weeks before and since the start.")
    try:
        return await measures.judge_within(session, row.id, today, _WEEKS), ""
    except EffectUnknown:
        return None, mark("There is nothing yet from which an effect could be told.")


@page_router.get("/improvement/measures/{measure_id}/effect.svg")
async def effect_picture(measure_id: Id, request: Request, _: Reader, session: Reading, today: Today) -> Response:
    """The figure by week, before and after the measure's start."""
    await reading.agree(session)
    row = await measures.find(session, measure_id)
    judged, _why = await _judged(session, row, today)
    t = pages.translator(request)
    chart = None if judged is None else effects.block(t, row.figure, judged).chart
    if chart is None:
        raise NoEffectToDraw
    return await picture(request, t, chart)


async def picture(request: Request, t: Translator, chart: charts.Chart) -> Response:
    """A chart as an answer."""
    drawn = await charts.svg(chart, t.language, narrow=request.query_params.get("narrow") == "1")
    headers = {"Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}
    return Response(drawn, media_type="image/svg+xml", headers=headers)


@page_router.post("/improvement/measures/{measure_id}/status", response_class=HTMLResponse)
async def move(
    measure_id: Id, request: Request, principal: FormPlanner, tx: Tx, today: Today, clock: ClockDep
) -> Response:
    """Say that a measure has started, is done, or was dropped."""
    given = await forms.given(request)
    row = await measures.find(tx, measure_id)
    try:
        status = given.get("status", "")
        if status not in _NEXT[row.status]:
            raise Invalid(errors=(FieldError("/status", "cannot follow", "enum"),))
        day = forms.model(TaskIn, {"title": "-", "due_on": given.get("day")}).due_on
        was = store.measure_of(row)
        values = {name: getattr(was, name) for name in type(was).__dataclass_fields__}
        values |= {"status": status, "started_on" if status == "running" else "ended_on": day}
        now, actor = clock(), principal.id
        await measures.change(tx, measure_id, type(was)(**values), today, version=None, actor=actor, now=now)
    except Invalid as error:
        errors = tuple(FieldError("/day", e.detail, e.code) if e.pointer == "/due_on" else e for e in error.errors)
        filled = forms.failed(pages.translator(request), "status", given, Invalid(errors=errors))
        return await _one(request, principal, tx, measure_id, today, filled)
    return forms.back(request, f"/improvement/measures/{measure_id}")


@page_router.post("/improvement/measures/{measure_id}/tasks", response_class=HTMLResponse)
async def add_task(
    measure_id: Id, request: Request, principal: FormPlanner, tx: Tx, today: Today, clock: ClockDep
) -> Response:
    """Add a task."""
    given = await forms.given(request)
    try:
        task = forms.model(TaskIn, given).task()
        await measures.add_task(tx, measure_id, task, today, version=None, actor=principal.id, now=clock())
    except Invalid as error:
        filled = forms.failed(pages.translator(request), "task", given, error)
        return await _one(request, principal, tx, measure_id, today, filled)
    return forms.back(request, f"/improvement/measures/{measure_id}", "tasks")


@page_router.post("/improvement/measures/{measure_id}/tasks/{task_id}/done", response_class=HTMLResponse)
async def task_done(
    measure_id: Id, task_id: Id, request: Request, principal: FormPlanner, tx: Tx, today: Today, clock: ClockDep
) -> Response:
    """Say that a task was done today."""
    found = await store.task(tx, measure_id, task_id)
    if found is None:
        raise measures.TaskNotFound
    if found.done_on is None:
        was = store.task_of(found)
        done = type(was)(**{name: getattr(was, name) for name in type(was).__dataclass_fields__} | {"done_on": today})
        await measures.change_task(tx, measure_id, task_id, done, today, version=None, actor=principal.id, now=clock())
    return forms.back(request, f"/improvement/measures/{measure_id}", "tasks")


@page_router.post("/improvement/measures/{measure_id}/evidence", response_class=HTMLResponse)
async def add_evidence(
    measure_id: Id, request: Request, principal: FormPlanner, tx: Tx, today: Today, clock: ClockDep
) -> Response:
    """Add evidence."""
    given = await forms.given(request)
    try:
        body = forms.model(EvidenceIn, given)
        await measures.add_evidence(tx, measure_id, body.note, body.link, actor=principal.id, now=clock())
    except Invalid as error:
        filled = forms.failed(pages.translator(request), "evidence", given, error)
        return await _one(request, principal, tx, measure_id, today, filled)
    return forms.back(request, f"/improvement/measures/{measure_id}", "evidence")
