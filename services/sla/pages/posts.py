"""Who holds which post, who stands in, who is away, and who would be reached now."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.sla.api.context import READERS, SetupDep
from services.sla.api.posts import AbsenceIn, PostId, PostIn
from services.sla.domain.notice import Setup
from services.sla.domain.post import ROLES, Absence, Directory, Post, resolve
from services.sla.pages.frame import refused, show, status_of
from services.sla.store import posts as store
from services.sla.store import subscriptions
from services.sla.usecases import posts as usecases
from shared import i18n
from shared.errors import Conflict, FieldError, Invalid
from shared.i18n import Translator
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router

router = Router(include_in_schema=False)
_KEEPERS = (Role.SUPERVISOR, Role.ADMIN)
Reader = Annotated[Principal, Depends(allow(*READERS))]
FormKeeper = Annotated[Principal, Depends(allow(*_KEEPERS, own_form=True))]
After = Annotated[str | None, Query(max_length=64, pattern=r"^[a-z0-9._-]+$")]
Department = Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")]
_SHOWN = 50
_PLAIN = ("role", "department", "branch", "holder", "deputy", "language", "email", "deputy_email", "chat", "time_zone")
_BLANK: Mapping[str, str] = dict.fromkeys((*_PLAIN, "id", "quiet_start", "quiet_end", "weekends"), "")


@router.get("/posts", response_class=HTMLResponse)
async def posts(
    request: Request,
    me: Reader,
    session: Reading,
    setup: SetupDep,
    now: ClockDep,
    department: Department = "",
    cursor: After = None,
) -> Response:
    """Posts in order of their names."""
    return await _list(request, session, setup, now(), me, department, cursor, NOTHING)


@router.post("/posts", response_class=HTMLResponse)
async def add(request: Request, tx: Tx, setup: SetupDep, now: ClockDep, by: FormKeeper) -> Response:
    """Make a post by the form of the page."""
    given = await forms.given(request)
    try:
        id = forms.model(_NewId, {"id": given.get("id")}).id
        if await store.find(tx, id) is not None:
            raise Invalid(errors=(FieldError("/id", "is another post's", "taken"),))
        await _put(request, tx, _post_in(given).post(id), None, by, now())
    except (Invalid, Conflict) as error:
        filled = refused(pages.translator(request), "post", given, error)
        return await _list(request, tx, setup, now(), by, "", None, filled, status_of(error))
    return forms.back(request, f"/posts/{id}")


@router.get("/posts/{id}", response_class=HTMLResponse)
async def post(request: Request, me: Reader, id: PostId, session: Reading, setup: SetupDep, now: ClockDep) -> Response:
    """One post. Raises PostNotFound."""
    return await _one(request, session, setup, now(), me, id, NOTHING)


@router.post("/posts/{id}", response_class=HTMLResponse)
async def change(request: Request, id: PostId, tx: Tx, setup: SetupDep, now: ClockDep, by: FormKeeper) -> Response:
    """Change who holds a post, and how they are told. Raises PostNotFound."""
    given = await forms.given(request)
    try:
        known = store.post_of(await usecases.find(tx, id))
        await _put(request, tx, replace(_post_in(given).post(id), absences=known.absences), given, by, now())
    except (Invalid, Conflict) as error:
        filled = refused(pages.translator(request), "post", given, error)
        return await _one(request, tx, setup, now(), by, id, filled, status_of(error))
    return forms.back(request, f"/posts/{id}")


@router.post("/posts/{id}/absences", response_class=HTMLResponse)
async def away(request: Request, id: PostId, tx: Tx, setup: SetupDep, now: ClockDep, by: FormKeeper) -> Response:
    """Somebody will be away, or with `remove` (its place, from 0) will not. Raises PostNotFound."""
    given = await forms.given(request)
    try:
        known = store.post_of(await usecases.find(tx, id))
        absences = list(known.absences)
        if (gone := given.get("remove", "")).isdecimal():
            del absences[int(gone) : int(gone) + 1]
        else:
            new = forms.model(AbsenceIn, {n: given.get(n) for n in ("first", "last", "whose")})
            absences.append(Absence(new.first, new.last, new.whose))
        if len(absences) > 50:
            raise Invalid(errors=(FieldError("/first", "are more than fifty", "too_many"),))
        absences.sort(key=lambda a: (a.first, a.last, a.whose))
        await _put(request, tx, replace(known, absences=tuple(absences)), given, by, now())
    except (Invalid, Conflict) as error:
        filled = refused(pages.translator(request), "away", given, error)
        return await _one(request, tx, setup, now(), by, id, filled, status_of(error))
    return forms.back(request, f"/posts/{id}", "absences")


@router.post("/posts/{id}/remove", response_class=HTMLResponse)
async def remove(request: Request, id: PostId, tx: Tx, setup: SetupDep, now: ClockDep, by: FormKeeper) -> Response:
    """Remove a post. Raises PostNotFound."""
    given = await forms.given(request)
    try:
        await usecases.delete(tx, id, version=_version(given), actor=by.id, now=now())
    except Conflict as error:
        filled = refused(pages.translator(request), "remove", given, error)
        return await _one(request, tx, setup, now(), by, id, filled, status_of(error))
    return forms.back(request, "/posts")


class _NewId(BaseModel):
    """The short name of a post that is to be made; the rest of it is looked at by itself."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


def _post_in(given: Mapping[str, str]) -> PostIn:
    """Raises Invalid."""
    values: dict[str, Any] = {name: given.get(name) for name in _PLAIN}
    quiet = {"start": given.get("quiet_start"), "end": given.get("quiet_end")}
    if quiet["start"] or quiet["end"] or given.get("weekends"):
        values["quiet"] = {name: at or "00:00" for name, at in quiet.items()} | {"weekends": "weekends" in given}
    return forms.model(PostIn, values)


async def _put(
    request: Request, tx: AsyncSession, wanted: Post, given: Mapping[str, str] | None, by: Principal, now: datetime
) -> None:
    languages = request.app.state.settings.languages
    await usecases.put(
        tx, wanted, version=_version(given) if given else None, languages=languages, actor=by.id, now=now
    )


def _version(given: Mapping[str, str]) -> int | None:
    """The version that was looked at."""
    seen = given.get("version", "")
    return int(seen) if seen.isdecimal() and len(seen) < 10 else None


async def _list(
    request: Request,
    session: AsyncSession,
    setup: Setup,
    now: datetime,
    me: Principal,
    department: str,
    cursor: str | None,
    filled: Filled,
    status: int = 200,
) -> Response:
    t = pages.translator(request)
    found = await store.page(
        session, role=None, department=department or None, branch=None, holder=None, after=cursor, limit=_SHOWN + 1
    )
    directory = await usecases.directory(session, setup)
    return show(
        request,
        "posts.html",
        "/posts",
        status,
        rows=[_row(store.post_of(row), directory, now) for row in found[:_SHOWN]],
        following=found[_SHOWN - 1].id if len(found) > _SHOWN else None,
        first=cursor is None,
        department=department,
        duty=setup.duty.holder,
        may=me.has(*_KEEPERS),
        was=_BLANK,
        filled=filled,
        **await _choices(request, session, t, department or None),
    )


async def _one(
    request: Request,
    session: AsyncSession,
    setup: Setup,
    now: datetime,
    me: Principal,
    id: str,
    filled: Filled,
    status: int = 200,
) -> Response:
    t = pages.translator(request)
    found = store.post_of(await usecases.find(session, id))
    directory = await usecases.directory(session, setup)
    return show(
        request,
        "post.html",
        "/posts",
        status,
        post=found,
        row=_row(found, directory, now),
        was=_BLANK if filled.form == "post" else _was(found),
        absences=[
            {"n": n, "first": a.first, "last": a.last, "whose": a.whose, "over": a.last < now.astimezone(t.zone).date()}
            for n, a in enumerate(found.absences)
        ],
        today=now.astimezone(t.zone).date(),
        may=me.has(*_KEEPERS),
        filled=filled,
        **await _choices(request, session, t, found.department),
    )


def _was(post: Post) -> Mapping[str, str]:
    """The post as its form is filled in."""
    plain = {name: getattr(post, name) or "" for name in _PLAIN if name != "time_zone"}
    quiet = post.quiet
    return {
        **_BLANK,
        **plain,
        "time_zone": post.zone.key if post.zone else "",
        "quiet_start": f"{quiet.start:%H:%M}" if quiet else "",
        "quiet_end": f"{quiet.end:%H:%M}" if quiet else "",
        "weekends": "yes" if quiet and quiet.weekends else "",
    }


def _row(post: Post, directory: Directory, now: datetime) -> dict[str, Any]:
    reached = resolve(directory, post.role, post.department, post.branch, now)
    return {
        "id": post.id,
        "role": post.role,
        "department": post.department,
        "branch": post.branch,
        "holder": post.holder,
        "deputy": post.deputy,
        "reached": reached.person,
        "via": reached.via,
        "elsewhere": reached.post_id != post.id,
        "told": post.chat or post.email,
    }


async def _choices(request: Request, session: AsyncSession, t: Translator, department: str | None) -> dict[str, Any]:
    departments = dict.fromkeys([*i18n.codes("department"), *([department] if department else [])])
    chats = [(one.id, one.name) for one in await subscriptions.live(session) if one.kind == "chat"]
    languages: tuple[str, ...] = request.app.state.settings.languages
    return {
        "roles": [(role, t.label("post", role)) for role in ROLES],
        "departments": [(code, t.label("department", code)) for code in departments],
        "languages_of": [(code, i18n.LANGUAGES.get(code, code)) for code in languages],
        "chats": chats,
        "people": [(code, t.label("whose", code)) for code in ("holder", "deputy")],
    }
