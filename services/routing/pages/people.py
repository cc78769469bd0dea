"""Pages of people: departments, who works there, what they can handle, and when they are away."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Path, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.routing import store
from services.routing.api.context import Rules, Today
from services.routing.api.staff import AbsenceIn, OfficerId, OfficerIn, check_codes
from services.routing.classifier import Rulebook
from services.routing.pages import heads
from services.routing.pages.heads import Names
from services.routing.usecases import staff
from services.routing.usecases.staff import OfficerNotFound
from shared import i18n
from shared.errors import FieldError, Invalid, RedressError
from shared.security.principal import Principal
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router

router = Router(include_in_schema=False)
Reader = Annotated[Principal, Depends(allow(*heads.PEOPLE))]
Keeper = Annotated[Principal, Depends(allow(*heads.KEEPERS, own_form=True))]
_SHOWN = 50
_LISTS = ("languages", "categories", "products")
After = Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]


@router.get("/people", response_class=HTMLResponse)
async def people(
    request: Request,
    principal: Reader,
    tx: Reading,
    today: Today,
    rulebook: Rules,
    department: heads.Department = None,
    after: After = None,
) -> Response:
    """Departments and officers."""
    chosen = await heads.own_department(tx, principal, department)
    return await _list(request, principal, tx, today, rulebook, chosen, after or None, NOTHING)


async def _list(
    request: Request,
    principal: Principal,
    tx: AsyncSession,
    today: Today,
    rulebook: Rulebook,
    department: str | None,
    after: str | None,
    filled: Filled,
    status: int = 200,
) -> Response:
    names = Names(pages.translator(request), rulebook)
    rows = await store.supervision.officers(tx, department, after=after, limit=_SHOWN + 1)
    loads = await store.case.loads(tx, [row.id for row in rows])
    away = await store.staff.absences(tx, today)
    return heads.show(
        request,
        "people.html",
        "/people",
        rulebook,
        status,
        department=department,
        departments=names.choices("department"),
        officers=[staff.view(row, away, loads[row.id]) for row in rows[:_SHOWN]],
        next=rows[_SHOWN - 1].id if len(rows) > _SHOWN else None,
        today=today,
        may=principal.has(*heads.KEEPERS),
        **_choices(names),
        filled=filled,
    )


def _choices(names: Names) -> dict[str, Any]:
    return {
        "spoken": list(i18n.LANGUAGES.items()),
        "categories": names.choices("category"),
        "products": names.choices("product"),
    }


@router.get("/people/{officer_id}", response_class=HTMLResponse)
async def officer(
    officer_id: OfficerId, request: Request, principal: Reader, tx: Reading, today: Today, rulebook: Rules
) -> Response:
    """An officer: what they can handle, and when they are away."""
    return await _officer(request, principal, tx, today, rulebook, officer_id, NOTHING)


async def _officer(
    request: Request,
    principal: Principal,
    tx: AsyncSession,
    today: Today,
    rulebook: Rulebook,
    id: str,
    filled: Filled,
    status: int = 200,
) -> Response:
    names = Names(pages.translator(request), rulebook)
    row = await tx.get(store.staff.Officer, id)
    if row is None:
        raise OfficerNotFound
    loads = await store.case.loads(tx, [id])
    shown = staff.view(row, await store.staff.absences(tx, today), loads[id])
    return heads.show(
        request,
        "officer.html",
        "/people",
        rulebook,
        status,
        officer=shown,
        departments=names.choices("department"),
        today=today,
        may=principal.has(*heads.KEEPERS),
        **_choices(names),
        filled=filled,
    )


async def _said(request: Request) -> tuple[dict[str, str], dict[str, Any]]:
    """What the form of an officer holds, as typed and as the API takes it: ticked boxes of one name are a list."""
    form = await request.form(max_files=0, max_fields=200)
    given = await forms.given(request)
    found = heads.only(given, "department", "branch", "most_open")
    for name in _LISTS:
        found[name] = [value for value in form.getlist(name) if isinstance(value, str) and value]
        given[name] = " ".join(found[name])
    found["active"] = "active" in given
    return given, found


@router.post("/people", response_class=HTMLResponse)
async def add(request: Request, principal: Keeper, tx: Tx, clock: ClockDep, today: Today, rulebook: Rules) -> Response:
    """Put an officer into the register."""
    given, said = await _said(request)
    try:
        id = heads.plain(given, "officer")
        if not id or "/" in id:
            raise Invalid(errors=(FieldError("/officer", "is needed", "missing"),))
        if await tx.get(store.staff.Officer, id) is not None:
            raise Invalid(errors=(FieldError("/officer", "is there already", "known_officer"),))
        body = forms.model(OfficerIn, said)
        check_codes(body, rulebook)
        await staff.save(tx, id, body.model_dump(), actor=principal.id, now=clock())
    except RedressError as error:
        filled = heads.refused(pages.translator(request), "officer", given, error)
        status = heads.status_of(error)
        return await _list(request, principal, tx, today, rulebook, None, None, filled, status)
    return forms.back(request, "/people", "officers", department=body.department)


@router.post("/people/{officer_id}", response_class=HTMLResponse)
async def save(
    officer_id: OfficerId, request: Request, principal: Keeper, tx: Tx, clock: ClockDep, today: Today, rulebook: Rules
) -> Response:
    """Change what an officer can handle."""
    given, said = await _said(request)
    if await tx.get(store.staff.Officer, officer_id) is None:
        raise OfficerNotFound
    try:
        body = forms.model(OfficerIn, said)
        check_codes(body, rulebook)
        await staff.save(tx, officer_id, body.model_dump(), actor=principal.id, now=clock())
    except RedressError as error:
        filled = heads.refused(pages.translator(request), "officer", given, error)
        return await _officer(request, principal, tx, today, rulebook, officer_id, filled, heads.status_of(error))
    return forms.back(request, _address(officer_id))


@router.post("/people/{officer_id}/absences", response_class=HTMLResponse)
async def send_away(
    officer_id: OfficerId, request: Request, principal: Keeper, tx: Tx, clock: ClockDep, today: Today, rulebook: Rules
) -> Response:
    """Note when an officer is away."""
    given = await forms.given(request)
    try:
        body = forms.model(AbsenceIn, {name: given.get(name) for name in ("first", "last")})
        await staff.send_away(tx, officer_id, body.first, body.last, actor=principal.id, now=clock())
    except RedressError as error:
        shown_at = {"": "last"}  # that the last day lies before the first concerns no single field
        filled = heads.refused(pages.translator(request), "absence", given, error)
        filled = Filled(filled.form, given, {shown_at.get(name, name): why for name, why in filled.wrong.items()})
        return await _officer(request, principal, tx, today, rulebook, officer_id, filled, heads.status_of(error))
    return forms.back(request, _address(officer_id), "absences")


@router.post("/people/{officer_id}/absences/{absence_id}/end", response_class=HTMLResponse)
async def call_back(
    officer_id: OfficerId,
    absence_id: Annotated[str, Path(max_length=36, pattern=r"^[0-9a-f-]+$")],
    request: Request,
    principal: Keeper,
    tx: Tx,
    clock: ClockDep,
    today: Today,
    rulebook: Rules,
) -> Response:
    """Take an absence back."""
    try:
        await staff.call_back(tx, officer_id, absence_id, actor=principal.id, now=clock())
    except RedressError as error:
        filled = heads.refused(pages.translator(request), "absence", {}, error)
        return await _officer(request, principal, tx, today, rulebook, officer_id, filled, heads.status_of(error))
    return forms.back(request, _address(officer_id), "absences")


def _address(officer_id: str) -> str:
    return f"/people/{quote(officer_id, safe='')}"
