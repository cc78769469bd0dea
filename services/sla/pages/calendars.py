"""The calendars that deadlines are counted with: their holidays, where those come from, and who stands by them."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.sla.api.context import READERS, CurrentDep
from services.sla.calendars.sources import Source
from services.sla.domain.calendar import Calendar
from services.sla.domain.policy import Policies
from services.sla.pages.frame import refused, show, status_of
from services.sla.pages.packs import ConfirmIn, FormAdmin, Reader
from services.sla.usecases import confirmations
from services.sla.usecases.confirmations import CalendarNotFound
from shared.errors import Conflict, Invalid
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router

router = Router(include_in_schema=False)
CalendarId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}$")]
_NONE = Source("", "")


@router.get("/calendars", response_class=HTMLResponse, dependencies=[Depends(allow(*READERS))])
async def calendars(request: Request, session: Reading, current: CurrentDep, now: ClockDep) -> Response:
    """Every calendar, until when its holidays are published, and who has confirmed it."""
    policies = current.policies
    confirmed = await confirmations.of_calendars(session, policies)
    t = pages.translator(request)
    today = now().astimezone(t.zone).date()
    used = {pack.calendar for pack in policies.packs if pack.in_force(today)}
    listed = [
        {
            "id": one.id,
            "title": t.label("calendar", one.id),
            "zone": one.zone.key,
            "confirmed_to": one.confirmed_to,
            "ends_soon": (one.confirmed_to - today).days < 60,
            "used": one.id in used,
            "changes": len(_source(request, one.id).changes),
            "row": confirmed.get(one.id),
        }
        for one in policies.calendars.values()
    ]
    return show(
        request,
        "calendars.html",
        "/calendars",
        calendars=sorted(listed, key=lambda c: (not c["used"], c["title"])),
        unconfirmed=sum(bool(c["used"]) and c["row"] is None for c in listed),
    )


@router.get("/calendars/{id}", response_class=HTMLResponse)
async def calendar(
    request: Request, me: Reader, id: CalendarId, session: Reading, current: CurrentDep, now: ClockDep
) -> Response:
    """One calendar, this year and the next. Raises CalendarNotFound."""
    return await _page(request, session, current.policies, id, me, _year(request, now), NOTHING)


@router.post("/calendars/{id}/confirm", response_class=HTMLResponse)
async def confirm(
    request: Request, id: CalendarId, tx: Tx, current: CurrentDep, now: ClockDep, by: FormAdmin
) -> Response:
    """Stand by a calendar as it is. Raises CalendarNotFound."""
    given = await forms.given(request)
    try:
        body = forms.model(ConfirmIn, {n: given.get(n) for n in ("edition", "note")})
        await confirmations.confirm_calendar(tx, current.policies, id, body.edition, body.note, by=by, now=now())
    except (Invalid, Conflict) as error:
        filled = refused(pages.translator(request), "confirm", given, error)
        year = _year(request, now)
        return await _page(request, tx, current.policies, id, by, year, filled, status_of(error))
    return forms.back(request, f"/calendars/{id}")


def _year(request: Request, now: ClockDep) -> int:
    return now().astimezone(pages.translator(request).zone).year


def _source(request: Request, id: str) -> Source:
    found: Source = request.app.state.calendar_sources.get(id, _NONE)
    return found


async def _page(
    request: Request,
    session: AsyncSession,
    policies: Policies,
    id: str,
    me: Principal,
    year: int,
    filled: Filled,
    status: int = 200,
) -> Response:
    found = policies.calendars.get(id)
    if found is None:
        raise CalendarNotFound
    t = pages.translator(request)
    row = (await confirmations.of_calendars(session, policies)).get(id)
    return show(
        request,
        "calendar.html",
        "/calendars",
        status,
        calendar=found,
        edition=found.version,
        by=row.by if row else None,
        at=row.at if row else None,
        note=row.note if row else "",
        source=_source(request, id),
        hours=[
            (t.label("weekday", str(n)), [f"{s.since:%H:%M}–{s.until:%H:%M}" for s in found.hours[n]]) for n in range(7)
        ],
        years=[(y, _months(found, y)) for y in (year, year + 1)],
        packs=sorted({p.id for p in policies.packs if p.calendar == id}),
        may=me.has(Role.ADMIN),
        filled=filled,
    )


def _months(found: Calendar, year: int) -> list[tuple[date, list[dict[str, Any]]]]:
    """The days of a year that are not what they look like, by month."""
    days = [(day, why, False) for day, why in found.closed.items()]
    days += [(day, why, True) for day, why in found.opened.items()]
    months: dict[date, list[dict[str, Any]]] = {}
    for day, why, worked in _of_year(sorted(days), year):
        one = {"day": day, "why": why, "worked": worked, "provisional": day > found.confirmed_to}
        months.setdefault(day.replace(day=1), []).append(one)
    return list(months.items())


def _of_year(days: Iterable[tuple[date, str, bool]], year: int) -> Iterable[tuple[date, str, bool]]:
    return (one for one in days if one[0].year == year)
