"""A complaint's clocks, on a page of their own and as a part of other services' pages."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.sla import store
from services.sla.api import schemas
from services.sla.api.context import READERS, WORKERS, CurrentDep, SetupDep
from services.sla.domain import commands
from services.sla.domain.clock import SYSTEM, Clock, Step, Watch
from services.sla.domain.counting import count, local, walk
from services.sla.domain.ledger import Entry
from services.sla.domain.policy import Extension, Pack, Policies
from services.sla.pages import words
from services.sla.pages.frame import refused, show, status_of
from services.sla.usecases import timekeeping, views
from services.sla.usecases.timekeeping import Place
from shared.errors import NotFound, RedressError
from shared.i18n import Translator
from shared.security.principal import Principal
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router

router = Router(include_in_schema=False)
ComplaintId = Annotated[str, Path(pattern=schemas.CODE)]
ClockId = Annotated[str, Path(pattern=schemas.CODE)]
Reader = Annotated[Principal, Depends(allow(*READERS))]
FormWorker = Annotated[Principal, Depends(allow(*WORKERS, own_form=True))]
_TOLD = ("paused", "resumed", "extended", "restarted", "reopened", "moved", "ended")
"""Rows of the ledger that explain a deadline; that it began and what was met stands beside the step."""


@router.get("/clocks/{complaint_id}", response_class=HTMLResponse)
async def clocks(
    request: Request, me: Reader, complaint_id: ComplaintId, session: Reading, current: CurrentDep, now: ClockDep
) -> Response:
    """Every clock of a complaint, explained. Raises ClockNotFound."""
    return await _page(request, session, complaint_id, current.policies, now(), me, NOTHING)


@router.get("/parts/clocks/{complaint_id}", response_class=HTMLResponse)
async def part(
    request: Request, me: Reader, complaint_id: ComplaintId, session: Reading, current: CurrentDep, now: ClockDep
) -> Response:
    """The same without the frame, for the page of another service. A complaint without a clock yet says so."""
    t = pages.translator(request)
    try:
        watch = await views.clock_of(session, complaint_id)
        rows = await store.ledger(session, [c.id for c in watch.clocks])
    except NotFound:
        return pages.render(request, "clocks_part.html", shown=[], complaint_id=complaint_id, level=3)
    shown = [_clock(t, watch, c, rows[c.id], current.policies, now()) for c in _ordered(watch)]
    return pages.render(request, "clocks_part.html", shown=shown, complaint_id=complaint_id, level=3)


@router.post("/clocks/{complaint_id}/{clock_id}/extend", response_class=HTMLResponse)
async def extend(
    request: Request,
    complaint_id: ComplaintId,
    clock_id: ClockId,
    tx: Tx,
    current: CurrentDep,
    setup: SetupDep,
    now: ClockDep,
    by: FormWorker,
) -> Response:
    """Give a step more time by the form of the page."""
    given = await forms.given(request)
    try:
        body = forms.model(schemas.ExtendIn, {n: given.get(n) for n in ("step", "until", "reason", "code")})
        seen = given.get("version", "")
        place = Place(complaint_id, clock_id, int(seen) if seen.isdecimal() else None)
        command = partial(
            commands.extend,
            step=body.step,
            until=body.until,
            reason=body.reason,
            code=body.code,
            roles=frozenset(map(str, by.roles)),
        )
        await timekeeping.act(tx, place, current, setup, command, "clock.extended", by=by, now=now(), step=body.step)
    except NotFound:
        raise
    except RedressError as error:
        step = given.get("step", "")
        filled = refused(pages.translator(request), f"extend-{clock_id}-{step}", given, error)
        return await _page(request, tx, complaint_id, current.policies, now(), by, filled, status=status_of(error))
    return forms.back(request, f"/clocks/{complaint_id}")


async def _page(
    request: Request,
    session: AsyncSession,
    complaint_id: str,
    policies: Policies,
    now: datetime,
    me: Principal,
    filled: Filled,
    status: int = 200,
) -> Response:
    t = pages.translator(request)
    watch = await views.clock_of(session, complaint_id)
    rows = await store.ledger(session, [c.id for c in watch.clocks])
    facts = watch.facts
    return show(
        request,
        "clocks.html",
        "",
        status,
        shown=[_clock(t, watch, c, rows[c.id], policies, now) for c in _ordered(watch)],
        complaint_id=complaint_id,
        reference=facts.reference or complaint_id,
        department=facts.department,
        assignee=facts.assignee,
        imported=facts.imported,
        extensions=[one for c in _ordered(watch) for one in _extensions(t, c, policies, me)],
        level=2,
        filled=filled,
    )


def _ordered(watch: Watch) -> list[Clock]:
    """The primary clock first, those that have ended last."""
    return sorted(watch.clocks, key=lambda c: (c.ended_at is not None, not c.primary, c.kind != "regulatory", c.id))


def _clock(
    t: Translator, watch: Watch, clock: Clock, rows: Sequence[Entry], policies: Policies, now: datetime
) -> dict[str, Any]:
    pack = policies.pack(clock.pack, clock.pack_version)
    return {
        "id": clock.id,
        "title": title(t, pack) if pack else clock.pack,
        "pack": clock.pack,
        "version": clock.pack_version,
        "known": pack is not None,
        "kind": clock.kind,
        "primary": clock.primary,
        "because": words.because(t, clock.reason),
        "start": clock.start,
        "standing": clock.standing,
        "ended_at": clock.ended_at,
        "steps": [_step(t, clock, s, pack, policies, now) for s in sorted(clock.steps, key=lambda s: s.due_at)],
        "rows": [_row(t, e) for e in rows if e.kind in _TOLD],
    }


def title(t: Translator, pack: Pack) -> str:
    """What the pack is called, in the reader's language where the pack knows it."""
    return pack.titles.get(t.language) or pack.titles.get("en") or pack.id


def _step(
    t: Translator, clock: Clock, step: Step, pack: Pack | None, policies: Policies, now: datetime
) -> dict[str, Any]:
    calendars = policies.editions
    found, pauses = views.recount(clock, step, calendars)
    calendar = calendars[clock.calendar]
    line, event = step.line, pack.start_event if pack else "received"
    counted_otherwise = found.due_at != step.due_at
    there = replace(t, zone=calendar.zone)
    until = step.met_at or (clock.pauses[-1].since if clock.standing else now)
    whole = (step.due_at - line.since).total_seconds()
    gone = min(max((until - line.since).total_seconds() / whole, 0.0), 1.0) if whole > 0 else 1.0
    return {
        "name": step.name,
        "state": step.state,
        "sign": words.SIGNS[step.state],
        "look": words.LOOKS.get(step.state, ""),
        "due_at": step.due_at,
        "due_there": shown if (shown := there.datetime(step.due_at)) != t.datetime(step.due_at) else "",
        "zone": calendar.zone.key,
        "left": words.left(t, step.due_at, now) if step.open and not clock.standing else "",
        "gone": round(gone * 100),
        "open": step.open,
        "since": line.since,
        "provisional": line.provisional,
        "limit": words.limit(t, line.limit),
        "count_from": line.limit.count_from,
        "authority": step.authority,
        "met_at": step.met_at,
        "missed_at": step.missed_at,
        "warned_at": step.warned_at,
        "historic": step.historic,
        "breach": step.breach,
        "extended_to": line.extended_to,
        "cap": line.cap if line.cap is not None and line.cap == step.due_at else None,
        "counted_otherwise": counted_otherwise,
        "explained": words.explained(t, found, event, anew=line.since != clock.start),
        "skipped": words.skipped(t, walk(found, calendar, pauses)),
        "level": step.ladder.rungs[step.rung - 1] if step.ladder and step.rung else None,
        "told_at": step.told_at,
        "answered_at": step.answered_at,
        "answered_by": step.answered_by,
    }


def _row(t: Translator, entry: Entry) -> dict[str, Any]:
    detail: Mapping[str, Any] = entry.detail
    until = detail.get("until")
    return {
        "kind": entry.kind,
        "at": entry.at,
        "reason": t.label("clock_reason", entry.reason),
        "actor": "" if entry.actor == SYSTEM else entry.actor,
        "step": detail.get("step"),
        "until": datetime.fromisoformat(until).date() if until else None,
    }


def _extensions(t: Translator, clock: Clock, policies: Policies, me: Principal) -> list[dict[str, Any]]:
    """The steps that this reader may give more time, with how far the rule goes."""
    pack = policies.pack(clock.pack, clock.pack_version)
    if pack is None or clock.ended_at is not None or not me.has(*WORKERS):
        return []
    calendar = policies.editions[clock.calendar]

    def stage(one: Extension, step: Step) -> dict[str, Any]:
        until = local(count(one.to, step.line.since, calendar, clock.pauses).due_at, calendar.zone).date()
        return {"to": words.limit(t, one.to), "until": until, "article": one.article, "approver": one.approver_role}

    found = []
    for step in clock.steps:
        stages = [e for e in pack.extensions if e.step == step.name]
        mine = [e for e in stages if commands.approvers(e.approver_role) & set(map(str, me.roles))]
        if step.open and mine:
            found.append(
                {
                    "form": f"extend-{clock.id}-{step.name}",
                    "clock": clock.id,
                    "version": clock.seq,
                    "pack": title(t, pack),
                    "step": step.name,
                    "stages": [stage(e, step) for e in stages],
                    "codes": [(c, t.label("clock_reason", c)) for e in stages for c in e.reasons],
                    "notice": any(e.notice_required for e in stages),
                }
            )
    return found
