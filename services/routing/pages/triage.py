"""The page of triage: what neither the rules nor the model were sure of, one complaint at a time; a person's word is
an example to learn from."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.routing import store
from services.routing.api.cases import ComplaintId, StepIn
from services.routing.api.context import Rules, actor_of
from services.routing.classifier import Rulebook
from services.routing.domain.machine import Verb
from services.routing.pages import heads
from services.routing.pages.heads import Names
from services.routing.store import ComplaintCase
from services.routing.usecases import steps, triage
from shared import audit
from shared.errors import NotFound, RedressError
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router

router = Router(include_in_schema=False)
Reader = Annotated[Principal, Depends(allow(*heads.SORTERS))]
Sorter = Annotated[Principal, Depends(allow(Role.SUPERVISOR, own_form=True))]
_BESIDE = 15  # cases in the list
_WORDS = 8
Cursor = Annotated[str | None, Query(max_length=70, pattern=r"^[^\x00-\x1f\x7f]*$")]
CaseWanted = Annotated[str | None, Query(max_length=64, pattern=r"^[A-Za-z0-9_-]*$")]
LastDone = Annotated[str | None, Query(max_length=80, pattern=r"^([A-Za-z0-9_-]{1,64}\.[0-9]{1,9})?$")]


@router.get("/triage", response_class=HTMLResponse)
async def triage_page(
    request: Request,
    principal: Reader,
    tx: Tx,
    clock: ClockDep,
    rulebook: Rules,
    department: heads.Department = None,
    after: Cursor = None,
    case: CaseWanted = None,
    done: LastDone = None,
) -> Response:
    """A complaint and what it may be, the others beside it. Reading the narrative is audited."""
    chosen = await heads.own_department(tx, principal, department)
    return await _page(request, principal, tx, clock, rulebook, chosen, after, case, done, NOTHING)


async def _page(
    request: Request,
    principal: Principal,
    tx: AsyncSession,
    clock: ClockDep,
    rulebook: Rulebook,
    department: str | None,
    after: str | None,
    wanted: str | None,
    done: str | None,
    filled: Filled,
    status: int = 200,
) -> Response:
    t = pages.translator(request)
    names = Names(t, rulebook)
    rows = list(await store.supervision.waiting(tx, "triage", department, after=after or None, limit=_BESIDE + 1))
    row = next((one for one in rows if one.complaint_id == wanted), None)
    if row is None and wanted:
        asked = (await store.cases(tx, [wanted])).get(wanted)
        row = asked if asked is not None and asked.state == "triage" else None
    row = row or next(iter(rows), None)
    if row is not None:
        audit.add(tx, principal.id, "case.read", row.complaint_id, now=clock())
    return heads.show(
        request,
        "triage.html",
        "/triage",
        rulebook,
        status,
        department=department,
        departments=names.choices("department"),
        products=names.choices("product"),
        queue=rows[:_BESIDE],
        more=len(rows) > _BESIDE,
        case=None if row is None else _shown(row, rulebook),
        after=after or "",
        first_again=bool(after) and not rows,
        last=await _last(tx, principal, done),
        done=done or "",
        triage=rulebook.registers.rules.triage,
        may=principal.has(Role.SUPERVISOR),
        filled=filled,
    )


def _shown(row: ComplaintCase, rulebook: Rulebook) -> dict[str, Any]:
    suggested, found = triage.suggestions(row, rulebook)
    plain = ("complaint_id", "reference", "received_at", "narrative", "desired_outcome", "channel", "product")
    return {
        **{name: getattr(row, name) for name in (*plain, "category", "department", "severity", "version", "sort_key")},
        "language": row.language or "",
        "suggested": suggested,
        "heard": [{"category": s.rule.category, "words": list(s.words)} for s in found.spoke if s.rule.category],
        "weighed": [word.text for word in found.words[:_WORDS]],
    }


async def _last(tx: AsyncSession, principal: Principal, done: str | None) -> dict[str, Any] | None:
    """What this person decided last, as long as nobody has touched it since."""
    if not done:
        return None
    id, _, version = done.partition(".")
    row = (await store.cases(tx, [id])).get(id)
    if row is None or row.version != int(version) or row.state != "routed":
        return None
    plain = ("complaint_id", "reference", "category", "department", "version")
    return {name: getattr(row, name) for name in plain}


@router.post("/triage/undo", response_class=HTMLResponse)
async def undo(request: Request, principal: Sorter, tx: Tx, clock: ClockDep, rulebook: Rules) -> Response:
    """Take back the last decision; the complaint is shown again."""
    given = await forms.given(request)
    id, department = heads.plain(given, "case"), heads.plain(given, "department") or heads.ALL
    try:
        version = heads.whole_number(given.get("version", ""), "version")
        await triage.undo(tx, id, by=principal.id, version=version, now=clock())
    except RedressError as error:
        filled = heads.refused(pages.translator(request), "undo", given, error)
        return await _again(request, principal, tx, clock, rulebook, given, None, filled, error)
    return forms.back(request, "/triage", department=department, case=id, after=heads.plain(given, "after"))


@router.post("/triage/{complaint_id}", response_class=HTMLResponse)
async def decide(
    complaint_id: ComplaintId, request: Request, principal: Sorter, tx: Tx, clock: ClockDep, rulebook: Rules
) -> Response:
    """Say what a complaint is. Whose it is then, the routing table says, unless the form names a department."""
    given = await forms.given(request)
    department = heads.plain(given, "department") or heads.ALL
    try:
        row = (await store.cases(tx, [complaint_id])).get(complaint_id)
        if row is None:
            raise NotFound
        said = forms.model(
            StepIn, {"category": given.get("category"), "product": given.get("product"), "department": given.get("to")}
        )
        category = said.category or row.category
        if said.department is None:
            to = triage.routed(row, category, said.product or row.product, rulebook)
            said = said.model_copy(update={"department": to.department})
        changed = await steps.take(
            tx,
            complaint_id,
            said.model_copy(update={"category": category}).action(Verb.TRIAGE),
            actor=await actor_of(tx, principal),
            rulebook=rulebook,
            version=heads.whole_number(given.get("version", ""), "version"),
            now=clock(),
        )
    except RedressError as error:
        filled = heads.refused(pages.translator(request), "triage", given, error)
        return await _again(request, principal, tx, clock, rulebook, given, complaint_id, filled, error)
    done = f"{complaint_id}.{changed.version}"
    return forms.back(request, "/triage", department=department, after=heads.plain(given, "after"), done=done)


async def _again(
    request: Request,
    principal: Principal,
    tx: AsyncSession,
    clock: ClockDep,
    rulebook: Rulebook,
    given: dict[str, str],
    case: str | None,
    filled: Filled,
    error: RedressError,
) -> Response:
    chosen = await heads.own_department(tx, principal, heads.plain(given, "department") or heads.ALL)
    after, status = heads.plain(given, "after"), heads.status_of(error)
    return await _page(request, principal, tx, clock, rulebook, chosen, after, case, None, filled, status)
