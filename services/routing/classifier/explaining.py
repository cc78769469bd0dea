"""Which pieces of a text weighed how much, shown as their author wrote them."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping

from services.routing.classifier import features
from services.routing.classifier.features import Shape
from services.routing.classifier.language import normalise

_WORD = re.compile(r"[a-z0-9\u00c0-\u024f]+(?:'[a-z]+)*")
_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_SHORTEST, _LONGEST = 2, 4  # characters of a Chinese piece


def heaviest(text: str, added: Mapping[str, float], shape: Shape, most: int) -> list[tuple[str, float]]:
    """The `most` pieces of `text` with the greatest positive weight, heaviest first, equal ones added up.

    `added`: feature -> its contribution, as `Model.contributions` gives it.
    """
    line, origin = _aligned(text)
    shares = _shares(line, added, shape)
    pieces: dict[str, float] = defaultdict(float)
    written: dict[str, str] = {}
    for start, end in [*_words(line), *_runs(line, shares)]:
        weight = sum(shares[start:end])
        if weight <= 0:
            continue
        key = line[start:end]
        pieces[key] += weight
        written.setdefault(key, text[origin[start] : origin[end - 1] + 1] if origin else key)
    ranked = sorted(pieces.items(), key=lambda p: (-p[1], p[0]))[:most]
    return [(written[key], round(weight, 4)) for key, weight in ranked]


def _aligned(text: str) -> tuple[str, list[int]]:
    """`text` normalised, and for each of its characters where it came from; no places where that can't be told."""
    line = normalise(text)
    origin: list[int] = []
    at = 0
    for i, character in enumerate(text):
        piece = normalise(character)
        if line.startswith(piece, at):
            origin += [i] * len(piece)
            at += len(piece)
        elif not character.isspace():  # a space between ideographs goes; anything else is beyond this
            return line, []
    return line, origin if at == len(line) else []


def _shares(line: str, added: Mapping[str, float], shape: Shape) -> list[float]:
    """For each character of `line`, its share of the features that cover it."""
    occurrences = [s for s in features.spans(line, shape) if s[0] in added]
    often = Counter(s[0] for s in occurrences)
    shares = [0.0] * len(line)
    for feature, start, end in occurrences:
        each = added[feature] / often[feature] / (end - start)
        for i in range(start, end):
            shares[i] += each
    return shares


def _words(line: str) -> list[tuple[int, int]]:
    return [m.span() for m in _WORD.finditer(line)]


def _runs(line: str, shares: list[float]) -> list[tuple[int, int]]:
    """Pieces of two to four Chinese characters, the heaviest first, none overlapping another."""
    found: list[tuple[float, int, int]] = []
    for match in _RUN.finditer(line):
        begin, end = match.span()
        if end - begin < _SHORTEST:
            found.append((shares[begin], begin, end))
        for n in range(_SHORTEST, _LONGEST + 1):
            found += [
                (sum(shares[i : i + n]) / n**0.5, i, i + n)
                for i in range(begin, end - n + 1)
                if shares[i] > 0 and shares[i + n - 1] > 0  # a piece does not begin or end with what spoke against
            ]
    taken: list[tuple[int, int]] = []
    covered = [False] * len(line)
    for _, start, stop in sorted(found, key=lambda f: (-f[0], f[1], f[2])):
        if not any(covered[start:stop]):
            covered[start:stop] = [True] * (stop - start)
            taken.append((start, stop))
    return taken
