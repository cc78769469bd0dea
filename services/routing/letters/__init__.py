"""Letters to complainants from templates in three languages, with what the law wants in them. Pure: facts in, text out.

`load` reads the templates and the rights, data beside this module; a bank may give a folder of its own. Then
`compose(book, kind, language, facts)` writes a letter, and `check_edited` says whether one that an officer has changed
still holds what it must. `shared.letters.render` makes the PDF.
"""

from functools import cache
from pathlib import Path

from services.routing.letters.book import KINDS, LANGUAGES, Book, Kind, Language, read
from services.routing.letters.compose import (
    Facts,
    Letter,
    Passage,
    check_edited,
    compose,
    contains_mandatory,
    mandatory,
)
from services.routing.letters.errors import BadLetters, LetterIncomplete, MandatoryTextMissing

__all__ = [
    "KINDS",
    "LANGUAGES",
    "BadLetters",
    "Book",
    "Facts",
    "Kind",
    "Language",
    "Letter",
    "LetterIncomplete",
    "MandatoryTextMissing",
    "Passage",
    "check_edited",
    "compose",
    "contains_mandatory",
    "load",
    "mandatory",
]

OWN = Path(__file__).resolve().parent


@cache
def load(folder: Path = OWN) -> Book:
    """The letters in `folder`, read and checked once. Raises BadLetters, which names the file and the entry."""
    return read(folder)
