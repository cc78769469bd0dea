"""Policy packs: what they say, where it comes from, who of the bank stands by it, and what they would come to."""

import re
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.sla.api.context import READERS, CurrentDep
from services.sla.domain.counting import UncountableTime, local
from services.sla.domain.policy import Pack, Policies, Rule, WarnRule
from services.sla.pages import words
from services.sla.pages.clocks import title
from services.sla.pages.frame import refused, show, status_of
from services.sla.store.base import ConfirmationRow
from services.sla.usecases import confirmations, views
from services.sla.usecases.views import Plan
from shared.errors import Conflict, FieldError, Invalid
from shared.i18n import Translator
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router

router = Router(include_in_schema=False)
Reader = Annotated[Principal, Depends(allow(*READERS))]
FormAdmin = Annotated[Principal, Depends(allow(Role.ADMIN, own_form=True))]
PackId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}$")]
Version = Annotated[str, Path(pattern=r"^[0-9A-Za-z.-]{1,40}$")]
_LOCAL = re.compile(r"(19[7-9]\d|2[01]\d\d)-\d\d-\d\dT\d\d:\d\d(:\d\d)?\Z")


class ConfirmIn(BaseModel):
    """`edition`: the one that was looked at. `note`: what it was compared with."""

    edition: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    note: Annotated[str, Field(min_length=1, max_length=500)]


@router.get("/packs", response_class=HTMLResponse)
async def packs(
    request: Request,
    me: Reader,
    session: Reading,
    current: CurrentDep,
    now: ClockDep,
    pack: Annotated[str, Query(max_length=40)] = "",
    received: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Every pack with who has confirmed it; with `pack` and `received`, what it would come to. Nothing is kept."""
    t, policies = pages.translator(request), current.policies
    at = now()
    filled, plans = NOTHING, []
    given = {name: value for name, value in (("pack", pack), ("received", received)) if value}
    if given:
        try:
            plans = _simulated(t, policies, pack, received)
            filled = Filled("simulate", given)
        except Invalid as error:
            filled = refused(t, "simulate", given, error)
    confirmed = await confirmations.of_packs(session, policies.packs)
    listed = [_listed(t, p, policies, confirmed.get((p.id, p.version)), at) for p in policies.packs]
    return show(
        request,
        "packs.html",
        "/packs",
        422 if filled.wrong else 200,
        packs=sorted(listed, key=lambda p: (not p["default"], p["kind"], not p["in_force"], p["title"])),
        unconfirmed=sum(p["in_force"] and p["by"] is None for p in listed),
        choices=list(dict.fromkeys((p.id, f"{title(t, p)} ({p.id})") for p in policies.packs)),
        plans=[_plan(t, plan) for plan in plans],
        today=f"{at.astimezone(t.zone):%Y-%m-%dT%H:%M}",
        filled=filled,
    )


def _simulated(t: Translator, policies: Policies, pack: str, received: str) -> list[Plan]:
    """Raises Invalid."""
    wrong = []
    if not any(p.id == pack for p in policies.packs):
        wrong.append(FieldError("/pack", "is no pack", "enum" if pack else "missing"))
    try:
        if not _LOCAL.match(received):
            raise ValueError
        at = datetime.fromisoformat(received).replace(tzinfo=t.zone)
    except ValueError:
        wrong.append(FieldError("/received", "is no moment", "day" if received else "missing"))
    if wrong:
        raise Invalid(errors=tuple(wrong))
    try:
        return views.simulate_pack(policies, at, pack)
    except UncountableTime:
        raise Invalid(errors=(FieldError("/received", "cannot be counted", "day"),)) from None


@router.get("/packs/{id}/{version}", response_class=HTMLResponse)
async def pack(
    request: Request, me: Reader, id: PackId, version: Version, session: Reading, current: CurrentDep, now: ClockDep
) -> Response:
    """One version of one pack. Raises PackNotFound."""
    found = confirmations.pack_of(current.policies, id, version)
    return await _page(request, session, current.policies, found, me, now(), NOTHING)


@router.post("/packs/{id}/{version}/confirm", response_class=HTMLResponse)
async def confirm(
    request: Request, id: PackId, version: Version, tx: Tx, current: CurrentDep, now: ClockDep, by: FormAdmin
) -> Response:
    """Stand by a pack as it is. Raises PackNotFound."""
    found = confirmations.pack_of(current.policies, id, version)
    given = await forms.given(request)
    try:
        body = forms.model(ConfirmIn, {n: given.get(n) for n in ("edition", "note")})
        await confirmations.confirm_pack(tx, found, body.edition, body.note, by=by, now=now())
    except (Invalid, Conflict) as error:
        filled = refused(pages.translator(request), "confirm", given, error)
        return await _page(request, tx, current.policies, found, by, now(), filled, status_of(error))
    return forms.back(request, f"/packs/{id}/{version}")


async def _page(
    request: Request,
    session: AsyncSession,
    policies: Policies,
    found: Pack,
    me: Principal,
    now: datetime,
    filled: Filled,
    status: int = 200,
) -> Response:
    t = pages.translator(request)
    row = (await confirmations.of_packs(session, [found])).get((found.id, found.version))
    return show(
        request,
        "pack.html",
        "/packs",
        status,
        pack=_listed(t, found, policies, row, now),
        edition=found.edition,
        rules=[_rule(t, r) for r in found.rules],
        extensions=[
            {
                "step": e.step,
                "to": words.limit(t, e.to),
                "approver": e.approver_role,
                "notice": e.notice_required,
                "article": e.article,
                "reasons": [t.label("clock_reason", r) for r in e.reasons],
            }
            for e in found.extensions
        ],
        suspension=found.suspension,
        restart=found.restart,
        on_miss=found.on_miss,
        right=found.on_miss.texts.get(t.language, "") if found.on_miss else "",
        applies=_applies(t, found),
        start_event=found.start_event,
        replaces=found.replaces,
        versions=[(p.version, p.in_force(now.date())) for p in policies.packs if p.id == found.id],
        may=me.has(Role.ADMIN),
        filled=filled,
    )


def _listed(
    t: Translator, pack: Pack, policies: Policies, row: ConfirmationRow | None, now: datetime
) -> dict[str, Any]:
    return {
        "id": pack.id,
        "version": pack.version,
        "title": title(t, pack),
        "kind": pack.kind,
        "default": pack.id == policies.default,
        "in_force": pack.in_force(local(now, policies.calendar(pack).zone).date()),
        "since": pack.effective_from,
        "until": pack.effective_to,
        "calendar": pack.calendar,
        "zone": policies.calendar(pack).zone.key,
        "sure": sum(r.authority.confirmed for r in pack.rules),
        "rules": len(pack.rules),
        "by": row.by if row else None,
        "at": row.at if row else None,
        "note": row.note if row else "",
    }


def _rule(t: Translator, rule: Rule) -> dict[str, Any]:
    return {
        "step": rule.step,
        "limit": words.limit(t, rule.limit),
        "count_from": rule.limit.count_from,
        "authority": rule.authority,
        "note": rule.note,
        "breach": rule.breach,
        "warnings": [text for w in rule.warnings for text in _warning(t, w)],
        "ladder": [(r.level, r.role) for r in rule.ladder.rungs] if rule.ladder else [],
    }


def _warning(t: Translator, rule: WarnRule) -> list[str]:
    found = []
    if rule.share is not None:
        found.append(t.gettext("at {share} of the time", share=t.percent(rule.share)))
    if rule.lead is not None:
        hours = int(rule.lead.total_seconds() // 3600)
        found.append(t.ngettext("{n} hour before", "{n} hours before", hours))
    return found


def _applies(t: Translator, pack: Pack) -> list[list[tuple[str, str]]]:
    """To which complaints it applies: one list of conditions for each way."""
    ways = []
    for one in (pack.applies, *pack.also):
        conditions = (
            (t.gettext("Jurisdiction"), one.jurisdictions, "jurisdiction"),
            (t.gettext("Product"), one.products, "product"),
            (t.gettext("Channel"), one.channels, "channel"),
            (t.gettext("Type"), one.types, "category"),
            (t.gettext("Severity"), one.severities, "severity"),
            (t.gettext("Referred by"), one.referred_by, "regulator"),
        )
        said = [(name, " · ".join(t.label(kind, c) for c in codes)) for name, codes, kind in conditions if codes]
        if said:
            ways.append(said)
    return ways


def _plan(t: Translator, plan: Plan) -> dict[str, Any]:
    pack = plan.choice.pack
    return {
        "title": title(t, pack),
        "version": pack.version,
        "because": words.because(t, plan.choice.reason),
        "deadlines": [
            {
                "step": one.rule.step,
                "due_at": one.count.due_at,
                "limit": words.limit(t, one.rule.limit),
                "provisional": one.count.provisional,
                "explained": words.explained(t, one.count, pack.start_event),
                "warn_ats": one.warn_ats,
            }
            for one in plan.deadlines
        ],
    }
