"""What regulators call things in their returns: lists of codes and words, as data.

`labels()` reads them once. Together with ways from our codes, which whoever makes a return brings along, they are the
crosswalks that `services.reporting.domain.returns` works with. Codes are those of routing's taxonomies, so that its
translations lead here.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from services.reporting.domain.returns import Crosswalk

FILE = Path(__file__).parent / "labels.toml"


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
