"""The routing table: from what is known of a complaint to the one department that takes charge."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.routing.classifier.registers import CONDITIONS, Route, Routes

_PLAIN = tuple(name for name in CONDITIONS if name != "rules")
EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Known:
    """What a route may ask for. `rules` are the ids of the classification rules that spoke."""

    category: str
    product: str | None = None
    channel: str | None = None
    branch: str | None = None
    severity: str = "normal"
    language: str | None = None
    rules: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Routing:
    """Who is given the complaint, and why, in words that quote nothing of it."""

    department: str
    reason: str


def route(table: Routes, known: Known) -> Routing:
    """The department of the first route that fits, else of the fallback: there is always one."""
    for one in table.route:
        if _fits(one, known):
            return Routing(one.department, _reason(one, known))
    said = f"category={known.category}, product={known.product or 'unknown'}"
    return Routing(table.fallback, f"fallback: no route for {said}")


@dataclass(frozen=True, slots=True)
class Move:
    """A complaint that another table would give to another department."""

    complaint_id: str
    now: str
    then: str
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What another table would change: how many of `cases` move, from where to where, and some examples."""

    cases: int
    moves: Counter[tuple[str, str]]
    examples: Sequence[Move]


def compare(now: Routes, then: Routes, cases: Iterable[tuple[str, Known]]) -> Comparison:
    """Both tables over the same complaints (id and what is known)."""
    n, moves, examples = 0, Counter[tuple[str, str]](), list[Move]()
    for n, (id, known) in enumerate(cases, 1):  # noqa: B007 - the last number is how many there were
        before, after = route(now, known), route(then, known)
        if before.department != after.department:
            moves[before.department, after.department] += 1
            if len(examples) < EXAMPLES:
                examples.append(Move(id, before.department, after.department, after.reason))
    return Comparison(n, moves, examples)


def _fits(one: Route, known: Known) -> bool:
    wanted = all(not getattr(one, name) or getattr(known, name) in getattr(one, name) for name in _PLAIN)
    return wanted and (not one.rules or not known.rules.isdisjoint(one.rules))


def _reason(one: Route, known: Known) -> str:
    said = [f"category={known.category}"]
    said += [f"{name}={getattr(known, name)}" for name in _PLAIN[1:] if getattr(one, name)]
    if one.rules:
        said.append(f"rules={'+'.join(sorted(known.rules & one.rules))}")
    return f"rule {one.id}: {', '.join(said)}"
