"""What is wrong with a data file, and on which line: TOML's parser tells no lines, so they are found in the text."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Key = tuple[str | int, ...]
"""A path into the data: names of tables and keys, and places in arrays, from 0."""

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=(.*)")
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'')
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong: in which `file` and on which `line` (from 1; 0 where it is in none), with which `rule` (a path
    into the file, empty for all of it), and why."""

    file: str
    rule: str
    reason: str
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.rule, self.reason) if part)


class DataError(ValueError):
    """A data file cannot be used. Every problem found is in `problems` and, a line each, in the text."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def parsed(path: Path) -> tuple[dict[str, Any], str]:
    """A TOML file's data and its text. Raises DataError."""
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text), text
    except OSError as error:
        raise DataError([Problem(path.name, "", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise DataError([Problem(path.name, "", "is no TOML: it is not written in UTF-8")]) from None
    except tomllib.TOMLDecodeError as error:
        at = _AT_LINE.search(str(error))
        line = int(at[1]) if at else len(text.splitlines())
        raise DataError([Problem(path.name, "", f"is no TOML: {error}", line)]) from None


def line_of(text: str, key: Sequence[str | int]) -> int:
    """The line (from 1) on which `key` stands in a TOML text; where it is missing or within a line, the nearest that
    encloses it; 0 for the file as a whole."""
    found: dict[Key, int] = {}
    for place, line in _places(text):
        for n in range(1, len(place) + 1):
            found.setdefault(place[:n], line)
    return next((found[tuple(key[:n])] for n in range(len(key), 0, -1) if tuple(key[:n]) in found), 0)


def _places(text: str) -> Iterator[tuple[Key, int]]:
    """Every table, array of tables, key, and array member that begins a line, with the line on which it begins."""
    table: Key = ()
    members: dict[Key, int] = {}
    value: Key = ()  # of the value that goes on over several lines
    depth, member, quote = 0, 0, ""
    for line, raw in enumerate(text.splitlines(), start=1):
        if quote:
            quote = "" if quote in raw else quote
            continue
        bare = _QUOTED.sub('""', raw).split("#", 1)[0]
        if depth:
            if depth == 1 and bare.strip(" \t,") not in ("", "]", "}"):
                yield (*value, member), line
                member += max(1, _members(bare))
            depth += _opened(bare)
        elif header := _HEADER.match(raw):
            table = _resolved(_parts(header[2]), members)
            if header[1] == "[[":
                members[table] = members.get(table, -1) + 1
                table = (*table, members[table])
            yield table, line
        elif assignment := _ASSIGNMENT.match(raw):
            value, member = (*table, *_parts(assignment[1])), 0
            yield value, line
            quote = next((q for q in ('"""', "'''") if assignment[2].count(q) == 1), "")
            depth = 0 if quote else _opened(bare[bare.index("=") :])


def _parts(dotted: str) -> Key:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def _resolved(parts: Key, members: dict[Key, int]) -> Key:
    """The path of a header: a name of an array of tables on the way stands for its latest member."""
    path: Key = ()
    for n, part in enumerate(parts, start=1):
        path = (*path, part)
        if path in members and n < len(parts):
            path = (*path, members[path])
    return path


def _opened(bare: str) -> int:
    return sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}")


def _members(bare: str) -> int:
    """How many members of an array a line of it holds: those that commas part outside of brackets."""
    depth, commas = 0, 0
    for character in bare.rstrip(" \t,"):
        depth += (character in "[{") - (character in "]}")
        commas += character == "," and depth == 0
    return commas + 1
