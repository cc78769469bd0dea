"""The page of those who head departments: loads, what waits for a second person, open questions, what moved lately."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

import orjson
from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.routing import store
from services.routing.api.cases import ComplaintId, StepIn
from services.routing.api.context import Rules, actor_of
from services.routing.classifier import Rulebook
from services.routing.domain.case import Actor
from services.routing.domain.machine import Verb
from services.routing.pages import heads
from services.routing.pages.heads import Leader, Names
from services.routing.store import ComplaintCase
from services.routing.store.supervision import Load
from services.routing.usecases import steps
from shared.errors import RedressError
from shared.i18n import Translator
from shared.security.principal import Principal
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router

router = Router(include_in_schema=False)
Reader = Annotated[Principal, Depends(allow(*heads.LEADS))]
_OFFICERS = 100
_WAITING = 10
_LISTED = 15
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Desk:
    """An officer's open cases by state, and how many are enough; None for somebody who is not in the register."""

    id: str
    cases: int
    most: int | None
    states: Sequence[tuple[str, int]]
    active: bool = True


@router.get("/supervision", response_class=HTMLResponse)
async def supervision(
    request: Request,
    principal: Reader,
    tx: Reading,
    clock: ClockDep,
    rulebook: Rules,
    department: heads.Department = None,
) -> Response:
    """Loads, approvals, questions and transfers."""
    chosen = await heads.own_department(tx, principal, department)
    return await _page(request, principal, tx, clock, rulebook, chosen, NOTHING)


async def _page(
    request: Request,
    principal: Principal,
    tx: AsyncSession,
    clock: ClockDep,
    rulebook: Rulebook,
    department: str | None,
    filled: Filled,
    status: int = 200,
) -> Response:
    t = pages.translator(request)
    names = Names(t, rulebook)
    counted = [one for one in await store.supervision.loads(tx) if department in (None, one.department)]
    known = await store.supervision.officers(tx, department, after=None, limit=_OFFICERS + 1)
    proposed = await store.supervision.waiting(tx, "proposed", department, after=None, limit=_WAITING)
    asked = [department] if department else list(rulebook.departments)
    moved = await store.supervision.transfers(tx, clock() - _WEEK, _LISTED if department is None else 10 * _LISTED)
    may = principal.has(*heads.LEADERS)
    actor = await actor_of(tx, principal)
    officers = _desks(counted, known[:_OFFICERS], everybody=len(known) <= _OFFICERS)
    return heads.show(
        request,
        "supervision.html",
        "/supervision",
        rulebook,
        status,
        department=department,
        departments=names.choices("department"),
        officers=officers,
        most=max((max(one.cases, one.most or 0) for one in officers), default=0),
        cut=len(known) > _OFFICERS,
        by_department=_by_department(counted, rulebook, department),
        triage=sum(one.cases for one in counted if one.state == "triage"),
        proposed=[_proposal(t, names, row, rulebook, actor) for row in proposed],
        waiting=sum(one.cases for one in counted if one.state == "proposed"),
        questions=await store.supervision.questions(tx, asked, _LISTED),
        moved=_moved(moved, department)[:_LISTED],
        may=may,
        filled=filled,
    )


def _desks(counted: Sequence[Load], known: Sequence[store.staff.Officer], *, everybody: bool) -> list[Desk]:
    """By name, not by load: this is no league table. Those who work here but stand in no register are there too."""
    by_officer: dict[str, Counter[str]] = defaultdict(Counter)
    for one in counted:
        if one.assignee is not None:
            by_officer[one.assignee][one.state] += one.cases
    rows = {row.id: row for row in known}
    others = by_officer.keys() - rows.keys() if everybody else ()
    return [
        Desk(
            id,
            by_officer[id].total(),
            rows[id].most_open if id in rows else None,
            sorted(by_officer[id].items()),
            rows[id].active if id in rows else True,
        )
        for id in sorted([*rows, *others])[:_OFFICERS]
    ]


def _by_department(counted: Sequence[Load], rulebook: Rulebook, department: str | None) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {
        code: {"code": code, "open": 0, "unassigned": 0, "proposed": 0}
        for code in rulebook.departments
        if department in (None, code)
    }
    for one in counted:
        line = found.setdefault(one.department, {"code": one.department, "open": 0, "unassigned": 0, "proposed": 0})
        line["open"] += one.cases
        line["unassigned"] += one.cases if one.assignee is None else 0
        line["proposed"] += one.cases if one.state == "proposed" else 0
    return list(found.values())


def _proposal(t: Translator, names: Names, row: ComplaintCase, rulebook: Rulebook, actor: Actor) -> dict[str, Any]:
    """A decision that waits for a second person, and why this reader may not be the one, if so."""
    case = steps.domain(row)
    decision = case.proposed
    assert decision is not None, "a case in this state holds a proposal"
    hindrance = ""
    try:
        rulebook.powers.check_approver(case, decision, actor)
    except RedressError as error:
        hindrance = heads.refusal(t, error)
    return {
        "id": row.complaint_id,
        "reference": row.reference,
        "version": row.version,
        "department": row.department,
        "severity": row.severity,
        "by": row.proposed_by,
        "at": row.proposed_at,
        "needs": [t.label("second_person", one) for one in rulebook.powers.reasons(case, decision)],
        "hindrance": hindrance,
        **heads.decided(t, names, decision),
    }


def _moved(lines: Sequence[tuple[Any, str]], department: str | None) -> list[dict[str, Any]]:
    found = []
    for line, reference in lines:
        changed = orjson.loads(line.detail).get("changed", {}).get("department", (None, None))
        if department is None or department in changed:
            at = {"id": line.complaint_id, "reference": reference, "at": line.at, "by": line.actor}
            found.append({**at, "before": changed[0], "after": changed[1], "text": line.text})
    return found


@router.post("/supervision/{complaint_id}/{verb}", response_class=HTMLResponse)
async def review(
    complaint_id: ComplaintId,
    verb: Literal["approve", "return"],
    request: Request,
    principal: Leader,
    tx: Tx,
    clock: ClockDep,
    rulebook: Rules,
) -> Response:
    """Agree to a proposal, or send it back with a reason."""
    given = await forms.given(request)
    back_to = heads.plain(given, "department") or heads.ALL
    try:
        said = forms.model(StepIn, {"text": given.get("text")})
        await steps.take(
            tx,
            complaint_id,
            said.action(Verb(verb)),
            actor=await actor_of(tx, principal),
            rulebook=rulebook,
            version=heads.whole_number(given.get("version", ""), "version"),
            now=clock(),
            words=steps.Words(said.text),
        )
    except RedressError as error:
        filled = heads.refused(pages.translator(request), f"p-{complaint_id}", given, error)
        chosen = await heads.own_department(tx, principal, back_to)
        return await _page(request, principal, tx, clock, rulebook, chosen, filled, heads.status_of(error))
    return forms.back(request, "/supervision", "approvals", department=back_to)
