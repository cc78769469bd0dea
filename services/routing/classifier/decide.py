"""What kind of complaint it is and whose: pure functions of the registers, explained by the rules that spoke."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.routing.classifier.language import detect, normalise
from services.routing.classifier.matcher import BadKeyword, Keyword, Matcher, Prepared
from services.routing.classifier.model import Model, Seen, Word
from services.routing.classifier.registers import BadRegister, Keywords, Registers, Rule, Signals
from services.routing.classifier.table import Known, Routing, route
from services.routing.domain.powers import Powers
from shared.events import Severity

GRAVITY: Mapping[str, int] = {"low": 0, "normal": 1, "high": 2, "critical": 3}
_SECOND_WORD = 0.5
_KNOWN = 0.2  # share of a text's words that a model must have met before to be heard
_SUREST = 0.99  # nobody knows for certain from words alone
TYPE, PRODUCT = "type", "product"
"""The questions that a model answers."""
Decider = Literal["rules", "model", "person"]
_SEPARATORS = re.compile(r"[\s_\-]+")


@dataclass(frozen=True, slots=True)
class Spoke:
    """A rule that spoke, and the words (or the channel) that made it."""

    rule: Rule
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a complaint beside its text, if anything. `repeats`: complaints of the same person lately, this
    one among them."""

    product: str | None = None
    language: str | None = None
    channel: str | None = None
    branch: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    vulnerable: bool = False
    repeats: int = 1


NOTHING = Facts()


@dataclass(frozen=True, slots=True)
class Classification:
    """`confidence`: that the category is right, 0 where nothing spoke for it; `decided_by` rules, model or, where a
    person has to decide, person. `further`: other types that the complaint is about too.

    `product` is a code of the product register: the one sent if it is known, else the one found in the text;
    `product_reason` says which. `signals` are what made it graver beside its words (amount, repeats, vulnerable).
    `chances` are the model's.
    """

    category: str
    severity: Severity
    confidence: float
    language: str | None
    product: str | None
    spoke: tuple[Spoke, ...]
    decided_by: Decider = "rules"
    further: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    chances: tuple[tuple[str, float], ...] = ()
    words: tuple[Word, ...] = ()
    model: str | None = None
    product_reason: str | None = None

    @property
    def rule_ids(self) -> tuple[str, ...]:
        return tuple(s.rule.id for s in self.spoke)


class Rulebook:
    """The registers and the model, compiled once. Immutable: any number of complaints may be decided with one."""

    def __init__(self, registers: Registers, model: Model | None = None) -> None:
        """Raises BadRegister for a keyword that cannot be looked for."""
        self.registers = registers
        self.model = model
        self.departments = {d.code: d for d in registers.departments}
        self.root_causes = frozenset(t.code for t in registers.taxonomy.root_cause)
        self.no_redress_reasons = frozenset(t.code for t in registers.taxonomy.no_redress)
        self.products = frozenset(p.code for p in registers.products)
        self.version = registers.rules.version
        powers = registers.powers
        self.powers = Powers(powers.outcomes, powers.severities, powers.alone, powers.supervisor)
        self.categories = tuple(t.code for t in registers.taxonomy.category)
        self._rules = _compile("rules.toml: rule", [(r.id, r.keywords) for r in registers.rules.rule])
        self._products = _compile("products.toml: product", [(p.code, p.keywords) for p in registers.products])
        self._aliases = {_plain(name): p.code for p in registers.products for name in (p.code, *p.aliases)}

    def with_model(self, model: Model | None) -> "Rulebook":
        """The same registers with another model."""
        return Rulebook(self.registers, model)

    def classify(self, text: str, facts: Facts = NOTHING, *, explain: bool = False) -> Classification:
        """The classification of a complaint. `explain`: say also which words weighed how much with the model."""
        book = self.registers.rules
        language = facts.language or detect(text)
        prepared = Prepared(text)
        spoke = self._speak(self._rules.find(prepared, language=language), facts.channel)
        shares = self._shares(spoke)
        seen = self.model.see(text) if self.model else None
        chances = self._chances(TYPE, seen)
        by_rules = max(self.categories, key=shares.__getitem__) if any(shares.values()) else "other"
        by_model = next(iter(chances), by_rules)
        decider: Decider = "rules"
        category, confidence = by_rules, shares[by_rules]
        if by_model == by_rules and chances:
            confidence = max(confidence, chances[by_model])
        elif chances.get(by_model, 0) >= max(book.trusted, confidence) and confidence < book.settled:
            category, confidence, decider = by_model, chances[by_model], "model"
        if confidence < book.triage:
            decider = "person"
        said = {c for c in self.categories if max(shares[c], chances.get(c, 0)) >= book.further}
        signals = _signals(facts, book.signals)
        product, product_reason = self._product(prepared, facts.product, seen)
        grave: list[Severity] = [s.rule.severity for s in spoke if s.rule.severity is not None]
        if signals:
            grave.append("high")
        return Classification(
            category=category,
            severity=max(grave, key=GRAVITY.__getitem__, default="normal"),
            confidence=round(min(confidence, _SUREST), 3),
            language=language,
            product=product,
            spoke=spoke,
            decided_by=decider,
            further=tuple(c for c in self.categories if c in said - {category}),
            signals=signals,
            chances=tuple((c, round(p, 3)) for c, p in chances.items()),
            words=self.model.explain(TYPE, text, category) if explain and self.model and chances else (),
            model=self.model.version if self.model and chances else None,
            product_reason=product_reason,
        )

    def route(self, found: Classification, facts: Facts = NOTHING) -> Routing:
        """The one department that takes charge of a complaint so classified."""
        return route(
            self.registers.routes,
            Known(
                found.category,
                found.product,
                facts.channel,
                facts.branch,
                found.severity,
                found.language,
                frozenset(found.rule_ids),
            ),
        )

    def _shares(self, spoke: Sequence[Spoke]) -> dict[str, float]:
        """Category -> its share of all weight, doubt included."""
        weights = dict.fromkeys(self.categories, 0.0)
        for one in spoke:
            if one.rule.category is not None:
                weights[one.rule.category] += one.rule.weight * (1 + _SECOND_WORD * (len(one.words) > 1))
        total = sum(weights.values()) + self.registers.rules.doubt
        return {category: weight / total for category, weight in weights.items()}

    def _chances(self, head: str, seen: Seen | None) -> dict[str, float]:
        """What the model gives each class; nothing where it knows too little of the text to speak."""
        if self.model is None or seen is None or head not in self.model.heads or seen.known < _KNOWN:
            return {}
        return self.model.predict(head, seen)

    def _speak(self, words: Mapping[str, list[str]], channel: str | None) -> tuple[Spoke, ...]:
        spoke: dict[str, Spoke] = {}
        for rule in self.registers.rules.rule:
            heard = list(words.get(rule.id, ()))
            if channel is not None and channel in rule.channels:
                heard.append(f"channel={channel}")
            if heard and (not rule.needs or any(id in spoke for id in rule.needs)):
                spoke[rule.id] = Spoke(rule, tuple(heard))
        return tuple(spoke.values())

    def _product(self, text: Prepared, sent: str | None, seen: Seen | None) -> tuple[str | None, str | None]:
        """The product, and why that one."""
        if sent is not None and (known := self._aliases.get(_plain(sent))):
            return known, "sent with the complaint"
        found = self._products.find(text)
        codes = [p.code for p in self.registers.products if p.code in found]
        named = max(codes, key=lambda code: len(found[code]), default=None)
        likely, chance = next(iter(self._chances(PRODUCT, seen).items()), (None, 0.0))
        if likely in self.products and (chance >= self.registers.rules.trusted or likely in codes):
            return likely, f"model: {min(chance, _SUREST):.2f}"
        return named, f"words: {', '.join(found[named])}" if named else None


def _signals(facts: Facts, signals: Signals) -> tuple[str, ...]:
    limit = signals.amounts.get(facts.currency or "")
    found = {
        "amount": facts.amount is not None and limit is not None and facts.amount >= limit,
        "repeats": facts.repeats >= signals.repeats,
        "vulnerable": facts.vulnerable,
    }
    return tuple(name for name, holds in found.items() if holds)


def _compile(where: str, entries: Sequence[tuple[str, Keywords]]) -> Matcher:
    try:
        return Matcher(Keyword(lang, word, id) for id, words in entries for lang in words for word in words[lang])
    except BadKeyword as error:
        raise BadRegister(f"{where} {error}") from None


def _plain(name: str) -> str:
    return _SEPARATORS.sub(" ", normalise(name)).strip()
