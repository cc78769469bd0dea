"""What a model sees of a text: its words, pairs of words, parts of words, and single and paired Chinese characters.

Training and deciding share this module, so that a feature means the same to both. Everything is taken from the
normalised text (`language.normalise`), in which Traditional and Simplified characters are one.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from services.routing.classifier.language import detect

_TOKEN = re.compile(r"[a-z0-9\u00c0-\u024f]+(?:'[a-z]+)*|[\u3400-\u4dbf\u4e00-\u9fff]+")
_MASK = re.compile(r"x{2,}[0-9]*")  # how published complaints hide names and numbers
_FIRST_IDEOGRAPH = "\u3400"
_SENTENCE_END = re.compile("[\u3002!?\n]")
_LEAST_LEAD = 6  # characters: a greeting is no first sentence
NUMBER = "#"

WORDS, PARTS, LEAD = "w", "c", "l"
RUNS = ("1", "2", "3")
KINDS = (WORDS, PARTS, LEAD, *RUNS)
"""The first character of a feature is its kind; the features of one kind are weighed as one block."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Which features a model uses. `parts`: lengths of the parts of Latin words, None for none. `lead`: how many
    characters at the beginning, up to the end of the first sentence, count once more as a block of their own if they
    are Chinese (a message opens with what it is about; in English letters that did not hold, measured)."""

    parts: tuple[int, int] | None = (3, 5)
    runs: int = 2
    lead: int = 30
    weights: tuple[float, ...] = (1.0, 0.7, 0.8, 0.7, 1.0, 0.7)

    @classmethod
    def of(cls, raw: dict[str, Any]) -> "Shape":
        parts = raw["parts"]
        return cls(tuple(parts) if parts else None, raw["runs"], raw["lead"], tuple(raw["weights"]))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def count(text: str, shape: Shape) -> Counter[str]:
    """How often each feature occurs in `text`, which is normalised."""
    found: list[str] = []
    previous = ""
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token[0] >= _FIRST_IDEOGRAPH:
            previous = ""
            _add_runs(found, token, shape.runs)
            continue
        word = _word(token)
        if not word:
            previous = ""
            continue
        found.append(WORDS + word)
        if previous:
            found.append(f"{WORDS}{previous} {word}")
        previous = word
        if shape.parts is not None and len(word) > 2:
            _add_parts(found, word, shape.parts)
    _add_lead(found, text, shape.lead)
    return Counter(found)


def divided(text: str) -> tuple[str, ...]:
    """The first sentence of a Chinese text, which is normalised, and what follows it. Nothing where there is only one
    sentence, nor of a text in Latin letters."""
    end = _SENTENCE_END.search(text, _LEAST_LEAD)
    if end is None or detect(text) in (None, "en"):
        return ()
    first, rest = text[: end.start()], text[end.end() :].lstrip()
    return (first, rest) if rest else ()


def spans(text: str, shape: Shape) -> Iterator[tuple[str, int, int]]:
    """Every occurrence of a feature in `text` with where it begins and ends: the same ones as `count`, told apart."""
    previous = ("", 0)
    for match in _TOKEN.finditer(text):
        token, at = match.group(), match.start()
        if token[0] >= _FIRST_IDEOGRAPH:
            previous = ("", 0)
            for n in range(1, shape.runs + 1):
                for i in range(len(token) - n + 1):
                    yield f"{n}{token[i : i + n]}", at + i, at + i + n
            continue
        word = _word(token)
        if not word:
            previous = ("", 0)
            continue
        yield WORDS + word, at, match.end()
        if previous[0]:
            yield f"{WORDS}{previous[0]} {word}", previous[1], match.end()
        previous = (word, at)
        if shape.parts is not None and len(word) > 2:
            parts: list[str] = []
            _add_parts(parts, word, shape.parts)
            for part in parts:
                yield part, at, match.end()
    for match in _TOKEN.finditer(text[: _end_of_lead(text, shape.lead)]):
        token, at = match.group(), match.start()
        if token[0] >= _FIRST_IDEOGRAPH:
            for n in (1, 2):
                for i in range(len(token) - n + 1):
                    yield LEAD + token[i : i + n], at + i, at + i + n


def _word(token: str) -> str:
    """The form in which a word counts; empty for one that was masked."""
    if token.isdigit():
        return NUMBER
    return "" if _MASK.fullmatch(token) else token


def _add_runs(found: list[str], token: str, longest: int) -> None:
    for n in range(1, longest + 1):
        found += [f"{n}{token[i : i + n]}" for i in range(len(token) - n + 1)]


def _add_parts(found: list[str], word: str, lengths: tuple[int, int]) -> None:
    padded = f" {word} "
    for n in range(lengths[0], min(lengths[1], len(padded) - 1) + 1):
        found += [PARTS + padded[i : i + n] for i in range(len(padded) - n + 1)]


def _add_lead(found: list[str], text: str, length: int) -> None:
    for match in _TOKEN.finditer(text[: _end_of_lead(text, length)]):
        token = match.group()
        if token[0] >= _FIRST_IDEOGRAPH:
            for n in (1, 2):
                found += [LEAD + token[i : i + n] for i in range(len(token) - n + 1)]


def _end_of_lead(text: str, length: int) -> int:
    sentence = _SENTENCE_END.search(text, _LEAST_LEAD, length)
    return sentence.start() if sentence else length
