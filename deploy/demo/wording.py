"""The words of demonstration complaints: sentence patterns with slots, one TOML file per language in `data/`."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

LANGUAGES = ("zh-Hant", "zh-Hans", "en")
KINDS = ("service_quality", "product", "channel", "fees", "information_security", "other")
"""The six types of complaint of the founding programme."""

_SLOT = re.compile(r"\{(\w+)\}")
_SENTENCE_START = re.compile(r"(^|[.!?] )([a-z])")


@dataclass(frozen=True, slots=True)
class Branch:
    code: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Bank:
    """What all languages share: the invented branches, and how much each product is complained about."""

    branches: tuple[Branch, ...]
    product_shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A sentence pattern. `product` is None where it suits any product."""

    text: str
    product: str | None

    @property
    def slots(self) -> frozenset[str]:
        return frozenset(_SLOT.findall(self.text))


@dataclass(frozen=True, slots=True)
class Wording:
    """All that one language has to say.

    `lists` holds what is chosen from by name (`staff`, `closers`, ...). `outcomes` suit any complaint of their type,
    `refunds` only one in which an amount is at stake.
    """

    language: str
    lists: Mapping[str, tuple[str, ...]]
    products: Mapping[str, tuple[str, ...]]
    money: Mapping[str, tuple[str, ...]]
    openers: Mapping[str, tuple[str, ...]]
    patterns: Mapping[str, tuple[Pattern, ...]]
    effects: Mapping[str, tuple[Pattern, ...]]
    outcomes: Mapping[str, tuple[str, ...]]
    refunds: Mapping[str, tuple[str, ...]]
    date_form: str
    name_form: str

    def money_text(self, rng: Random, value: Decimal, currency: str) -> str:
        """An amount as people write it: thousands separated, cents only where there are some."""
        whole = value == value.to_integral_value()
        return rng.choice(self.money[currency]).replace("{n}", f"{value:,.0f}" if whole else f"{value:,.2f}")

    def date_text(self, month: int, day: int) -> str:
        return self.date_form.format(month=self.lists["months"][month - 1], day=day)

    def fill(self, text: str, slots: Mapping[str, str]) -> str:
        """`text` with its slots filled; raises KeyError for a slot that has no value."""
        filled = _SLOT.sub(lambda found: slots[found[1]], text)
        if self.language != "en":
            return filled
        return _SENTENCE_START.sub(lambda found: found[1] + found[2].upper(), filled)

    def join(self, sentences: Sequence[str]) -> str:
        """Sentences as running text; Chinese puts no space between them."""
        return (" " if self.language == "en" else "").join(sentence for sentence in sentences if sentence)


@cache
def bank() -> Bank:
    raw = load("bank")
    branches = tuple(Branch(one["code"], {key: one[key] for key in LANGUAGES}) for one in raw["branches"])
    return Bank(branches, raw["product_shares"])


@cache
def wording(language: str) -> Wording:
    raw = load(language)
    return Wording(
        language=language,
        lists={key: tuple(value) for key, value in raw.items() if isinstance(value, list)},
        products=_choices(raw["products"]),
        money=_choices(raw["money"]),
        openers=_choices(raw["openers"]),
        patterns={kind: _patterns(raw["patterns"][kind]) for kind in KINDS},
        effects={kind: _patterns(raw["effects"][kind]) for kind in KINDS},
        outcomes=_choices(raw["outcomes"]),
        refunds=_choices(raw["refunds"]),
        date_form=raw["date"],
        name_form=raw["name"],
    )


def load(name: str) -> dict[str, Any]:
    """The table of this name in `data/`."""
    return tomllib.loads(files("deploy.demo").joinpath("data", f"{name}.toml").read_text(encoding="utf-8"))


def _choices(table: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in table.items()}


def _patterns(table: Mapping[str, list[str]]) -> tuple[Pattern, ...]:
    return tuple(
        Pattern(text, None if product == "any" else product) for product, texts in table.items() for text in texts
    )
