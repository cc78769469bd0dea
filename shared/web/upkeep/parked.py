"""`/parked`: events that could not be handled. Their payloads are not shown: they may hold anything."""

from typing import Annotated, Any

from fastapi import Path, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import HTMLResponse, Response

from shared import parking
from shared.db import SystemTables
from shared.errors import FieldError, Invalid, NotFound
from shared.i18n import mark
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.app import ClockDep, Reading
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router
from shared.web.upkeep.common import PAGE, AdminForm, Reader, case_url, database, frame

NAMES = {"reason": mark("Why it need not be applied")}
MOST_REASON = 180
Number = Annotated[int, Path(ge=1, le=2**62)]


def router() -> Router:
    found = Router(include_in_schema=False)
    found.add_api_route("/parked", parked, methods=["GET"], response_class=HTMLResponse)
    found.add_api_route("/parked/replay", replay_all, methods=["POST"], response_class=HTMLResponse)
    found.add_api_route("/parked/{number}", one, methods=["GET"], response_class=HTMLResponse)
    found.add_api_route("/parked/{number}/replay", replay_one, methods=["POST"], response_class=HTMLResponse)
    found.add_api_route("/parked/{number}/settle", settle, methods=["POST"], response_class=HTMLResponse)
    return found


async def parked(
    request: Request,
    principal: Reader,
    session: Reading,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    replayed: Annotated[int | None, Query(ge=0)] = None,
    failed: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """What failed and is not settled, oldest first, each with how many wait behind it."""
    rows = await parking.stuck(session, database(request).tables, after=after, limit=PAGE + 1)
    return pages.render(
        request,
        "upkeep/parked.html",
        **frame(request, "parked"),
        rows=[dict(row) | {"case": case_url(request, row["subject"])} for row in rows[:PAGE]],
        further=rows[PAGE - 1]["id"] if len(rows) > PAGE else None,
        after=after,
        may=principal.has(Role.ADMIN),
        replayed=replayed,
        failed=failed,
    )


async def one(request: Request, number: Number, principal: Reader, session: Reading) -> Response:
    """One of them, with the forms to replay or to settle it."""
    return await _page(request, number, principal, session, NOTHING)


async def _page(request: Request, number: int, principal: Principal, session: AsyncSession, filled: Filled) -> Response:
    row = await _found(session, database(request).tables, number)
    return pages.render(
        request,
        "upkeep/parked_one.html",
        422 if filled.wrong else 200,
        **frame(request, "parked"),
        one=row,
        case=case_url(request, row["subject"]),
        may=principal.has(Role.ADMIN),
        filled=filled,
        names=NAMES,
        kept=False,
        most=MOST_REASON,
    )


async def _found(session: AsyncSession, tables: SystemTables, number: int) -> Any:
    row = await parking.waiting(session, tables, number)
    if row is None:
        raise NotFound("No parked event has this number.")
    return row


async def replay_all(request: Request, principal: AdminForm, clock: ClockDep) -> Response:
    """Handle all of them again, in order."""
    state = request.app.state
    done = await parking.replay(state.db, state.handle, clock, actor=principal.id)
    return _told(request, done)


async def replay_one(request: Request, number: Number, principal: AdminForm, clock: ClockDep) -> Response:
    """Handle one again and then those behind it. Raises NotFound."""
    state = request.app.state
    async with state.db.reading() as session:
        row = await _found(session, state.db.tables, number)
        ids = await parking.of_subject(session, state.db.tables, row["subject"]) if row["subject"] else {number}
    done = await parking.replay(state.db, state.handle, clock, actor=principal.id, ids=ids | {number})
    return _told(request, done)


def _told(request: Request, done: dict[str, Any]) -> Response:
    counts = {"replayed": str(done["replayed"]), "failed": str(len(done["failed"]))}
    return forms.back(request, "/parked", **counts)


async def settle(request: Request, number: Number, principal: AdminForm, clock: ClockDep) -> Response:
    """Settle one without handling it, for a reason that stays. Raises NotFound."""
    given = await forms.given(request)
    db = database(request)
    reason = given.get("reason", "")
    try:
        if not reason:
            raise Invalid(errors=(FieldError("/reason", "is needed", "missing"),))
        if len(reason) > MOST_REASON:
            raise Invalid(errors=(FieldError("/reason", "is too long", "string_too_long"),))
        await parking.discard(db, number, actor=principal.id, reason=reason, clock=clock)
    except Invalid as error:
        filled = forms.failed(pages.translator(request), "settle", given, error)
        async with db.reading() as session:
            return await _page(request, number, principal, session, filled)
    return forms.back(request, "/parked")
