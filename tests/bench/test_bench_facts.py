"""The complaints of the benchmark are counted and placed as real ones would be."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from services.reporting import store
from services.reporting.domain.fact import Deadline, Fact
from services.reporting.domain.place import Cell, Place, place, tally
from services.reporting.settings import ReportingSettings
from shared.db import Database
from tests.bench.facts import CODES, FIRST, RESULTS, RULES, Counters, Facts, drawn, ids, populate, rows
from tests.bench.reporting import SELECTIONS, figures

ZONE = ReportingSettings().zone
MIDNIGHT = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=ZONE).astimezone(UTC)


def as_facts(drawn: Facts) -> list[Fact]:
    """The same complaints, as events would have left them."""
    found = []
    for i, id in enumerate(ids(drawn)):
        known = {name: CODES[name][n[i]] for name, n in drawn.at.items() if name in CODES and n[i] >= 0}
        when = {name: MIDNIGHT + timedelta(minutes=int(n[i])) for name, n in drawn.minutes.items() if n[i] >= 0}
        deadlines = {
            f"k/{step}": Deadline(step, "regulatory", True, RULES[drawn.rule[i]], (("e", RESULTS[result[i]]),))
            for step, result in drawn.result.items()
        }
        paid = int(drawn.at["redress"][i])
        aspects = {"overall": "overall", "staff": "staff", "product": "product_rating", "handling": "handling"}
        found.append(
            Fact(
                id,
                **when,
                **{name: known[name] for name in ("channel", "category", "department", "branch", "severity")},
                found_product=known["product"],
                stated_language=known["language"],
                jurisdiction=known["jurisdiction"],
                outcome=known["outcome"],
                root_cause=known["root_cause"],
                vulnerable=known["vulnerable"] == "yes",
                repeat=known["repeat"] == "yes",
                redress=paid if paid >= 0 else None,
                currency=known.get("currency"),
                ratings={aspect: known[name] for aspect, name in aspects.items() if name in known},
                stamps={
                    name: f"{when[f'{name}_at']}" for name in ("resolved", "closed", "reopened") if f"{name}_at" in when
                },
                deadlines=deadlines,
            )
        )
    return found


def test_counters_are_those_of_the_same_facts() -> None:
    chance = np.random.default_rng(3)
    counters, facts = Counters(), []
    for first in (0, 600):
        some = drawn(chance, first, 600, 1200)
        counters.add(some)
        facts += as_facts(some)
    counted = {Cell(name, day, code): n for name, day, code, n in counters.rows()}
    assert counted == tally(facts, ZONE)
    assert len({cell.series for cell in counted}) > 500


def test_rows_are_the_places_of_the_same_facts() -> None:
    some = drawn(np.random.default_rng(4), 0, 600, 600)
    placed = [
        place(fact, ZONE)._replace(status=row[-1]) for fact, row in zip(as_facts(some), rows(some, 0), strict=True)
    ]
    assert [Place(*row[3:]) for row in rows(some, 0)] == placed


async def test_the_figures_of_the_benchmark_read_no_rows(migrated: Callable[[str], str]) -> None:
    found = []
    for with_rows in (True, False):
        db = Database("reporting", migrated("reporting"), store.tables)
        await populate(db, 300, with_rows=with_rows)
        async with db.reading() as session:
            found.append([await one.work(session, chosen) for chosen in SELECTIONS.values() for one in figures()])
        await db.close()
    assert found[0] == found[1]
