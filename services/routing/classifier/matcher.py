"""Finds many keywords in a text at once: Chinese as substrings, English on word boundaries.

The text is cut once, into pairs of characters and into words; set intersection then leaves the few keywords that can
occur at all, so the time hardly depends on how many there are.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from operator import add

from services.routing.classifier.language import normalise

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)*")
_WORDS_AND_ENDS = re.compile(rf"{_WORD.pattern}|[!?。]|\.(?!\w)")  # no phrase reaches over the end of a sentence
_STEM = 3


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword as its author wrote it; English ones may end in `*` (any ending of the last word)."""

    language: str
    text: str
    owner: str


class BadKeyword(ValueError):
    """A keyword that cannot be looked for; the text says whose and why."""

    def __init__(self, keyword: Keyword, why: str) -> None:
        super().__init__(f"'{keyword.owner}': {keyword.language} keyword '{keyword.text}' {why}")


class Prepared:
    """A text, cut up once for every matcher."""

    __slots__ = ("pairs", "stems", "text", "words", "words_line")

    def __init__(self, raw: str) -> None:
        self.text = normalise(raw)
        words = _WORDS_AND_ENDS.findall(self.text)
        self.words_line = f" {' '.join(words)} "
        self.words = set(words)
        self.stems = {w[:_STEM] for w in self.words}
        self.pairs = set(map(add, self.text, self.text[1:])) if not self.text.isascii() else set()


class Matcher:
    """Compiled keywords. Immutable once made; `find` may be called from anywhere."""

    def __init__(self, keywords: Iterable[Keyword]) -> None:
        """Raises BadKeyword."""
        self._authored: dict[str, dict[str, str]] = {}
        self._owners: dict[str, list[str]] = {}
        self._chinese: dict[str, list[str]] = {}
        self._english: dict[str, list[str]] = {}
        self._english_stems: dict[str, list[str]] = {}
        for keyword in keywords:
            self._add(keyword)

    def _add(self, keyword: Keyword) -> None:
        needle = _needle(keyword)
        if needle not in self._owners:
            self._index(needle, keyword)
        self._authored.setdefault(needle, {}).setdefault(keyword.language, keyword.text)
        owners = self._owners.setdefault(needle, [])
        if keyword.owner not in owners:
            owners.append(keyword.owner)

    def _index(self, needle: str, keyword: Keyword) -> None:
        if keyword.language != "en":
            self._chinese.setdefault(needle[:2], []).append(needle)
            return
        words = needle.split()
        if len(words) == 1 and not needle.endswith(" "):
            self._english_stems.setdefault(words[0][:_STEM], []).append(needle)
        else:
            self._english.setdefault(words[0], []).append(needle)

    def find(self, text: Prepared, *, language: str | None = None) -> dict[str, list[str]]:
        """Owner -> its keywords that occur in `text`, in the wording of `language` where there is one.

        A keyword within a longer one of the same owner that occurs too is left out: it tells nothing more.
        """
        needles = [n for pair in text.pairs & self._chinese.keys() for n in self._chinese[pair] if n in text.text]
        for index, heads in ((self._english, text.words), (self._english_stems, text.stems)):
            needles += [n for head in heads & index.keys() for n in index[head] if n in text.words_line]
        found: dict[str, list[str]] = {}
        for needle in needles:
            for owner in self._owners[needle]:
                found.setdefault(owner, []).append(needle)
        return {owner: sorted(self._worded(n, language) for n in _longest(mine)) for owner, mine in found.items()}

    def _worded(self, needle: str, language: str | None) -> str:
        authored = self._authored[needle]
        return authored.get(language or "") or next(iter(authored.values()))


def _longest(needles: list[str]) -> list[str]:
    if len(needles) == 1:
        return needles
    return [n for n in needles if not any(n is not other and n.strip() in other for other in needles)]


def _needle(keyword: Keyword) -> str:
    """What to look for: Chinese as it stands; English between spaces, the last one left off for a stem."""
    text = normalise(keyword.text)
    if keyword.language != "en":
        if len(text) < 2:
            raise BadKeyword(keyword, "is shorter than two characters")
        return text
    stem = text.endswith("*")
    words = _WORD.findall(text)
    if not words or "*" in text[:-1]:
        raise BadKeyword(keyword, "is no English word or phrase (a star may only end it)")
    if stem and len(words[-1]) < _STEM:
        raise BadKeyword(keyword, "leaves fewer than three letters before its star")
    return f" {' '.join(words)}{'' if stem else ' '}"
