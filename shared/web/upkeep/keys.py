"""`/keys`: the API keys of a service. An admin makes, rotates and revokes them; a key is shown once."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Path, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import HTMLResponse, Response

from shared import i18n
from shared.clock import Clock
from shared.db import SystemTables
from shared.errors import FieldError, Invalid, NotFound
from shared.i18n import mark
from shared.security import keys
from shared.security.principal import Principal, Role, Scope
from shared.web import forms, pages
from shared.web.app import ClockDep, Reading
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router
from shared.web.upkeep.common import AdminForm, Reader, database, frame

OLD = timedelta(days=365)
"""A key older than this should be rotated."""
OVERLAPS = ("1", "24", "168")  # hours
MOST_DAYS = 3650
NAMES = {
    "name": mark("Name"),
    "roles": mark("Roles of staff"),
    "scopes": mark("What a system may do"),
    "channels": mark("Channels it may post for"),
    "days": mark("Ends after so many days"),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,59}\Z")
Id = Annotated[str, Path(pattern=r"^[0-9a-f]{4,16}$")]


def router() -> Router:
    found = Router(include_in_schema=False)
    found.add_api_route("/keys", listing, methods=["GET"], response_class=HTMLResponse)
    found.add_api_route("/keys", create, methods=["POST"], response_class=HTMLResponse)
    found.add_api_route("/keys/{id}", one, methods=["GET"], response_class=HTMLResponse)
    found.add_api_route("/keys/{id}/rotate", rotate, methods=["POST"], response_class=HTMLResponse)
    found.add_api_route("/keys/{id}/revoke", revoke, methods=["POST"], response_class=HTMLResponse)
    return found


async def listing(request: Request, principal: Reader, session: Reading, clock: ClockDep) -> Response:
    """Every key without its secret: those in use, then those that have ended."""
    return await _page(request, principal, session, clock(), NOTHING, {})


async def _page(
    request: Request,
    principal: Principal,
    session: AsyncSession,
    now: datetime,
    filled: Filled,
    chosen: Mapping[str, list[str]],
) -> Response:
    rows = [_shown(row, now) for row in await keys.listing(session, database(request).tables)]
    t = pages.translator(request)
    return pages.render(
        request,
        "upkeep/keys.html",
        422 if filled.wrong else 200,
        **frame(request, "keys"),
        live=[row for row in rows if not row["ended"]],
        ended=[row for row in rows if row["ended"]][:100],
        may=principal.has(Role.ADMIN),
        own=principal.key_id,
        roles=[(role.value, t.label("role", role.value)) for role in Role],
        scopes=[(scope.value, t.label("scope", scope.value)) for scope in Scope],
        channels=[(code, t.label("channel", code)) for code in i18n.codes("channel")],
        chosen={name: chosen.get(name, []) for name in ("roles", "scopes", "channels")},
        filled=filled,
        names=NAMES,
        kept=forms.kept(request),
        most_days=MOST_DAYS,
    )


def _shown(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    expired = row["expires_at"] is not None and row["expires_at"] <= now
    return {
        **row,
        "roles": row["roles"].split(),
        "scopes": row["scopes"].split(),
        "channels": row["channels"].split(),
        "ended": row["revoked_at"] or (row["expires_at"] if expired else None),
        "old": now - row["created_at"] > OLD,
    }


async def create(request: Request, principal: AdminForm, clock: ClockDep) -> Response:
    """Make a key; the answer shows it, and nothing else ever will."""
    state = request.app.state
    form = await request.form(max_files=0, max_fields=100)
    chosen = {name: [str(v) for v in form.getlist(name)] for name in ("roles", "scopes", "channels")}
    given = {name: str(form.get(name, "")).strip() for name in ("name", "days")}
    now = clock()
    try:
        new = _new(given, chosen, now)
        async with state.db.transaction() as tx:
            if any(not row["ended"] and row["name"] == new.name for row in await _all(tx, state.db.tables, now)):
                raise Invalid(errors=(FieldError("/name", "is in use", "name_taken"),))
            token = await keys.create(tx, state.db.tables, new, actor=principal.id, now=now)
    except Invalid as error:
        filled = forms.failed(pages.translator(request), "create", given, error)
        async with state.db.reading() as session:
            return await _page(request, principal, session, now, filled, chosen)
    return _once(request, new.name, token, None)


def _new(given: Mapping[str, str], chosen: Mapping[str, list[str]], now: datetime) -> keys.NewKey:
    """Raises Invalid."""
    wrong = []
    if not _NAME.match(given["name"]):
        wrong.append(FieldError("/name", "is no name", "string_pattern_mismatch" if given["name"] else "missing"))
    known: dict[str, set[str]] = {"roles": set(Role), "scopes": set(Scope), "channels": set(i18n.codes("channel"))}
    wrong += [
        FieldError(f"/{name}", "is none of these", "enum") for name, codes in known.items() if set(chosen[name]) - codes
    ]
    if not chosen["roles"] and not chosen["scopes"]:
        wrong.append(FieldError("/roles", "nothing is allowed", "no_rights"))
    ends = None
    if given["days"]:
        days = (
            int(given["days"]) if given["days"].isascii() and given["days"].isdigit() and len(given["days"]) < 6 else 0
        )
        if not 1 <= days <= MOST_DAYS:
            wrong.append(FieldError("/days", "is no number of days", "int_parsing"))
        else:
            ends = now + timedelta(days=days)
    if wrong:
        raise Invalid("Some values cannot be taken; see errors.", errors=tuple(wrong))
    return keys.NewKey(given["name"], chosen["roles"], chosen["scopes"], chosen["channels"], ends)


async def _all(session: AsyncSession, tables: SystemTables, now: datetime) -> list[dict[str, Any]]:
    return [_shown(row, now) for row in await keys.listing(session, tables)]


async def one(request: Request, id: Id, principal: Reader, session: Reading, clock: ClockDep) -> Response:
    """A key, with the forms to rotate and to revoke it."""
    row = await _live(request, session, id, clock)
    return pages.render(
        request,
        "upkeep/key.html",
        **frame(request, "keys"),
        one=row,
        may=principal.has(Role.ADMIN),
        own=principal.key_id,
        overlaps=OVERLAPS,
    )


async def _live(request: Request, session: AsyncSession, id: str, clock: Clock) -> dict[str, Any]:
    """Raises NotFound for a key that has ended too."""
    rows = await _all(session, database(request).tables, clock())
    found = next((row for row in rows if row["id"] == id and not row["ended"]), None)
    if found is None:
        raise NotFound("No key has this id.")
    return found


async def rotate(request: Request, id: Id, principal: AdminForm, clock: ClockDep) -> Response:
    """A new key with the same rights; the old one ends after the overlap. Raises NotFound."""
    state = request.app.state
    hours = (await forms.given(request)).get("overlap", "")
    if hours not in OVERLAPS:
        raise Invalid(errors=(FieldError("/overlap", "is none of these", "enum"),))
    async with state.db.transaction() as tx:
        row = await _live(request, tx, id, clock)
        overlap = timedelta(hours=int(hours))
        token = await keys.rotate(tx, state.db.tables, id, overlap=overlap, actor=principal.id, now=clock())
    ends = min(clock() + overlap, row["expires_at"] or clock() + overlap)
    return _once(request, row["name"], token, ends)


def _once(request: Request, name: str, token: str, old_ends: datetime | None) -> Response:
    answer = pages.render(
        request, "upkeep/key_once.html", 201, **frame(request, "keys"), name=name, token=token, old_ends=old_ends
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def revoke(request: Request, id: Id, principal: AdminForm, clock: ClockDep) -> Response:
    """End a key now. Raises NotFound."""
    state = request.app.state
    async with state.db.transaction() as tx:
        await keys.revoke(tx, state.db.tables, id, actor=principal.id, now=clock())
    state.authenticator.keys.forget()
    return forms.back(request, "/keys")
