"""Bases: how many customers, accounts and branches the bank has, so that complaints can be given per thousand."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

Kind = Literal["customers", "accounts", "branches"]
KINDS: tuple[Kind, ...] = ("customers", "accounts", "branches")


@dataclass(frozen=True, slots=True)
class Count:
    """There are `count` of `kind` from `valid_from` on: in all, or under one `code` of a `dimension`."""

    kind: str
    valid_from: date
    count: int
    dimension: str | None = None
    code: str | None = None


class Bases:
    """Counts, ready to be looked up."""

    def __init__(self, counts: Iterable[Count]) -> None:
        found: defaultdict[tuple[str, str | None, str | None], list[tuple[date, int]]] = defaultdict(list)
        for one in counts:
            found[one.kind, one.dimension, one.code].append((one.valid_from, one.count))
        self._found = {key: sorted(entries) for key, entries in found.items()}

    def at(self, kind: str, where: Mapping[str, str], day: date) -> int | None:
        """See `base_at`."""
        if len(where) > 1:
            return None
        dimension, code = next(iter(where.items()), (None, None))
        entries = self._found.get((kind, dimension, code), [])
        place = bisect_right(entries, day, key=lambda entry: entry[0])
        return entries[place - 1][1] if place else None


def base_at(counts: Iterable[Count], kind: str, where: Mapping[str, str], day: date) -> int | None:
    """How many of `kind` there were on `day` where `where` says (a dimension and its code, or nothing for the bank):
    the newest count that was valid then. None where none is known, also of two dimensions at once."""
    return Bases(counts).at(kind, where, day)


def per_thousand(count: int, base: int | None) -> float | None:
    """`count` per thousand of `base`; None where there is none to divide by."""
    return count * 1000 / base if base else None
