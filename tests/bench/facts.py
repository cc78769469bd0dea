"""Complaints by the million, straight into the read model: drawn as arrays, their counters grouped from the arrays.

Rows and counters are what `domain.place` makes of the same facts (`test_bench_facts.py`), only that rows lack what no
figure reads: the fact itself (`known`), and who complained. So they are leaner than real ones, to the good of whoever
aggregates them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select, text

from services.reporting import store
from services.reporting.domain.fact import IN_TIME, LATE, MISSED, RUNNING
from services.reporting.domain.place import BASES, DEADLINES, FILTERS, REDRESS, Place, daily, narrows, on_grid, series
from shared.db import Database
from shared.db.bulk import bulk_insert

Ints = NDArray[np.int64]
DAYS = 3 * 365
TODAY = date(2025, 6, 30)
FIRST = TODAY - timedelta(days=DAYS - 1)
_DAY = 24 * 60  # minutes
_ROWS = 25_000  # in one statement
_CHUNK = 500_000  # in memory

_DATES = tuple(FIRST + timedelta(days=n) for n in range(DAYS))
_MONTHS = tuple(sorted({day.replace(day=1) for day in _DATES}))
_MONTH_OF = np.array([_MONTHS.index(day.replace(day=1)) for day in _DATES])
_GRID = tuple(sorted({on_grid(minutes) for minutes in range(DAYS * _DAY)}))
_RATINGS = (1, 2, 3, 4, 5)
CODES: dict[str, tuple[Any, ...]] = {
    "channel": ("phone", "web_chat", "mobile", "web_form", "email", "letter", "branch", "social", "regulator"),
    "category": ("service_quality", "product", "channel", "fees", "information_security", "other"),
    "product": tuple(f"product_{n}" for n in range(10)),
    "department": tuple(f"department_{n:02}" for n in range(12)),
    "branch": tuple(f"b{n:03}" for n in range(200)),
    "severity": ("low", "normal", "high", "critical"),
    "language": ("zh-Hant", "en"),
    "jurisdiction": ("HK", "unstated"),
    "outcome": ("open", "upheld", "partly_upheld", "rejected", "goodwill", "withdrawn"),
    "root_cause": ("open", "staff_service", "product_design", "system_failure", "internal_management"),
    "state": ("open", "closed"),
    "vulnerable": ("no", "yes"),
    "repeat": ("no", "yes"),
    "currency": ("HKD", "CNY"),
    "status": ("received", "acknowledged", "responded", "resolved", "closed"),
    **dict.fromkeys(("to_acknowledge", "to_respond", "to_close"), _GRID),
    **dict.fromkeys(("overall", "staff", "product_rating", "handling"), _RATINGS),
}
RULES, RESULTS = ("hk", "uk"), (RUNNING, MISSED, IN_TIME, LATE)
STEPS = {"acknowledge": 3 * _DAY, "final": 30 * _DAY}
"""The steps of each complaint's one clock, and how many minutes there are for each."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Complaints from number `first` on. Of every column of `Place` but `redress`, which has amounts, `at` has the
    index in `CODES`, or of days the number of days since FIRST; -1 for None. `minutes`: when it happened, since the
    beginning of FIRST in the bank's zone, by the names of `fact`'s times; `rule` and `result` (by step) are indices."""

    first: int
    at: dict[str, Ints]
    minutes: dict[str, Ints]
    rule: Ints
    result: dict[str, Ints]


def drawn(chance: np.random.Generator, first: int, count: int, of: int) -> Facts:
    """The complaints `first` to `first + count` of `of`, which come evenly over all the days, in order."""

    def pick(name: str) -> Ints:
        weights = np.arange(len(CODES[name]), 0, -1)
        return chance.choice(len(weights), count, p=weights / weights.sum())

    def later(than: Ints, share: float, mean_days: float) -> Ints:
        """Some time later, if it comes to that before the end of TODAY; -1 if not."""
        at = than + chance.exponential(mean_days * _DAY, count).astype(np.int64)
        return np.where((than >= 0) & (chance.random(count) < share) & (at < end), at, -1)

    end = DAYS * _DAY
    received = np.sort(chance.integers(first * end // of, (first + count) * end // of, count))
    times = {"received_at": received, "acknowledged_at": later(received, 0.97, 1.0)}
    times["responded_at"] = later(times["acknowledged_at"], 0.99, 14.0)
    times["resolved_at"] = later(times["responded_at"], 1.0, 0.5)
    closed = later(times["resolved_at"], 1.0, 2.0)
    times["reopened_at"] = later(closed, 0.03, 5.0)
    times["disputed_at"] = later(closed, 0.04, 5.0)
    times["rated_at"] = later(closed, 0.3, 3.0)
    times["closed_at"] = np.where(times["reopened_at"] < 0, closed, -1)
    decided = (times["resolved_at"] >= 0) & (times["reopened_at"] < 0)
    times["resolved_at"] = np.where(decided, times["resolved_at"], -1)

    at = {f"{name.removesuffix('_at')}_day": minutes // _DAY for name, minutes in times.items()}
    at["day"] = at.pop("received_day")
    for name in (*FILTERS, "severity", "language", "jurisdiction"):
        at[name] = pick(name)
    for name, share in (("vulnerable", 0.05), ("repeat", 0.1)):
        at[name] = (chance.random(count) < share).astype(np.int64)
    for name in ("outcome", "root_cause"):
        at[name] = np.where(decided, chance.integers(1, len(CODES[name]), count), 0)
    at["state"] = (times["closed_at"] >= 0).astype(np.int64)
    for name, until in (("to_acknowledge", "acknowledged"), ("to_respond", "responded"), ("to_close", "closed")):
        taken = np.searchsorted(_GRID, times[f"{until}_at"] - received, side="right") - 1
        at[name] = np.where(times[f"{until}_at"] >= 0, taken, -1)
    paid = decided & (chance.random(count) < 0.3)
    at["redress"] = np.where(paid, chance.integers(1, 10**6, count) * 100, -1)
    at["currency"] = np.where(paid, pick("currency"), -1)
    for name, share in (("overall", 1.0), ("staff", 0.8), ("product_rating", 0.8), ("handling", 0.8)):
        rated = (times["rated_at"] >= 0) & (chance.random(count) < share)
        at[name] = np.where(rated, pick(name), -1)
    at["status"] = np.select(
        [times[f"{name}_at"] >= 0 for name in ("closed", "resolved", "responded", "acknowledged")], [4, 3, 2, 1], 0
    )
    met = {"acknowledge": times["acknowledged_at"], "final": times["responded_at"]}
    result = {
        step: np.select(
            [(met[step] < 0) & (received + limit >= end), met[step] < 0, met[step] - received <= limit],
            [RESULTS.index(RUNNING), RESULTS.index(MISSED), RESULTS.index(IN_TIME)],
            RESULTS.index(LATE),
        )
        for step, limit in STEPS.items()
    }
    return Facts(first, at, times, chance.integers(0, len(RULES), count), result)


class Counters:
    """What `domain.place.tally` would say of all the facts that were added, by series with day and code as indices."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str, str, str], Ints] = {}  # grain, basis, dimension and filter
        self._codes: dict[tuple[str, str], list[str]] = {}

    def add(self, facts: Facts) -> None:
        at = facts.at
        for basis in BASES.values():
            for dimension in (*basis.dimensions, *basis.measures):
                codes = [str(code) for code in CODES[dimension]]
                self._add(facts, basis.name, dimension, at[basis.day], at[dimension], codes)
        amount = np.maximum(at["redress"], 0)
        currencies = CODES["currency"]
        for dimension in REDRESS:
            prefixes = [f"{code}/" for code in CODES[dimension]] if dimension else [""]
            codes = [prefix + currency for prefix in prefixes for currency in currencies]
            index = at[dimension] * len(currencies) if dimension else 0
            index = np.where(at["currency"] >= 0, index + at["currency"], -1)
            self._add(facts, "redress", dimension, at["resolved_day"], index, codes, amount)
        n = len(RESULTS)
        for place, step in enumerate(STEPS):
            result = facts.result[step]
            by = {"step": place, "rule": facts.rule * len(STEPS) + place, "department": at["department"]}
            named = {
                "step": list(STEPS),
                "rule": [f"{r}/{s}" for r in RULES for s in STEPS],
                "department": CODES["department"],
            }
            for dimension in DEADLINES:
                codes = [f"{code}/{word}" for code in named[dimension] for word in RESULTS]
                index = by[dimension] * n + result
                self._add(facts, "deadline", dimension, at["day"], index, codes)

    def _add(
        self,
        facts: Facts,
        basis: str,
        dimension: str,
        day: Ints,
        code: Ints,
        codes: list[str],
        weights: Ints | None = None,
    ) -> None:
        self._codes[basis, dimension] = codes
        for filter in ("", *FILTERS, "vulnerable"):
            if filter and not narrows(filter, basis, dimension):
                continue
            for grain in "dm" if not filter else "d" if daily(basis, dimension) else "m":
                there = (day >= 0) & (code >= 0)
                slots = DAYS if grain == "d" else len(_MONTHS)
                cell = (day if grain == "d" else _MONTH_OF[day]) * len(codes) + code
                if filter:
                    cell = facts.at[filter] * (slots * len(codes)) + cell
                size = slots * len(codes) * (len(CODES[filter]) if filter else 1)
                # weights are added up as floats, which are exact up to 2**53
                found = np.bincount(cell[there], None if weights is None else weights[there], size).astype(np.int64)
                key = (grain, basis, dimension, filter)
                self._sums[key] = self._sums[key] + found if key in self._sums else found

    def rows(self) -> Iterator[tuple[str, date, str, int]]:
        """Series, day, code and count of each cell that is not nought."""
        for (grain, basis, dimension, filter), sums in self._sums.items():
            days, codes = (_DATES if grain == "d" else _MONTHS), self._codes[basis, dimension]
            for cell in np.flatnonzero(sums).tolist():
                rest, code = divmod(cell, len(codes))
                narrowed, day = divmod(rest, len(days))
                only = (filter, str(CODES[filter][narrowed])) if filter else None
                yield series(grain, basis, dimension, only), days[day], codes[code], int(sums[cell])


_COLUMNS = ("slot", "complaint_id", "known", *Place._fields)
_DEADLINE = ("slot", "complaint_id", "key", "step", "rule", "kind", "is_primary", "result")


def ids(facts: Facts) -> list[str]:
    """As long as real ones, and in order of receipt as they are."""
    return [f"c{n:035}" for n in range(facts.first, facts.first + len(facts.rule))]


def rows(facts: Facts, slot: int) -> list[tuple[Any, ...]]:
    """The rows of `fact`."""
    count = len(facts.rule)
    columns: list[list[Any]] = [[slot] * count, ids(facts), ["{}"] * count]
    for name in Place._fields:
        if name == "redress":
            columns.append([None if n < 0 else n for n in facts.at[name].tolist()])
        elif name == "assignee":
            columns.append([None] * count)
        else:
            codes = _DATES if name == "day" or name.endswith("_day") else CODES[name]
            columns.append(np.array([*codes, None], dtype=object)[facts.at[name]].tolist())  # -1 is the last, None
    return list(zip(*columns, strict=True))


def deadline_rows(facts: Facts, slot: int) -> list[tuple[Any, ...]]:
    """The rows of `deadline_fact`, in order of their keys."""
    results = [[RESULTS[n] for n in facts.result[step].tolist()] for step in STEPS]
    found = []
    for id, rule, *each in zip(ids(facts), facts.rule.tolist(), *results, strict=True):
        for step, result in zip(STEPS, each, strict=True):
            found.append((slot, id, f"k/{step}", step, RULES[rule], "regulatory", True, result))
    return found


async def populate(db: Database, count: int, *, with_rows: bool = True, seed: int = 1) -> None:
    """Fill the live slot with `count` complaints; without `with_rows`, with their counters alone."""
    async with db.reading() as session:
        slot = int((await session.execute(select(store.read_model.c.live))).scalar_one())
    chance = np.random.default_rng(seed)
    counters = Counters()
    for first in range(0, count, _CHUNK):
        facts = drawn(chance, first, min(_CHUNK, count - first), count)
        counters.add(facts)
        if with_rows:
            await _write(db, store.facts, _COLUMNS, rows(facts, slot))
            await _write(db, store.deadlines, _DEADLINE, deadline_rows(facts, slot))
    cells = sorted(counters.rows())
    await _write(db, store.counters, ("slot", "series", "day", "code", "count"), [(slot, *cell) for cell in cells])
    if not db.is_sqlite:
        async with db.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            for table in ("fact", "deadline_fact", "tally"):
                await connection.execute(text(f"VACUUM (ANALYZE) {table}"))


async def _write(db: Database, table: Any, columns: tuple[str, ...], found: list[tuple[Any, ...]]) -> None:
    for start in range(0, len(found), _ROWS):
        async with db.transaction() as tx:
            await bulk_insert(await tx.connection(), table, columns, found[start : start + _ROWS])
