"""What regulators call things in their returns: lists of codes and words, as data.

`labels()` reads them once, `ways()` where our codes lead. Together they are the crosswalks that
`services.reporting.domain.returns` works with. Codes are those of routing's taxonomies.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from services.reporting.domain.returns import Crosswalk

FILE = Path(__file__).parent / "labels.toml"
WAYS = Path(__file__).parent / "ways.toml"


@cache
def labels(language: str = "en", file: Path = FILE) -> Mapping[str, Mapping[str, str]]:
    """List -> code -> words, in the regulator's order. `language` (en, zh-Hant, zh-Hans) matters where a list has its
    words in several; where it has none in that language, they are the regulator's own.

    Raises ValueError where a code has neither.
    """
    found: dict[str, dict[str, str]] = {}
    for name, codes in tomllib.loads(file.read_text(encoding="utf-8")).items():
        found[name] = {}
        for code, words in codes.items():
            text = words if isinstance(words, str) else words.get(language, words.get("zh-Hans"))
            if not isinstance(text, str) or not text:
                raise ValueError(f"{file.name}: {name}.{code} has no words")
            found[name][code] = text
    return found


def crosswalk(name: str, ways: Mapping[str, str], *, language: str = "en") -> Crosswalk:
    """The crosswalk to list `name`. `ways` may lead to codes that it lacks: they are unmapped. Raises KeyError."""
    return Crosswalk(labels(language)[name], ways)


@cache
def ways(file: Path = WAYS) -> Mapping[str, Mapping[str, str]]:
    """List -> our code (a type, a product, a channel, or `type/product`) -> the regulator's."""
    return tomllib.loads(file.read_text(encoding="utf-8"))


def our_crosswalk(name: str, *, language: str = "en") -> Crosswalk:
    """The crosswalk from our codes to list `name`. Raises KeyError."""
    return crosswalk(name, ways()[name], language=language)
