"""Chats and systems that are told of deadlines, and calendars that office software reads. A secret is shown once, when
it is made."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.sla.api.notices import Id, SubscriptionIn
from services.sla.api.schemas import FeedIn
from services.sla.domain.notice import KINDS, SubscriptionNotFound
from services.sla.pages.frame import LISTENERS, refused, show, status_of
from services.sla.store import subscriptions as store
from services.sla.store.subscriptions import Subscription
from services.sla.usecases import feeds
from services.sla.usecases import subscriptions as usecases
from services.sla.usecases.subscriptions import KeysMissing
from shared import i18n
from shared.errors import Conflict, Refused
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router

router = Router(include_in_schema=False)
_LOOKERS = (Role.ADMIN, Role.AUDITOR)
_FEEDERS = (Role.SUPERVISOR, Role.MANAGER, Role.ADMIN)
Reader = Annotated[Principal, Depends(allow(*LISTENERS))]
FormAdmin = Annotated[Principal, Depends(allow(Role.ADMIN, own_form=True))]
FormFeeder = Annotated[Principal, Depends(allow(*_FEEDERS, own_form=True))]
Before = Annotated[str | None, Query(pattern=r"^[0-9a-f-]{36}$")]
_SHOWN = 50
_REFUSALS = (Refused, Conflict, KeysMissing)


@router.get("/subscriptions", response_class=HTMLResponse)
async def subscriptions(request: Request, me: Reader, session: Reading, cursor: Before = None) -> Response:
    """Who subscribes, for those who run the desk or audit it; and calendar feeds."""
    return await _page(request, session, me, cursor, NOTHING)


@router.post("/subscriptions", response_class=HTMLResponse)
async def subscribe(request: Request, tx: Tx, now: ClockDep, by: FormAdmin) -> Response:
    """Have a chat or a system told. The secret of a webhook is on the page that answers, and nowhere else."""
    given, state = await forms.given(request), request.app.state
    try:
        body = forms.model(SubscriptionIn, _wanted(given))
        _, secret = usecases.create(
            tx,
            state.notice_keys,
            body.wanted(state.settings.languages),
            private=state.settings.webhook_private,
            actor=by.id,
            now=now(),
        )
        await tx.flush()
    except _REFUSALS as error:
        filled = refused(pages.translator(request), "subscribe", given, error)
        return await _page(request, tx, by, None, filled, status_of(error))
    if secret is None:
        return forms.back(request, "/subscriptions")
    return await _page(request, tx, by, None, NOTHING, 201, secret=secret)


@router.post("/subscriptions/{id}/{verb}", response_class=HTMLResponse)
async def act(request: Request, id: Id, verb: str, tx: Tx, now: ClockDep, by: FormAdmin) -> Response:
    """Test a subscription, give it a new secret, or switch it off. Raises SubscriptionNotFound."""
    state, secret = request.app.state, ""
    try:
        match verb:
            case "test":
                await usecases.test(tx, id, actor=by.id, now=now())
            case "off":
                await usecases.switch_off(tx, id, actor=by.id, now=now())
            case "rotate":
                overlap = timedelta(seconds=state.settings.notice_secret_overlap)
                secret, _ = await usecases.rotate(
                    tx, state.notice_keys, id, overlap=overlap, secret=None, actor=by.id, now=now()
                )
            case _:
                raise SubscriptionNotFound
    except _REFUSALS as error:
        filled = refused(pages.translator(request), "subscription", {}, error)
        return await _page(request, tx, by, None, filled, status_of(error))
    if secret:
        return await _page(request, tx, by, None, NOTHING, secret=secret)
    return forms.back(request, "/subscriptions")


@router.post("/feeds", response_class=HTMLResponse)
async def feed(request: Request, tx: Tx, now: ClockDep, by: FormFeeder) -> Response:
    """An address of a department's calendar, which is on the page that answers, and nowhere else."""
    given = await forms.given(request)
    try:
        body = forms.model(FeedIn, {"department": given.get("department")})
        _, secret = await feeds.make(tx, body.department, by=by, now=now())
        await tx.flush()
    except Refused as error:
        filled = refused(pages.translator(request), "feed", given, error)
        return await _page(request, tx, by, None, filled, status_of(error))
    address = f"{str(request.base_url).rstrip('/')}/v1/feeds/{secret}.ics"
    return await _page(request, tx, by, None, NOTHING, 201, address=address)


@router.post("/feeds/{id}/off", response_class=HTMLResponse)
async def feed_off(request: Request, id: Id, tx: Tx, now: ClockDep, by: FormFeeder) -> Response:
    """Switch a calendar's address off. Raises FeedNotFound."""
    await feeds.revoke(tx, id, by=by, now=now())
    return forms.back(request, "/subscriptions", "feeds")


def _wanted(given: Mapping[str, str]) -> dict[str, Any]:
    """The form as the API takes it."""
    kinds, department, level = given.get("kinds"), given.get("department"), given.get("minimum_level")
    return {
        "url": given.get("url"),
        "name": given.get("name"),
        "format": None if given.get("format") == "webhook" else given.get("format"),
        "language": given.get("language"),
        "departments": [department] if department else None,
        "kinds": kinds.split() if kinds else None,
        "minimum_level": level,
    }


async def _page(
    request: Request,
    session: AsyncSession,
    me: Principal,
    cursor: str | None,
    filled: Filled,
    status: int = 200,
    *,
    secret: str = "",
    address: str = "",
) -> Response:
    t = pages.translator(request)
    looks = me.has(*_LOOKERS)
    found = await store.page(session, before=cursor, limit=_SHOWN + 1) if looks else []
    answer = show(
        request,
        "subscriptions.html",
        "/subscriptions",
        status,
        looks=looks,
        rows=[_row(one) for one in found[:_SHOWN]],
        following=found[_SHOWN - 1].id if len(found) > _SHOWN else None,
        first=cursor is None,
        secret=secret,
        address=address,
        feeds=await feeds.listed(session, _SHOWN),
        may=me.has(Role.ADMIN),
        may_feed=me.has(*_FEEDERS),
        formats=[(code, t.label("subscription", code)) for code in ("webhook", "wecom", "teams", "slack")],
        kinds=[
            (" ".join(codes), " · ".join(t.label("notice_kind", c) for c in codes))
            for codes in (("missed", "escalation"), *((kind,) for kind in KINDS))
        ],
        departments=[(code, t.label("department", code)) for code in i18n.codes("department")],
        languages_of=_languages(request),
        filled=filled,
    )
    if secret or address:
        answer.headers["cache-control"] = "no-store"
    return answer


def _languages(request: Request) -> list[tuple[str, str]]:
    offered: tuple[str, ...] = request.app.state.settings.languages
    return [(code, i18n.LANGUAGES.get(code, code)) for code in offered]


def _row(one: Subscription) -> dict[str, Any]:
    wanted = one.filtered()
    return {
        "id": one.id,
        "name": one.name,
        "format": one.format or "webhook",
        "signed": one.kind == "webhook",
        "address": one.shown,
        "language": i18n.LANGUAGES.get(one.language, one.language),
        "departments": sorted(wanted.departments) if wanted.departments is not None else None,
        "kinds": sorted(wanted.kinds) if wanted.kinds is not None else None,
        "level": wanted.minimum_level,
        "made_by": one.created_by,
        "made_at": one.created_at,
        "off_at": one.disabled_at,
    }
