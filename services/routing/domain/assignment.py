"""Which officer is given a case: one who can do it, is there, and has the least on the desk."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from services.routing.domain.case import Case


@dataclass(frozen=True, slots=True)
class Officer:
    """`languages`, `categories`, `products`: what they can handle; empty means all. `away`: first and last day of each
    absence, both included. `most_open`: how many open cases are enough."""

    id: str
    department: str
    branch: str | None = None
    languages: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    most_open: int = 30
    active: bool = True
    away: tuple[tuple[date, date], ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """The officer chosen, or None and `why` nobody was: code -> how many officers it kept out."""

    officer: str | None
    why: Mapping[str, int]


def choose(
    case: Case,
    officers: Collection[Officer],
    loads: Mapping[str, int],
    *,
    product: str | None,
    language: str | None,
    today: date,
) -> Choice:
    """The officer of the case's department with the smallest share of their desk taken; skills and language must fit.

    Nobody is given a complaint about themselves or, since it may come to rejecting it, about their own branch.
    """
    why: dict[str, int] = {}
    fit: list[tuple[float, int, str]] = []
    for one in officers:
        if one.department != case.department:
            continue
        load = loads.get(one.id, 0)
        if hindrance := _hindrance(one, case, load, product=product, language=language, today=today):
            why[hindrance] = why.get(hindrance, 0) + 1
            continue
        special = sum(map(bool, (one.categories, one.products)))
        fit.append((load / one.most_open, -special, one.id))
    return Choice(min(fit)[2] if fit else None, why)


def _hindrance(
    one: Officer, case: Case, load: int, *, product: str | None, language: str | None, today: date
) -> str | None:
    checks = {
        "inactive": not one.active,
        "away": any(first <= today <= last for first, last in one.away),
        "conflict_of_interest": one.id in case.about or (one.branch is not None and one.branch == case.branch),
        "language": bool(one.languages) and language is not None and language not in one.languages,
        "skill": (bool(one.categories) and case.category not in one.categories)
        or (bool(one.products) and product is not None and product not in one.products),
        "full": load >= one.most_open,
    }
    return next((name for name, holds in checks.items() if holds), None)
