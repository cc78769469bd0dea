"""Figures agree exactly with an independent slow path, though events came late, twice and out of order."""

import os
import random
from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import Any

import orjson
import pytest

from services.reporting.domain.place import BASES, DIMENSIONS, FILTERS
from services.reporting.domain.selection import Selection
from services.reporting.figures import measures, reading
from shared.bus import Message
from shared.events import TOPICS
from tests.component.reporting.lives import END, heard
from tests.component.reporting.slow_path import SlowPath

LONG = bool(os.environ.get("LONG_SCALE_FORM"))
COMPLAINTS = 100_000 if LONG else 700
TODAY = date(2025, 6, 30)
PERIODS = [
    (None, None),
    (date(2024, 3, 1), date(2025, 2, 28)),
    (date(2024, 2, 11), date(2025, 5, 17)),
    (date(2025, 3, 5), date(2025, 3, 20)),
    (date(2025, 1, 20), None),
]


def batches(messages: Iterator[Message], size: int = 1000) -> Iterator[list[Message]]:
    while batch := list(islice(messages, size)):
        yield batch


def selections(chance: random.Random, slow: SlowPath) -> Iterator[dict[str, str]]:
    """Nothing narrowed, each filter, and some narrowed by two dimensions."""

    def some(dimension: str) -> str:
        codes = sorted(code for code, n in slow.counts("received", dimension, None, None, {}).items() if n)
        return chance.choice(codes)

    yield {}
    for name in FILTERS:
        yield {name: some(name)}
    for _ in range(3):
        yield {name: some(name) for name in chance.sample(DIMENSIONS, 2)}


def asked() -> Iterator[tuple[str, str]]:
    for basis in BASES.values():
        for dimension in (*basis.dimensions, *basis.measures):
            yield basis.name, dimension
    for dimension in ("step", "rule", "department"):
        yield "deadline", dimension
    for dimension in ("", "category", "root_cause"):
        yield "redress", dimension
    yield from (("acknowledged", "channel"), ("resolved", "severity"), ("closed", "language"))  # without counters


@pytest.mark.parametrize(
    "backend", ["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])], indirect=True
)
@pytest.mark.timeout(3600 if LONG else 300)
async def test_figures_agree_exactly_with_plain_sql_over_the_raw_events(bench: Any) -> None:
    delivered = list(heard(COMPLAINTS))
    consumer = bench.consumer()
    messages = (Message(TOPICS[source], key, payload) for source, key, _, payload in delivered)
    for batch in batches(messages):
        await consumer.process(batch)
    raw = []
    for _, key, id, payload in delivered:
        event = orjson.loads(payload)
        raw.append((id, key, event["type"], orjson.dumps(event["data"]).decode()))
    slow = SlowPath(raw)
    ((received,),) = slow.ask("SELECT count(*) FROM place")
    assert received == COMPLAINTS
    compared = 0
    chance = random.Random(5)
    async with bench.db.reading() as session:
        for where in selections(chance, slow):
            for period, (since, until) in enumerate(PERIODS):
                chosen = Selection(since, until, where)
                for basis, dimension in list(asked())[0 if LONG else period % 3 :: 1 if LONG else 3]:
                    found = await reading.counts(session, basis, dimension, chosen)
                    assert found == slow.counts(basis, dimension, since, until, where), (basis, dimension, chosen)
                    compared += len(found)
                for of, (basis, column) in measures.DURATIONS.items():
                    told = await measures.durations(session, of, chosen)
                    counts = slow.counts(basis, column, since, until, where)
                    every = sorted(int(code) for code, n in counts.items() for _ in range(n))
                    assert told.count == len(every)
                    if every:
                        assert told.median == every[-(-len(every) // 2) - 1]
                        assert told.p90 == every[-(-len(every) * 9 // 10) - 1]
        assert compared > (10_000 if LONG else 2_000)
        backlog = await measures.backlog(session, Selection(), today=TODAY)
        waiting = [n for (n,) in slow.ask(f"SELECT DATE '{TODAY}' - received_day FROM place WHERE state = 'open'")]
        assert backlog.total == len(waiting)
        assert backlog.oldest == max(waiting)
        assert backlog.bands[0] == sum(n <= 7 for n in waiting)
        for name in FILTERS:
            for code, n in slow.ask(f"SELECT {name}, count(*) FROM place WHERE state = 'open' GROUP BY 1"):
                assert (await measures.backlog(session, Selection(where={name: code}), today=TODAY)).total == n
        months = await measures.backlog_by_month(session, Selection(), today=TODAY)
        for month in months[-14:-1]:
            end = f"last_day(DATE '{month.key}-01')"
            (n,) = slow.ask(
                f"SELECT count(*) FROM place WHERE received_day <= {end} AND (closed_day IS NULL OR closed_day > {end})"
            )[0]
            assert month.count == n
        loads = {one.department: one for one in await measures.load(session)}
        for department, n, unassigned, officers in slow.ask(
            "SELECT department, count(*), count(*) - count(assignee), count(DISTINCT assignee) FROM place "
            "WHERE state = 'open' GROUP BY department"
        ):
            one = loads.pop(department)
            assert (one.open, one.unassigned, one.officers) == (n, unassigned, officers)
        assert not loads
    assert END.date() == TODAY
