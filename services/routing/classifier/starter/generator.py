"""Puts made-up complaints together from fragments: the same seed gives the same texts."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from random import Random
from typing import Generic, TypeVar

from opencc import OpenCC

from services.routing.classifier.registers import Language
from services.routing.classifier.starter.fragments import LANGUAGES, Fragments, Part, Words, fragments, words

_ARTICLE = re.compile(r"\b(a|an|A|An) \{product\}")
_CHOICE = re.compile(r"\[([^\[\]]+)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_MIXED_SHARE = 0.2
_STYLES = {"terse": 20, "plain": 30, "polite": 20, "angry": 15, "long": 15}
_TO_SIMPLIFIED = ("t2s", "hk2s", "tw2s")
_TO_TRADITIONAL = ("s2hk", "s2tw", "s2t")

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A made-up complaint. `type` and `product` are codes of the registers, None where it is about no product;
    `mixed`: Chinese that names the product in English; `situation`: the fragment that decides the type."""

    text: str
    type: str
    product: str | None
    language: Language
    mixed: bool
    situation: str


def generate(
    n: int, seed: int, *, part: Part = "train", languages: Sequence[Language] = LANGUAGES
) -> Iterator[Labelled]:
    """`n` complaints, no two alike, spread evenly over languages and types, and within these over products."""
    random = Random(f"{part}-{seed}")  # noqa: S311 - made-up texts, no secret is drawn from it
    writers = {language: _Writer(part, language, random) for language in languages}
    cells = [(language, type) for language in languages for type in fragments(part, language).situation]
    products = {cell: _Deck(fragments(part, cell[0]).situation[cell[1]].products, random) for cell in cells}
    order = _Deck(cells, random)
    seen: set[str] = set()
    for _ in range(n):
        language, type = order.deal()
        product = products[language, type].deal()
        found = writers[language].write(type, product)
        while found.text in seen:
            found = writers[language].write(type, product, style="long")
        seen.add(found.text)
        yield found


def paired(n: int, seed: int, *, part: Part = "train") -> Iterator[tuple[str, str]]:
    """`n` Chinese complaints, each as (Traditional, Simplified). Half are written in either script; the other half of
    the pair is OpenCC's conversion, by each of its standards in turn (general, Hong Kong, Taiwan)."""
    simplified, traditional = cycle(_TO_SIMPLIFIED), cycle(_TO_TRADITIONAL)
    for one in generate(n, seed, part=part, languages=("zh-Hant", "zh-Hans")):
        if one.language == "zh-Hant":
            yield one.text, _converter(next(simplified)).convert(one.text)
        else:
            yield _converter(next(traditional)).convert(one.text), one.text


@cache
def _converter(name: str) -> OpenCC:
    return OpenCC(name)


class _Deck(Generic[Item]):
    """Deals its cards in an order that chance has mixed, all of them before any comes again."""

    def __init__(self, cards: Sequence[Item], random: Random) -> None:
        self._cards = tuple(cards)
        self._random = random
        self._left: list[Item] = []

    def deal(self) -> Item:
        if not self._left:
            self._left = self._random.sample(self._cards, len(self._cards))
        return self._left.pop()


class _Writer:
    """Writes complaints of one part in one language."""

    def __init__(self, part: Part, language: Language, random: Random) -> None:
        self._fragments: Fragments = fragments(part, language)
        self._words: Words = words(language)
        self._language = language
        self._random = random
        frame = self._fragments.frame
        self._frame: dict[str, _Deck[str]] = {
            name: _Deck(getattr(frame, name), random) for name in type(frame).model_fields
        }
        self._context = {code: _Deck(texts, random) for code, texts in self._fragments.context.items()}
        self._situations: dict[tuple[str, str | None], _Deck[str]] = {
            (kind, product): _Deck(situation.about(product), random)
            for kind, situation in self._fragments.situation.items()
            for product in situation.products
        }

    def write(self, kind: str, product: str | None, *, style: str | None = None) -> Labelled:
        """A complaint of the type `kind` about `product`."""
        style = style or self._random.choices(list(_STYLES), list(_STYLES.values()))[0]
        mixed = product in self._words.mixed and self._chance(_MIXED_SHARE)
        situations = [self._situations[kind, product].deal()]
        if style == "long" and (second := self._situations[kind, product].deal()) != situations[0]:
            situations.append(second)
        context = []
        if product is not None and not any("{product}" in s for s in situations):
            general = situations[0] in self._fragments.situation[kind].any
            if mixed or general or self._chance(0.5):
                context.append(self._context[product].deal())
        elif product is not None and style in ("polite", "long") and self._chance(0.5):
            context.append(self._context[product].deal())
        sentences = self._arrange(style, context, situations)
        mixed = mixed and any("{product}" in s for s in sentences)
        filled = self._fill(sentences, product, mixed)
        return Labelled(self._surface(filled, style), kind, product, self._language, mixed, situations[0])

    def _arrange(self, style: str, context: list[str], situations: list[str]) -> list[str]:
        """The sentences in the order in which somebody of this temper writes them."""
        one, perhaps = self._one, self._perhaps
        match style:
            case "terse":
                return [*context, *situations, *perhaps("demand", 0.3)]
            case "plain":
                return [
                    *perhaps("opening", 0.5), *context, *situations, *perhaps("detail", 0.6),
                    *perhaps("consequence", 0.3), *perhaps("demand", 0.5),
                ]  # fmt: skip
            case "polite":
                return [
                    one("greeting"), one("opening"), *context, *situations, *perhaps("detail", 0.7),
                    one("demand"), one("closing"),
                ]  # fmt: skip
            case "angry":
                return [
                    *perhaps("angry", 0.7), *context, *situations, one("angry"), *perhaps("detail", 0.5),
                    *perhaps("demand", 0.5), *perhaps("threat", 0.6),
                ]  # fmt: skip
            case _:
                return [
                    *perhaps("greeting", 0.6), one("opening"), *context, one("detail"), situations[0], one("detail"),
                    *situations[1:], *perhaps("detail", 0.5), one("consequence"), *perhaps("angry", 0.2),
                    *perhaps("threat", 0.4), one("demand"), *perhaps("closing", 0.5),
                ]  # fmt: skip

    def _one(self, name: str) -> str:
        return self._frame[name].deal()

    def _perhaps(self, name: str, share: float) -> list[str]:
        return [self._one(name)] if self._chance(share) else []

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _fill(self, sentences: list[str], product: str | None, mixed: bool) -> list[str]:
        """The sentences with their choices made and their slots filled; what is chosen mostly stays the same."""
        sentences = [_CHOICE.sub(self._choose, s) for s in sentences]
        chosen: dict[str, str] = defaultdict(str)
        if product is not None:
            names = (self._words.mixed if mixed else self._words.names)[product]
            name = self._random.choice(names)
            chosen["product"] = f" {name} " if mixed and self._chance(0.5) else name
        if self._language == "en":
            article = "an" if chosen["product"][:1].lower() in "aeio" or chosen["product"][:3] == "FPS" else "a"
            sentences = [_ARTICLE.sub(article + " {product}", s) for s in sentences]
            sentences = [s[:1].upper() + s[1:] for s in sentences]

        def value(found: re.Match[str]) -> str:
            slot = found[1]
            if slot not in chosen or (slot != "product" and self._chance(0.5)):
                chosen[slot] = self._value(slot)
            return chosen[slot]

        return [_SLOT.sub(value, s).strip() for s in sentences]

    def _choose(self, found: re.Match[str]) -> str:
        return self._random.choice(str(found[1]).split("|"))

    def _value(self, slot: str) -> str:
        random, words = self._random, self._words
        match slot:
            case "amount" | "fee":
                size = random.choice((50, 200, 500, 2_000) if slot == "fee" else (500, 5_000, 80_000, 600_000))
                number = random.randint(size // 10, size)
                written = f"{number:,}" if self._chance(0.5) else str(number)
                return random.choice(words.amounts).format(n=written)
            case "days":
                return str(random.randint(3, 90))
            case "count":
                return str(random.randint(3, 12))
            case "wait":
                return str(random.choice((25, 30, 40, 45, 50, 70, 90, 120)))
            case "year":
                return str(random.randint(2008, 2025))
            case "date":
                month, day = random.randrange(12), random.randint(1, 28)
                ordinal = (
                    f"{day}{'st' if day in (1, 21) else 'nd' if day in (2, 22) else 'rd' if day in (3, 23) else 'th'}"
                )
                pattern = random.choice(words.dates)
                return pattern.format(
                    d=ordinal if "the {d}" in pattern else day, m=month + 1, month=words.months[month]
                )
            case "time":
                return random.choice(words.times).format(h=random.randint(1, 11))
        raise KeyError(slot)

    def _surface(self, sentences: list[str], style: str) -> str:
        """How it comes from the keyboard: lines, careless punctuation, capitals."""
        gap = "\n" if style in ("polite", "long") and self._chance(0.4) else self._words.join
        text = gap.join(sentences)
        if self._language == "en":
            if style != "polite" and self._chance(0.15):
                text = text.lower()
            if self._chance(0.1):
                text = text.replace("'", "")
        elif self._chance(0.15):
            text = text.replace("。", self._random.choice(("，", " ", "；", "...")))
        if style == "angry" and self._chance(0.4):
            text = text.replace("。", "！").replace(". ", "! ")
        if style in ("terse", "plain") and self._chance(0.3):
            text = text.rstrip("。.!！，；")
        return text.strip()
