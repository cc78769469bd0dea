"""What kind of complaint it is and whose: pure functions of the registers, explained by the rules that spoke."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.routing.classifier.language import detect, normalise
from services.routing.classifier.matcher import BadKeyword, Keyword, Matcher, Prepared
from services.routing.classifier.registers import BadRegister, Keywords, Registers, Route, Rule
from shared.events import Severity

_GRAVITY: Mapping[Severity, int] = {"low": 0, "normal": 1, "high": 2, "critical": 3}
_SECOND_WORD = 0.5
_SEPARATORS = re.compile(r"[\s_\-]+")


@dataclass(frozen=True, slots=True)
class Spoke:
    """A rule that spoke, and the words (or the channel) that made it."""

    rule: Rule
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Classification:
    """`confidence`: the winning category's share of all weight, doubt included; 0 where no rule spoke.

    `product` is a code of the product register: the one sent if it is known, else the one found in the text.
    """

    category: str
    severity: Severity
    confidence: float
    language: str | None
    product: str | None
    spoke: tuple[Spoke, ...]

    @property
    def rule_ids(self) -> tuple[str, ...]:
        return tuple(s.rule.id for s in self.spoke)


@dataclass(frozen=True, slots=True)
class Routing:
    """Who is given the complaint, and why, in words that quote nothing of it."""

    department: str
    reason: str


class Rulebook:
    """The registers, compiled once. Immutable: any number of complaints may be decided with one."""

    def __init__(self, registers: Registers) -> None:
        """Raises BadRegister for a keyword that cannot be looked for."""
        self.registers = registers
        self.departments = {d.code: d for d in registers.departments}
        self.root_causes = frozenset(t.code for t in registers.taxonomy.root_cause)
        self.no_redress_reasons = frozenset(t.code for t in registers.taxonomy.no_redress)
        self.version = registers.rules.version
        self._categories = [t.code for t in registers.taxonomy.category]
        self._rules = _compile("rules.toml: rule", [(r.id, r.keywords) for r in registers.rules.rule])
        self._products = _compile("products.toml: product", [(p.code, p.keywords) for p in registers.products])
        self._aliases = {_plain(name): p.code for p in registers.products for name in (p.code, *p.aliases)}

    def classify(
        self, text: str, *, product: str | None = None, language: str | None = None, channel: str | None = None
    ) -> Classification:
        """The classification of a complaint. `product` and `language` are what was sent with it, if anything."""
        language = language or detect(text)
        prepared = Prepared(text)
        spoke = self._speak(self._rules.find(prepared, language=language), channel)
        weights = dict.fromkeys(self._categories, 0.0)
        for one in spoke:
            if one.rule.category is not None:
                weights[one.rule.category] += one.rule.weight * (1 + _SECOND_WORD * (len(one.words) > 1))
        total = sum(weights.values())
        winner = max(self._categories, key=weights.__getitem__) if total else "other"
        grave = [s.rule.severity for s in spoke if s.rule.severity is not None]
        return Classification(
            category=winner,
            severity=max(grave, key=_GRAVITY.__getitem__, default="normal"),
            confidence=round(weights[winner] / (total + self.registers.rules.doubt), 3),
            language=language,
            product=self._product(prepared, product),
            spoke=spoke,
        )

    def route(self, found: Classification, *, channel: str | None = None) -> Routing:
        """The one department that takes charge of a complaint so classified."""
        ids = frozenset(found.rule_ids)
        for route in self.registers.routes.route:
            if _fits(route, found, ids, channel):
                return Routing(route.department, _reason(route, found, ids, channel))
        facts = f"category={found.category}, product={found.product or 'unknown'}"
        return Routing(self.registers.routes.fallback, f"fallback: no route for {facts}")

    def _speak(self, words: Mapping[str, list[str]], channel: str | None) -> tuple[Spoke, ...]:
        spoke: dict[str, Spoke] = {}
        for rule in self.registers.rules.rule:
            heard = list(words.get(rule.id, ()))
            if channel is not None and channel in rule.channels:
                heard.append(f"channel={channel}")
            if heard and (not rule.needs or any(id in spoke for id in rule.needs)):
                spoke[rule.id] = Spoke(rule, tuple(heard))
        return tuple(spoke.values())

    def _product(self, text: Prepared, sent: str | None) -> str | None:
        if sent is not None and (known := self._aliases.get(_plain(sent))):
            return known
        found = self._products.find(text)
        codes = [p.code for p in self.registers.products if p.code in found]
        return max(codes, key=lambda code: len(found[code]), default=None)


def _compile(where: str, entries: Sequence[tuple[str, Keywords]]) -> Matcher:
    try:
        return Matcher(Keyword(lang, word, id) for id, words in entries for lang in words for word in words[lang])
    except BadKeyword as error:
        raise BadRegister(f"{where} {error}") from None


def _plain(name: str) -> str:
    return _SEPARATORS.sub(" ", normalise(name)).strip()


def _fits(route: Route, found: Classification, ids: frozenset[str], channel: str | None) -> bool:
    return (
        (not route.category or found.category in route.category)
        and (not route.product or found.product in route.product)
        and (not route.channel or channel in route.channel)
        and (not route.rules or not ids.isdisjoint(route.rules))
    )


def _reason(route: Route, found: Classification, ids: frozenset[str], channel: str | None) -> str:
    facts = [f"category={found.category}"]
    if route.product:
        facts.append(f"product={found.product}")
    if route.channel:
        facts.append(f"channel={channel}")
    if route.rules:
        facts.append(f"rules={'+'.join(sorted(ids & route.rules))}")
    return f"rule {route.id}: {', '.join(facts)}"
