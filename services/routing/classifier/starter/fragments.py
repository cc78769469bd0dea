"""The fragments that made-up complaints consist of, as they stand in `data/`."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from services.routing.classifier.registers import Code, Entry, Language, parse

Part = Literal["train", "heldout"]
Texts = Annotated[tuple[str, ...], Field(min_length=1)]

LANGUAGES: tuple[Language, ...] = ("zh-Hant", "zh-Hans", "en")
DATA = Path(__file__).resolve().parent / "data"
NO_PRODUCT = "none"
ANY_PRODUCT = "any"


class Words(Entry):
    """What both parts share in one language: what products are called, `mixed` in English within Chinese; how amounts,
    dates and times are written. `join` stands between sentences."""

    amounts: Texts
    dates: Texts
    months: Texts
    times: Texts
    join: str
    names: dict[Code, Texts]
    mixed: dict[Code, Texts] = Field(default_factory=dict)


class Frame(Entry):
    """What any complaint may say, whatever its type."""

    greeting: Texts
    opening: Texts
    angry: Texts
    detail: Texts
    consequence: Texts
    demand: Texts
    threat: Texts
    closing: Texts


class Situation(Entry):
    """What went wrong, for one type: `any` fits the products in `fits`; `by_product` a single one (or none)."""

    fits: tuple[Code, ...]
    any: Texts
    by_product: dict[Code, Texts]

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, raw: dict[str, object]) -> dict[str, object]:
        """In the file, a product's list stands beside `any` under its own code."""
        own = {key: value for key, value in raw.items() if key not in ("fits", ANY_PRODUCT)}
        return {"fits": raw.get("fits"), "any": raw.get(ANY_PRODUCT), "by_product": own}

    @property
    def products(self) -> tuple[str | None, ...]:
        """Products that a complaint of this type may be about; None: about none in particular."""
        named = dict.fromkeys((*self.fits, *self.by_product))
        return tuple(None if p == NO_PRODUCT else p for p in named)

    def about(self, product: str | None) -> tuple[str, ...]:
        """The fragments that fit `product`."""
        own = self.by_product.get(product or NO_PRODUCT, ())
        return (*own, *self.any) if product in self.fits else own


class Fragments(Entry):
    """One part in one language. `context` names a product without saying what went wrong."""

    frame: Frame
    context: dict[Code, Texts]
    situation: dict[Code, Situation]

    def all(self) -> Iterator[str]:
        """Every fragment."""
        for name in Frame.model_fields:
            yield from getattr(self.frame, name)
        for texts in self.context.values():
            yield from texts
        for situation in self.situation.values():
            yield from situation.any
            for texts in situation.by_product.values():
                yield from texts


@cache
def words(language: Language) -> Words:
    """Raises BadRegister."""
    return parse(DATA / f"{language}.toml", Words)


@cache
def fragments(part: Part, language: Language) -> Fragments:
    """Raises BadRegister."""
    return parse(DATA / f"{part}.{language}.toml", Fragments)
