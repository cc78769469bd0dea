"""Whatever the routing table, every complaint has exactly one owner, and one that the bank knows."""

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.routing.classifier import load
from services.routing.classifier.registers import Route, Routes, check_routes
from services.routing.classifier.table import Known, compare, route

BOOK = load()
DEPARTMENTS = sorted(BOOK.departments)
CATEGORIES, PRODUCTS = list(BOOK.categories), sorted(BOOK.products)
RULES = [rule.id for rule in BOOK.registers.rules.rule]
CHANNELS, BRANCHES = ["phone", "web_chat", "branch", "letter"], ["central", "north_weir", "harbour"]
SEVERITIES, LANGUAGES = ["low", "normal", "high", "critical"], ["zh-Hant", "zh-Hans", "en"]
WHAT: dict[str, list[str]] = {
    "category": CATEGORIES,
    "product": PRODUCTS,
    "channel": CHANNELS,
    "rules": RULES,
    "branch": BRANCHES,
    "severity": SEVERITIES,
    "language": LANGUAGES,
}


def some_table(random: Random) -> Routes:
    routes = []
    for n in range(random.randrange(60)):
        asked = random.sample(list(WHAT), random.randint(1, 4))
        conditions: Any = {name: random.sample(WHAT[name], random.randint(1, 2)) for name in asked}
        routes.append(Route(id=f"R{n:02}", department=random.choice(DEPARTMENTS), **conditions))
    return Routes(fallback=random.choice(DEPARTMENTS), route=tuple(routes))


def some_complaint(random: Random) -> Known:
    def perhaps(values: list[str]) -> str | None:
        return random.choice([None, *values])

    return Known(
        random.choice(CATEGORIES),
        perhaps(PRODUCTS),
        random.choice(CHANNELS),
        perhaps(BRANCHES),
        random.choice(SEVERITIES),
        perhaps(LANGUAGES),
        frozenset(random.sample(RULES, random.randrange(4))),
    )


def fits(one: Route, known: Known) -> bool:
    """The promise in its own words, apart from the table's code."""
    for name in WHAT:
        wanted = getattr(one, name)
        if name == "rules":
            if wanted and not set(wanted) & known.rules:
                return False
        elif wanted and getattr(known, name) not in wanted:
            return False
    return True


def test_a_hundred_thousand_complaints_and_random_tables_leave_none_without_an_owner() -> None:
    random = Random(20261124)
    by_fallback = 0
    for _ in range(200):
        table = some_table(random)
        check_routes(BOOK.registers, table)
        for _ in range(500):
            known = some_complaint(random)
            owner = route(table, known)
            expected = next((one.department for one in table.route if fits(one, known)), table.fallback)
            assert owner.department == expected
            assert owner.department in BOOK.departments
            by_fallback += owner.reason.startswith("fallback")
    assert 0 < by_fallback < 100_000


@given(st.integers(0, 2**32))
def test_a_comparison_counts_each_complaint_once(seed: int) -> None:
    random = Random(seed)
    now, then = some_table(random), some_table(random)
    cases = [(str(n), some_complaint(random)) for n in range(50)]
    found = compare(now, then, cases)
    moved = {id for id, known in cases if route(now, known).department != route(then, known).department}
    assert (found.cases, found.moves.total()) == (50, len(moved))
    assert {one.complaint_id for one in found.examples} <= moved
    assert compare(now, now, cases).moves.total() == 0
