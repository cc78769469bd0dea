"""Plain text as the parts that a printed letter is set from. Pure."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

_BULLET = re.compile(r"[•·‧*-][ \u3000]+(?=\S)")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_UNBROKEN = re.compile(r"[!-~]{60}(?=[!-~])")


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph, or a list. `lines` are its lines, or its items."""

    lines: tuple[str, ...]
    is_list: bool


def parts(body: str) -> Sequence[Part]:
    """Blank lines part paragraphs, lines that begin with a bullet are a list, other line ends stay as they are."""
    return tuple(part for block in re.split(r"\n\s*\n", clean(body)) for part in _of_block(block))


def _of_block(block: str) -> Iterator[Part]:
    lines = [line.strip() for line in block.split("\n") if line.strip()]
    for is_list, together in groupby(lines, key=lambda line: _BULLET.match(line) is not None):
        yield Part(tuple(_BULLET.sub("", line, count=1) if is_list else line for line in together), is_list)


def clean(text: str) -> str:
    """`text` without what cannot be printed: control characters, marks that turn the direction of writing, code points
    that are none. What is too long for a line may break."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))
    kept = "".join(c for c in text if c == "\n" or (unicodedata.category(c) not in _NONE and c not in _BIDI))
    return _UNBROKEN.sub(lambda run: run[0] + "\u200b", kept)


_NONE = frozenset(("Cc", "Cs", "Cn", "Co"))
