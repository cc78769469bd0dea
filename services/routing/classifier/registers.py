"""The registers that routing decides by: taxonomy, products, departments, classification rules, routes. All of it data.

They are read from TOML files in one folder, once, and checked against one another; whoever edits them is told the file
and the entry that is wrong before anything starts.
"""

import tomllib
from collections.abc import Iterable, Set
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.events import Outcome, Severity

Language = Literal["zh-Hant", "zh-Hans", "en"]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
RuleId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
Words = Annotated[tuple[str, ...], Field(min_length=1)]
Keywords = dict[Language, Words]


class BadRegister(ValueError):
    """A register cannot be used. The text names the file and the entry."""


class Entry(BaseModel):
    """What stands in a register: frozen, and nothing in it that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Labels(Entry):
    """What people see, in every language of the desk."""

    zh_hant: str = Field(alias="zh-Hant", min_length=1)
    zh_hans: str = Field(alias="zh-Hans", min_length=1)
    en: str = Field(min_length=1)


class Term(Entry):
    """A code of the taxonomy (a category, a root cause, a reason for no redress) and its labels."""

    code: Code
    labels: Labels


class Taxonomy(Entry):
    """Categories in their order of precedence: of two with equal weight the earlier one wins."""

    category: tuple[Term, ...]
    root_cause: tuple[Term, ...]
    no_redress: tuple[Term, ...]


class Department(Entry):
    code: Code
    labels: Labels


class Product(Entry):
    """`aliases` are what channels and imports call it; `keywords` find it in a text."""

    code: Code
    labels: Labels
    aliases: tuple[str, ...] = ()
    keywords: Keywords


class Rule(Entry):
    """Speaks when one of its keywords occurs (or the complaint came by one of `channels`).

    It may carry weight for a `category`, demand a `severity`, both, or neither (then it only helps a route to choose).
    With `needs`, it speaks only where one of those rules, which stand before it, has spoken. `owner` is the department
    that answers for its wording.
    """

    id: RuleId
    owner: Code
    category: Code | None = None
    weight: float = Field(0, ge=0, le=10)
    severity: Severity | None = None
    needs: tuple[RuleId, ...] = ()
    channels: frozenset[str] = frozenset()
    keywords: Keywords = {}

    @model_validator(mode="after")
    def _whole(self) -> "Rule":
        if (self.category is None) != (self.weight == 0):
            raise ValueError("a category and a weight above 0 go together")
        if not self.keywords and not self.channels:
            raise ValueError("it has neither keywords nor channels, so it could never speak")
        return self


class Signals(Entry):
    """What makes a complaint graver beside its words. `amounts`: currency -> from this amount on it is `high`;
    `repeats`: so many complaints of one person within `repeat_days` make it `high`."""

    amounts: dict[Annotated[str, Field(pattern=r"^[A-Z]{3}$")], Annotated[Decimal, Field(gt=0)]] = {}
    repeats: int = Field(3, ge=2)
    repeat_days: int = Field(90, ge=1)


class PlanStep(Entry):
    """A step of the plan that an incident begins with: `who` does it, within so many hours."""

    code: Code
    labels: Labels
    who: Code
    hours: float = Field(gt=0, le=1000)


class Incidents(Entry):
    """When complaints alike make an incident: so many of one category and product, at least this grave, within so many
    hours; and the plan that an incident begins with unless somebody writes another."""

    severity: Severity = "critical"
    cases: int = Field(5, ge=2)
    hours: float = Field(24, gt=0)
    plan: tuple[PlanStep, ...] = ()


class Powers(Entry):
    """Which decisions need a second person (`domain.powers`): always for these outcomes and severities, and for redress
    above these amounts by currency."""

    version: str = Field(min_length=1, max_length=40)
    outcomes: frozenset[Outcome]
    severities: frozenset[Severity]
    alone: dict[str, Decimal]
    supervisor: dict[str, Decimal]


class Rules(Entry):
    """`doubt` is the weight that speaks for no category in particular: the larger, the more a rule must bring.

    `settled`: from this confidence on, rules decide alone; `trusted`: from this probability on, the model decides;
    below `triage` of either a person does. `further`: from this share on, a type that did not win is noted beside it.
    """

    version: str = Field(min_length=1, max_length=40)
    doubt: float = Field(gt=0)
    settled: float = Field(0.75, gt=0, le=1)
    trusted: float = Field(0.6, gt=0, le=1)
    triage: float = Field(0.45, ge=0, le=1)
    further: float = Field(0.25, gt=0, le=1)
    signals: Signals = Signals()
    incidents: Incidents = Incidents()
    rule: tuple[Rule, ...]


CONDITIONS = ("category", "product", "channel", "rules", "branch", "severity", "language")
"""What a route may ask for."""


class Route(Entry):
    """Fits when every condition that it names holds; `rules` holds when one of them has spoken."""

    id: Annotated[str, Field(pattern=r"^R[0-9]{2,3}$")]
    department: Code
    category: frozenset[Code] = frozenset()
    product: frozenset[Code] = frozenset()
    channel: frozenset[str] = frozenset()
    rules: frozenset[RuleId] = frozenset()
    branch: frozenset[str] = frozenset()
    severity: frozenset[Severity] = frozenset()
    language: frozenset[Language] = frozenset()

    @model_validator(mode="after")
    def _conditional(self) -> "Route":
        if not any(getattr(self, name) for name in CONDITIONS):
            raise ValueError("it names no condition; the fallback is the entry without one")
        return self


class Routes(Entry):
    """Tried in order; `fallback` takes what fits none, so that no complaint is without an owner."""

    fallback: Code
    route: tuple[Route, ...]


class Registers(Entry):
    """All registers, checked against one another."""

    taxonomy: Taxonomy
    departments: tuple[Department, ...]
    products: tuple[Product, ...]
    rules: Rules
    routes: Routes
    powers: Powers


FILES = ("taxonomy.toml", "departments.toml", "products.toml", "rules.toml", "routes.toml", "powers.toml")
Model = TypeVar("Model", bound=BaseModel)


def read(folder: Path) -> Registers:
    """The registers in `folder`. Raises BadRegister."""
    found = Registers(
        taxonomy=parse(folder / "taxonomy.toml", Taxonomy),
        departments=parse(folder / "departments.toml", _Departments).department,
        products=parse(folder / "products.toml", _Products).product,
        rules=parse(folder / "rules.toml", Rules),
        routes=parse(folder / "routes.toml", Routes),
        powers=parse(folder / "powers.toml", Powers),
    )
    _check(found)
    return found


class _Departments(Entry):
    department: Annotated[tuple[Department, ...], Field(min_length=1)]


class _Products(Entry):
    product: tuple[Product, ...]


def parse(path: Path, model: type[Model]) -> Model:
    """What `path` holds. Raises BadRegister."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRegister(f"{path.name}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRegister(f"{path.name}: {error}") from None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        reasons = "; ".join(f"{_place(raw, one['loc'])}{one['msg']}" for one in error.errors()[:5])
        raise BadRegister(f"{path.name}: {reasons}") from None


def _place(raw: dict[str, Any], loc: tuple[int | str, ...]) -> str:
    """Where in the file: the entry by its id or code, else by its number, then the field."""
    entry, words = raw, []
    for part in loc:
        try:
            entry = entry[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            entry = {}
        if isinstance(part, int) and isinstance(entry, dict):
            words.append(f"'{entry.get('id') or entry.get('code') or part + 1}'")
        else:
            words.append(str(part))
    return f"{' '.join(words)}: " if words else ""


def _check(found: Registers) -> None:
    categories = unique("taxonomy.toml", "category", [t.code for t in found.taxonomy.category])
    unique("taxonomy.toml", "root_cause", [t.code for t in found.taxonomy.root_cause])
    unique("taxonomy.toml", "no_redress", [t.code for t in found.taxonomy.no_redress])
    departments = unique("departments.toml", "department", [d.code for d in found.departments])
    unique("products.toml", "product", [p.code for p in found.products])
    if "other" not in categories:
        raise BadRegister("taxonomy.toml: category 'other' is missing; it takes what no rule knows")

    rules: set[str] = set()
    for rule in found.rules.rule:
        where = f"rules.toml: rule '{rule.id}'"
        if rule.id in rules:
            raise BadRegister(f"{where}: there are two of this id")
        known(where, "owner", {rule.owner}, departments)
        known(where, "category", {rule.category} - {None}, categories)
        known(f"{where}: needs a rule that stands before it", "rule", set(rule.needs), rules)
        rules.add(rule.id)

    check_routes(found, found.routes)
    used = {id for route in found.routes.route for id in route.rules} | {n for r in found.rules.rule for n in r.needs}
    for rule in found.rules.rule:
        if rule.category is None and rule.severity is None and rule.id not in used:
            raise BadRegister(f"rules.toml: rule '{rule.id}': it decides nothing (no category, severity, route, need)")


def check_routes(found: Registers, routes: Routes) -> None:
    """Raises BadRegister where a routing table names what the other registers do not know."""
    unique("routes.toml", "route", [r.id for r in routes.route])
    departments = {d.code for d in found.departments}
    known("routes.toml: fallback", "department", {routes.fallback}, departments)
    for route in routes.route:
        where = f"routes.toml: route '{route.id}'"
        known(where, "department", {route.department}, departments)
        known(where, "category", route.category, {t.code for t in found.taxonomy.category})
        known(where, "product", route.product, {p.code for p in found.products})
        known(where, "rule", route.rules, {r.id for r in found.rules.rule})


def unique(file: str, kind: str, codes: list[str]) -> set[str]:
    """The codes. Raises BadRegister when one is there twice."""
    twice = sorted({c for c in codes if codes.count(c) > 1})
    if twice:
        raise BadRegister(f"{file}: {kind} '{twice[0]}' is there twice")
    return set(codes)


def known(where: str, kind: str, used: Iterable[Any], codes: Set[str]) -> None:
    """Raises BadRegister when one that is used is not among the codes."""
    if unknown := sorted(set(used) - codes):
        raise BadRegister(f"{where}: unknown {kind} '{unknown[0]}'")
