"""The page of rules: what decides about a complaint, readable, and a dry run that says why."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.routing.api.classify import ClassifyIn
from services.routing.api.context import Rules
from services.routing.api.models import Version
from services.routing.classifier import Routing, Rulebook, shipped
from services.routing.classifier.registers import CONDITIONS, Route, Rule
from services.routing.pages import heads
from services.routing.pages.heads import Names
from services.routing.usecases import models
from shared import i18n
from shared.errors import Invalid, RedressError
from shared.i18n import Translator
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router

router = Router(include_in_schema=False)
Reader = Annotated[Principal, Depends(allow(*heads.TABLE))]
Asker = Annotated[Principal, Depends(allow(Role.SUPERVISOR, Role.ADMIN, own_form=True))]
Adopter = Annotated[Principal, Depends(allow(Role.SUPERVISOR, own_form=True))]
_WORDS = 10
_FACTS = ("product", "channel", "branch", "amount", "currency")


@router.get("/rules", response_class=HTMLResponse)
async def rules(request: Request, principal: Reader, tx: Reading, rulebook: Rules) -> Response:
    """The tables that decide."""
    return await _page(request, principal, tx, rulebook, NOTHING)


async def _page(
    request: Request,
    principal: Principal,
    tx: AsyncSession,
    rulebook: Rulebook,
    filled: Filled,
    found: dict[str, Any] | None = None,
    status: int = 200,
) -> Response:
    t = pages.translator(request)
    names = Names(t, rulebook)
    registers = rulebook.registers
    rules = {rule.id: rule for rule in registers.rules.rule}
    powers = registers.powers
    return heads.show(
        request,
        "rules.html",
        "/rules",
        rulebook,
        status,
        version=rulebook.version,
        trouble=request.app.state.current.trouble,
        routes=[
            {"id": one.id, "department": one.department, "conditions": conditions(t, names, one)}
            for one in registers.routes.route
        ],
        fallback=registers.routes.fallback,
        rules=[_rule(t, names, rule, rules) for rule in registers.rules.rule],
        limits={n: getattr(registers.rules, n) for n in ("settled", "trusted", "triage")},
        powers={
            "outcomes": sorted(names.of("outcome", one) for one in powers.outcomes),
            "severities": sorted(names.of("severity", one) for one in powers.severities),
            "amounts": [
                (
                    currency,
                    i18n.money(powers.alone[currency], currency, t.language) if currency in powers.alone else None,
                    i18n.money(powers.supervisor[currency], currency, t.language)
                    if currency in powers.supervisor
                    else None,
                )
                for currency in sorted(powers.alone.keys() | powers.supervisor.keys())
            ],
        },
        models=await models.listed(tx, shipped().version),
        channels=names.choices("channel", i18n.codes("channel")),
        products=names.choices("product"),
        found=found,
        may=principal.has(Role.SUPERVISOR, Role.ADMIN),
        may_adopt=principal.has(Role.SUPERVISOR),
        filled=filled,
    )


def conditions(t: Translator, names: Names, route: Route) -> list[str]:
    """What a route asks for, each condition a phrase."""
    found = []
    for name in CONDITIONS:
        if wanted := getattr(route, name):
            said = ", ".join(sorted(one if name == "rules" else names.of(name, one) for one in wanted))
            found.append(t.gettext("{what}: {which}", what=t.label("condition", name), which=said))
    return found


def _rule(t: Translator, names: Names, rule: Rule, rules: dict[str, Rule]) -> dict[str, Any]:
    language: Any = t.language
    words = rule.keywords.get(language, ())
    return {
        "id": rule.id,
        "owner": rule.owner,
        "category": rule.category,
        "severity": rule.severity,
        "weight": rule.weight,
        "needs": [one for one in rule.needs if one in rules],
        "channels": [names.of("channel", one) for one in sorted(rule.channels)],
        "words": words[:_WORDS],
        "further": words[_WORDS:],
        "elsewhere": sum(map(len, rule.keywords.values())) - len(words),
    }


@router.post("/rules/try", response_class=HTMLResponse)
async def dry_run(request: Request, principal: Asker, tx: Reading, rulebook: Rules) -> Response:
    """What the desk would make of a text, and why; nothing is stored."""
    given = await forms.given(request)
    t = pages.translator(request)
    try:
        body = forms.model(ClassifyIn, {"text": given.get("narrative"), **heads.only(given, *_FACTS)})
    except Invalid as error:
        filled = forms.failed(t, "try", given, error, {"text": "narrative"})
        return await _page(request, principal, tx, rulebook, filled, None, 422)
    found = _explained(t, Names(t, rulebook), rulebook, body)
    return await _page(request, principal, tx, rulebook, Filled("try", given), found)


def _explained(t: Translator, names: Names, rulebook: Rulebook, body: ClassifyIn) -> dict[str, Any]:
    facts = body.facts()
    found = rulebook.classify(body.text, facts, explain=True)
    routing = rulebook.route(found, facts)
    return {
        "category": found.category,
        "confidence": found.confidence,
        "severity": found.severity,
        "product": found.product,
        "language": found.language,
        "department": routing.department,
        "decided_by": found.decided_by,
        "route": _why(t, names, rulebook, routing),
        "spoke": [
            {"id": s.rule.id, "category": s.rule.category, "severity": s.rule.severity, "words": _heard(names, s.words)}
            for s in found.spoke
        ],
        "chances": found.chances,
        "weighed": [word.text for word in found.words[:8]],
        "signals": [t.label("signal", one) for one in found.signals],
        "further": [names.of("category", one) for one in found.further],
    }


def _heard(names: Names, words: Iterable[str]) -> list[str]:
    """The words that made a rule speak; a channel by its name."""
    return [names.of("channel", w.removeprefix("channel=")) if w.startswith("channel=") else w for w in words]


def _why(t: Translator, names: Names, rulebook: Rulebook, routing: Routing) -> str:
    """Which line of the routing table decided, in words."""
    table = rulebook.registers.routes
    one = next((r for r in table.route if routing.reason.startswith(f"rule {r.id}:")), None)
    if one is None:
        return t.gettext("No line of the routing table fits, so it goes where all such complaints go.")
    listed = t.gettext("; ").join(conditions(t, names, one))
    return t.gettext(
        "Line {id} of the routing table is the first that fits ({conditions}).", id=one.id, conditions=listed
    )


@router.post("/rules/models/{version}", response_class=HTMLResponse)
async def adopt(
    version: Version, request: Request, principal: Adopter, tx: Tx, clock: ClockDep, rulebook: Rules
) -> Response:
    """Put a model in use, or go back to an earlier one."""
    try:
        await models.adopt(tx, version, shipped=shipped().version, by=principal.id, now=clock())
    except RedressError as error:
        filled = heads.refused(pages.translator(request), "model", {}, error)
        return await _page(request, principal, tx, rulebook, filled, None, heads.status_of(error))
    return forms.back(request, "/rules", "models")
