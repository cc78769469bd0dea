"""Which language and script a text is in, and one form of it in which keywords are looked for."""

import re
import unicodedata

from services.routing.classifier.characters import FOLD, SIMPLIFIED_ONLY, TRADITIONAL_ONLY

LANGUAGES = ("zh-Hant", "zh-Hans", "en")

_IDEOGRAPH = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LATIN_WORD = re.compile(r"[A-Za-z]{2,}")
_GAP = re.compile(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])")
_FOLD = str.maketrans({**FOLD, "’": "'", "‘": "'"})


def detect(text: str, *, undecided: str = "zh-Hant") -> str | None:
    """The language of `text`: zh-Hant, zh-Hans or en; None for a text without letters.

    Chinese where there are more ideographs than Latin words, since Chinese complaints name products in English. The
    script is that of which more characters are met that the other does not use; `undecided` where neither leads.
    """
    ideographs = len(_IDEOGRAPH.findall(text))
    words = len(_LATIN_WORD.findall(text))
    if not ideographs and not words:
        return None
    if words >= ideographs:
        return "en"
    balance = sum((c in TRADITIONAL_ONLY) - (c in SIMPLIFIED_ONLY) for c in text)
    if balance == 0:
        return undecided
    return "zh-Hant" if balance > 0 else "zh-Hans"


def normalise(text: str) -> str:
    """`text` in the form in which keywords are compared: NFKC, case folded, Traditional as Simplified characters.

    Line breaks and spaces between ideographs go, so that a wrapped letter reads like a typed one.
    """
    if text.isascii():
        return text.lower()
    return _GAP.sub("", unicodedata.normalize("NFKC", text).casefold().translate(_FOLD))
