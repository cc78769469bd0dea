"""The table by which Traditional and Simplified Chinese are brought to one form, made from OpenCC's.

`characters` reads it from a file: made anew it would take near half a second of every start, and would change under a
model's feet with OpenCC. `python -m services.routing.classifier.folding` writes it; the starter model is then trained
anew.
"""

from itertools import chain

from opencc import OpenCC

from services.routing.classifier.characters import FOLD_FILE, SIMPLIFIED

_IDEOGRAPHS = [chr(code) for code in chain(range(0x3400, 0x4DC0), range(0x4E00, 0xA000))]
_STEPS = ("hk2s", "tw2s", "t2s")
_SIMPLER = ("s2t", "s2hk", "s2tw")
_LINE = 40  # pairs


def fold() -> dict[str, str]:
    """Ideograph -> the one that stands for all its variants. Whatever OpenCC makes of a character in either direction
    joins the two, so that a text and its conversion fold to the same."""
    parent: dict[str, str] = {}

    def root(c: str) -> str:
        while (up := parent.get(c, c)) != c:
            c = up
        return c

    pairs = list(SIMPLIFIED.items())
    for name in (*_STEPS, *_SIMPLER):
        lines = OpenCC(name).convert("\n".join(_IDEOGRAPHS)).split("\n")
        new = [(a, b) for a, b in zip(_IDEOGRAPHS, lines, strict=True) if a != b and len(b) == 1]
        pairs += new if name in _STEPS else [(b, a) for a, b in new]
    for variant, plain in pairs:
        one, other = root(variant), root(plain)
        if one != other:
            parent[one] = other
    common = {root(plain): plain for plain in SIMPLIFIED.values()}
    return {c: stands for c in {*parent, *common} if (stands := common.get(root(c), root(c))) != c}


def written(table: dict[str, str]) -> str:
    """The table as the file holds it: pairs, the variant first."""
    pairs = [variant + stands for variant, stands in sorted(table.items())]
    return "".join(" ".join(pairs[n : n + _LINE]) + "\n" for n in range(0, len(pairs), _LINE))


if __name__ == "__main__":
    FOLD_FILE.write_text(written(fold()), encoding="utf-8")
