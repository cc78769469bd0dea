"""On which line of a TOML text something stands, so that whoever mends a pack finds it."""

import re
from collections.abc import Sequence

_TABLE = re.compile(r"\s*\[(\[)?\s*([A-Za-z0-9_.\"-]+)\s*\]?\]")


def line_of(text: str, loc: Sequence[int | str]) -> int | None:
    """The line (from 1) of what `loc` leads to: a key (`("steps", 1, "limit")`), or the nearest thing around it that is
    there; None where nothing is."""
    if not loc:
        return None
    lines = text.splitlines()
    table, rest = _table(lines, loc)
    first = table or 0
    for key in reversed([part for part in rest if isinstance(part, str)]):
        pattern = re.compile(rf'(?:^\s*|[{{,]\s*)"?{re.escape(key)}"?\s*=')
        for number in range(first, _end(lines, first)):
            if pattern.search(lines[number]):
                return number + 1
    return table


def _table(lines: list[str], loc: Sequence[int | str]) -> tuple[int | None, Sequence[int | str]]:
    """The line of the header `[name]`, or of the so-manieth `[[name]]`, that `loc` leads into, and the rest of
    `loc`."""
    name = str(loc[0])
    wanted = loc[1] if len(loc) > 1 and isinstance(loc[1], int) else None
    seen = -1
    for number, line in enumerate(lines):
        match = _TABLE.match(line)
        if match is None or match[2] != name:
            continue
        seen += 1
        if wanted is None or not match[1] or seen == wanted:
            return number + 1, loc[2:] if wanted is not None else loc[1:]
    return None, loc


def _end(lines: list[str], first: int) -> int:
    """Where the table that begins on line `first` ends: at the next header."""
    for number in range(first, len(lines)):
        if _TABLE.match(lines[number]):
            return number
    return len(lines)
