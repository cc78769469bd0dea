"""Pages of incidents: complaints with one cause under one plan, worked on together, answered together, closed."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

import orjson
from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.routing import store
from services.routing.api import incidents as api
from services.routing.api.cases import StepIn
from services.routing.api.context import Rules
from services.routing.api.incidents import Cursor, FindingsIn, IncidentId, IncidentIn, PlanStepIn, Together
from services.routing.api.letters import Bank, LetterIn
from services.routing.classifier import Rulebook
from services.routing.domain.case import State
from services.routing.letters import KINDS
from services.routing.pages import heads
from services.routing.pages.heads import Leader, Names
from services.routing.store.incident import Incident
from services.routing.usecases import incidents
from services.routing.usecases.incidents import OtherIncident, PlanStep
from shared import i18n
from shared.errors import FieldError, Invalid, RedressError
from shared.i18n import Translator
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router

router = Router(include_in_schema=False)
Reader = Annotated[Principal, Depends(allow(*heads.INCIDENTS))]
_SHOWN = 50
_AT_ONCE = 100
_BETWEEN = re.compile(r"[\s,;，；、]+")
_VIA = ("email", "post", "sms", "phone", "in_person", "other")


@router.get("/incidents", response_class=HTMLResponse)
async def listed(
    request: Request,
    principal: Reader,
    tx: Reading,
    rulebook: Rules,
    state: Literal["open", "closed", ""] = "open",
    cursor: Cursor = None,
) -> Response:
    """Incidents, newest first, and the form to declare one."""
    return await _list(request, principal, tx, rulebook, state, cursor, NOTHING)


async def _list(
    request: Request,
    principal: Principal,
    tx: AsyncSession,
    rulebook: Rulebook,
    state: str,
    cursor: str | None,
    filled: Filled,
    status: int = 200,
) -> Response:
    names = Names(pages.translator(request), rulebook)
    rows = await store.incident.incidents(tx, state=state or None, after=cursor, limit=_SHOWN + 1)
    sizes = await store.incident.sizes(tx, [row.id for row in rows])
    return heads.show(
        request,
        "incidents.html",
        "/incidents",
        rulebook,
        status,
        state=state,
        incidents=[
            {
                **{n: getattr(row, n) for n in ("id", "title", "state", "cause", "department", "declared_at")},
                "complaints": sizes[row.id],
                "steps": len(plan := orjson.loads(row.plan)),
                "done": sum(bool(step["done_at"]) for step in plan),
            }
            for row in rows[:_SHOWN]
        ],
        next=rows[_SHOWN - 1].id if len(rows) > _SHOWN else None,
        departments=names.choices("department"),
        may=principal.has(*heads.LEADERS),
        filled=filled,
    )


@router.post("/incidents", response_class=HTMLResponse)
async def declare(request: Request, principal: Leader, tx: Tx, clock: ClockDep, rulebook: Rules) -> Response:
    """Declare an incident; it begins with the plan of the registers."""
    given = await forms.given(request)
    t = pages.translator(request)
    try:
        ids = await _complaints(tx, t, given.get("complaints", ""))
        body = forms.model(IncidentIn, {**heads.only(given, "title", "department"), "complaints": ids})
        row = await incidents.declare(
            tx,
            title=body.title,
            department=body.department,
            ids=ids,
            plan=None,
            rulebook=rulebook,
            by=principal.id,
            now=clock(),
        )
    except Unknown as error:
        filled = Filled("declare", given, {"complaints": error.words})
        return await _list(request, principal, tx, rulebook, "open", None, filled, 422)
    except RedressError as error:
        filled = heads.refused(t, "declare", given, error)
        return await _list(request, principal, tx, rulebook, "open", None, filled, heads.status_of(error))
    return forms.back(request, f"/incidents/{row.id}")


class Unknown(Exception):
    """Some of what was filled in as complaints is none. `words` say which."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


async def _complaints(tx: AsyncSession, t: Translator, text: str) -> list[str]:
    """The ids of complaints that are named by reference or id, in any number of lines. Raises Unknown."""
    said = list(dict.fromkeys(one for one in _BETWEEN.split(text) if one and one.isprintable()))
    if len(said) > 1000:
        raise Unknown(t.gettext("At most 1,000 at once."))
    by_reference = await store.supervision.named(tx, [one.upper() for one in said])
    cases = await store.cases(tx, [one for one in said if one.upper() not in by_reference])
    unknown = [one for one in said if one.upper() not in by_reference and one not in cases]
    if unknown:
        raise Unknown(t.gettext("No case has this reference: {which}", which=", ".join(unknown[:10])))
    return list(dict.fromkeys(by_reference.get(one.upper(), one) for one in said))


@router.get("/incidents/{incident_id}", response_class=HTMLResponse)
async def one(
    incident_id: IncidentId,
    request: Request,
    principal: Reader,
    tx: Reading,
    rulebook: Rules,
    after: Annotated[str | None, Query(max_length=36, pattern=r"^[0-9a-f-]*$")] = None,
) -> Response:
    """An incident: how its complaints stand, its plan, and what can be done with all of them."""
    return await _one(request, principal, tx, rulebook, incident_id, NOTHING, after=after or None)


async def _one(
    request: Request,
    principal: Principal,
    tx: AsyncSession,
    rulebook: Rulebook,
    id: str,
    filled: Filled,
    *,
    status: int = 200,
    after: str | None = None,
    results: Mapping[str, Any] | None = None,
) -> Response:
    t = pages.translator(request)
    names = Names(t, rulebook)
    row = await incidents.found(tx, id)
    await tx.flush()
    states = await store.supervision.states(tx, id)
    members = await store.supervision.members(tx, id, after=after, limit=_SHOWN + 1)
    registers = rulebook.registers
    worded = {step.code: getattr(step.labels, _field(t)) for step in registers.rules.incidents.plan}
    plan = [_step(one, worded) for one in orjson.loads(row.plan)]
    size = sum(states.values())
    return heads.show(
        request,
        "incident.html",
        "/incidents",
        rulebook,
        status,
        incident=row,
        size=size,
        finished=states.get(State.CLOSED, 0) + states.get(State.RESOLVED, 0),
        states=[(one, states[one], round(100 * states[one] / size)) for one in State if one in states],
        plan=plan,
        undone=sum(not one["done"] for one in plan),
        members=members[:_SHOWN],
        next=members[_SHOWN - 1].complaint_id if len(members) > _SHOWN else None,
        results=None if results is None else await _results(tx, t, results),
        departments=names.choices("department"),
        verbs=[(verb, t.label("verb", verb)) for verb in get_args(Together)],
        outcomes=names.choices("outcome", i18n.codes("outcome")),
        root_causes=names.choices("root_cause"),
        reasons=names.choices("no_redress_reason"),
        ways=[(via, t.label("via", via)) for via in _VIA],
        kinds=[(kind, t.label("letter", kind)) for kind in KINDS],
        may=principal.has(*heads.LEADERS) and row.state == "open",
        may_narrate=principal.has(Role.SUPERVISOR),
        filled=filled,
    )


def _field(t: Translator) -> str:
    return t.language.replace("-", "_").lower()


def _step(step: dict[str, Any], worded: Mapping[str, str]) -> dict[str, Any]:
    """A step of a plan as the page shows it: one of the registers in the reader's language."""
    read = PlanStepIn.model_validate({name: step[name] for name in ("what", "who", "by", "code", "done_at")})
    what = worded.get(step["code"] or "", read.what)
    return {"what": what, "who": read.who, "by": read.by, "done": read.done_at, "done_by": step["done_by"]}


async def _results(tx: AsyncSession, t: Translator, found: Mapping[str, Any]) -> dict[str, Any]:
    """What became of each complaint when something was done with all of them: the refused ones, each with why."""
    refused = [one for one in found["results"] if one["code"] is not None]
    cases = await store.cases(tx, [one["complaint_id"] for one in refused])
    return {
        **{name: found[name] for name in ("done", "refused", "next")},
        "why": [
            {
                "id": one["complaint_id"],
                "reference": cases[one["complaint_id"]].reference,
                "why": heads.refusal_of(t, one["code"]),
            }
            for one in refused
        ],
    }


async def _changed(
    request: Request,
    principal: Principal,
    tx: AsyncSession,
    rulebook: Rulebook,
    id: str,
    form: str,
    given: Mapping[str, str],
    error: RedressError,
) -> Response:
    """The page again, with why it was not done. What there is no incident for is an error of its own."""
    t = pages.translator(request)
    await incidents.found(tx, id)
    filled = heads.refused(t, form, given, error)
    if isinstance(error, OtherIncident):
        filled = Filled(form, given, {"complaints": heads.refusal(t, error)})
    return await _one(request, principal, tx, rulebook, id, filled, status=heads.status_of(error))


@router.post("/incidents/{incident_id}/complaints", response_class=HTMLResponse)
async def join(
    incident_id: IncidentId, request: Request, principal: Leader, tx: Tx, clock: ClockDep, rulebook: Rules
) -> Response:
    """Handle more complaints under the incident."""
    given = await forms.given(request)
    t = pages.translator(request)
    try:
        ids = await _complaints(tx, t, given.get("complaints", ""))
        if not ids:
            raise Invalid(errors=(FieldError("/complaints", "is needed", "missing"),))
        await incidents.join(tx, incident_id, ids, by=principal.id, now=clock())
    except Unknown as error:
        filled = Filled("join", given, {"complaints": error.words})
        return await _one(request, principal, tx, rulebook, incident_id, filled, status=422)
    except RedressError as error:
        return await _changed(request, principal, tx, rulebook, incident_id, "join", given, error)
    return forms.back(request, f"/incidents/{incident_id}", "complaints")


@router.post("/incidents/{incident_id}/leave", response_class=HTMLResponse)
async def leave(
    incident_id: IncidentId, request: Request, principal: Leader, tx: Tx, clock: ClockDep, rulebook: Rules
) -> Response:
    """Handle a complaint by itself again."""
    given = await forms.given(request)
    try:
        await incidents.leave(tx, incident_id, [heads.plain(given, "complaint")], by=principal.id, now=clock())
    except RedressError as error:
        return await _changed(request, principal, tx, rulebook, incident_id, "leave", given, error)
    return forms.back(request, f"/incidents/{incident_id}", "complaints")


@router.post("/incidents/{incident_id}/plan", response_class=HTMLResponse)
async def replan(
    incident_id: IncidentId, request: Request, principal: Leader, tx: Tx, clock: ClockDep, rulebook: Rules
) -> Response:
    """Add a step, or say that one is done or no longer wanted (`done`, `drop`: its number)."""
    given = await forms.given(request)
    try:
        row = await incidents.found(tx, incident_id)
        plan = _replanned(request, row, given, clock)
        version = heads.whole_number(given.get("version", ""), "version")
        await incidents.replan(tx, incident_id, plan, version=version, by=principal.id, now=clock())
    except RedressError as error:
        return await _changed(request, principal, tx, rulebook, incident_id, "plan", given, error)
    return forms.back(request, f"/incidents/{incident_id}", "plan")


def _replanned(request: Request, row: Incident, given: Mapping[str, str], clock: ClockDep) -> Sequence[PlanStep]:
    kept = [{n: s[n] for n in ("what", "who", "by", "code", "done_at")} for s in orjson.loads(row.plan)]
    if "done" in given or "drop" in given:
        name = "done" if "done" in given else "drop"
        n = heads.whole_number(given[name], name)
        if n >= len(kept):
            raise Invalid(errors=(FieldError(f"/{name}", "is no step", "out_of_bounds"),))
        if name == "drop":
            del kept[n]
        else:
            kept[n]["done_at"] = kept[n]["done_at"] or clock()
    else:
        zone = request.app.state.settings.zone
        by = heads.local_time(given["by"], zone, "by") if "by" in given else None
        who = given.get("assignee") or given.get("who")
        kept.append(forms.model(PlanStepIn, {"what": given.get("what"), "who": who, "by": by}).model_dump())
    return [PlanStepIn.model_validate(step).step() for step in kept]


@router.post("/incidents/{incident_id}/close", response_class=HTMLResponse)
async def close(
    incident_id: IncidentId, request: Request, principal: Leader, tx: Tx, clock: ClockDep, rulebook: Rules
) -> Response:
    """Close the incident with what was found."""
    given = await forms.given(request)
    try:
        findings = forms.model(FindingsIn, {"findings": given.get("findings")}).findings
        version = heads.whole_number(given.get("version", ""), "version")
        await incidents.close(tx, incident_id, findings, version=version, by=principal.id, now=clock())
    except RedressError as error:
        return await _changed(request, principal, tx, rulebook, incident_id, "close", given, error)
    return forms.back(request, f"/incidents/{incident_id}")


@router.post("/incidents/{incident_id}/steps", response_class=HTMLResponse)
async def step_together(
    incident_id: IncidentId, request: Request, principal: Leader, tx: Tx, clock: ClockDep, rulebook: Rules
) -> Response:
    """Take one step with all complaints; the page says of each that it was refused to, why."""
    given = await forms.given(request)
    try:
        verb: Any = given.get("verb")
        if verb not in get_args(Together):
            raise Invalid(errors=(FieldError("/verb", "is no step", "enum"),))
        body = forms.model(StepIn, _particulars(given))
        found = await api.step_together(
            incident_id, verb, tx, clock, rulebook, principal, body, _AT_ONCE, _cursor(given)
        )
    except RedressError as error:
        return await _changed(request, principal, tx, rulebook, incident_id, "step", given, error)
    filled = Filled("step", given)
    return await _one(request, principal, tx, rulebook, incident_id, filled, results={**found, "form": "step"})


def _particulars(given: Mapping[str, str]) -> dict[str, Any]:
    """What the form holds, as a step of the API."""
    plain = ("text", "department", "category", "outcome", "root_cause", "no_redress_reason", "via", "assignee")
    found = heads.only(given, *plain)
    if "rights_told" in given:
        found["rights_told"] = True
    if "redress" in given:
        found["redress"] = {"value": given["redress"], "currency": given.get("currency", "").upper()}
    return found


def _cursor(given: Mapping[str, str]) -> str | None:
    found = heads.plain(given, "cursor")
    return found if re.fullmatch(r"[0-9a-f-]{1,36}", found) else None


@router.post("/incidents/{incident_id}/letters", response_class=HTMLResponse)
async def reply_together(
    incident_id: IncidentId, request: Request, principal: Leader, tx: Tx, clock: ClockDep, rulebook: Rules, bank: Bank
) -> Response:
    """The same letter to each complainant, in their language."""
    given = await forms.given(request)
    try:
        body = forms.model(LetterIn, heads.only(given, "kind", "explanation", "reply_by"))
        found = await api.reply_together(
            incident_id, body, tx, clock, rulebook, bank, principal, _AT_ONCE, _cursor(given)
        )
    except RedressError as error:
        return await _changed(request, principal, tx, rulebook, incident_id, "letter", given, error)
    filled = Filled("letter", given)
    return await _one(request, principal, tx, rulebook, incident_id, filled, results={**found, "form": "letter"})
