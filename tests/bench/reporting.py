"""What figures and their upkeep cost, in one run: `python -m tests.bench reporting`.

- Every standard figure, of all complaints over all time, of a year, and of a department over that year: read from the
  counters, beside the same figure aggregated from the rows; and asked of the API, with a key, in this process. Both
  must say the same.
- With `--large`, the same figures from the counters of as many complaints and of ten times as many, in turn. Only the
  counters are there: none of these figures reads a row (`test_bench_facts.py`).
- Events written to the read model, 500 to a transaction and one by one, in turn: those of some days' complaints in the
  order in which they happened.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting import consumers, store
from services.reporting.app import create_app
from services.reporting.domain.place import DEADLINES, DIMENSIONS
from services.reporting.domain.selection import Selection
from services.reporting.figures import measures, reading
from services.reporting.settings import ReportingSettings
from shared import logs
from shared.bus import Message
from shared.clock import rfc3339
from shared.cloudevents import encode_parts
from shared.db import Database
from shared.events import TOPICS, Event
from shared.inbox import Consumer
from shared.security import keys
from shared.security.keys import NewKey
from tests.bench.databases import KINDS, on_each
from tests.bench.facts import TODAY, populate
from tests.bench.machine import describe
from tests.component.reporting.lives import END, life

TARGETS = {"rows": 50.0, "api_ms": 20.0, "growth": 1.5, "batch": 20.0}
COMPLAINTS = 1_000_000
BATCH = 500
NOW = datetime(2025, 6, 30, 4, tzinfo=UTC)  # within TODAY in Hong Kong
SELECTIONS = {
    "all": Selection(),
    "year": Selection(date(2024, 6, 1), date(2025, 5, 31)),
    "department": Selection(date(2024, 6, 1), date(2025, 5, 31), {"department": "department_03"}),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A figure: how the API is asked for it, and what answers."""

    name: str
    path: str
    params: dict[str, str]
    work: Callable[[AsyncSession, Selection], Awaitable[object]]


def figures() -> Iterator[Asked]:
    for by in (*DIMENSIONS, "month"):
        yield Asked(
            f"received by {by}", "volumes", {"by": by}, lambda s, c, by=by: measures.volumes(s, "received", by, c)
        )
    yield Asked("totals", "total", {}, lambda s, c: measures.totals(s, c, today=TODAY))
    for by in DEADLINES:
        yield Asked(f"deadlines by {by}", "deadlines", {"by": by}, lambda s, c, by=by: measures.deadlines(s, by, c))
    for of in measures.DURATIONS:
        yield Asked(f"time to {of}", "durations", {"of": of}, lambda s, c, of=of: measures.durations(s, of, c))
    yield Asked("causes", "causes", {}, measures.pareto)
    yield Asked("redress", "redress", {}, lambda s, c: measures.redress(s, "", c))
    yield Asked("satisfaction", "satisfaction", {}, measures.ratings)
    yield Asked("shares", "shares", {}, measures.shares)
    yield Asked("backlog", "backlog", {}, _backlog)
    yield Asked("comparison", "comparison", {"by": "year"}, _comparison)


async def _backlog(session: AsyncSession, chosen: Selection) -> object:
    bands = await measures.backlog(session, chosen, today=TODAY)
    return bands, await measures.backlog_by_month(session, chosen, today=TODAY)


async def _comparison(session: AsyncSession, chosen: Selection) -> object:
    return await measures.comparison(session, "received", "year", chosen, today=chosen.until or TODAY)


@contextmanager
def from_rows() -> Iterator[None]:
    """Have every figure aggregated from the rows."""
    kept = reading._queries, reading._daily
    reading._queries = lambda basis, dimension, _, chosen: [reading._rows(basis, dimension, chosen)]
    reading._daily = lambda basis, _, chosen: reading._rows_by_day(basis, chosen)
    try:
        yield
    finally:
        reading._queries, reading._daily = kept


async def _timed(work: Callable[[], Awaitable[object]], times: int) -> tuple[float, object]:
    """Milliseconds at the median, and what it gave."""
    taken, found = [], None
    for _ in range(times):
        began = time.perf_counter()
        found = await work()
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken), found


def _reads(db: Database, one: Asked, chosen: Selection) -> Callable[[], Awaitable[object]]:
    async def read() -> object:
        async with db.reading() as session:
            return await one.work(session, chosen)

    return read


@asynccontextmanager
async def _client(db: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with db.transaction() as tx:
        key = await keys.create(tx, store.tables, NewKey("bench", roles=("manager",)), actor="bench", now=NOW)
    app = create_app(ReportingSettings(), db, clock=lambda: NOW)
    transport, headers = httpx.ASGITransport(app=app), {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://reporting.bench", headers=headers) as client:
        yield client


async def read(db: Database, rounds: int, quick: int) -> list[dict[str, Any]]:
    """Each figure of each selection: milliseconds from the counters, from the rows, and by the API; what is quick
    is done `quick` times in each round."""
    found = []
    async with _client(db) as client:
        for name, chosen in SELECTIONS.items():
            period = {"from": str(chosen.since or ""), "to": str(chosen.until or "")}
            for one in figures():
                ours = _reads(db, one, chosen)
                url, params = f"/v1/figures/{one.path}", {**one.params, **period, **chosen.where}
                counters, told = await _timed(ours, quick * rounds)
                with from_rows():
                    rows, aggregated = await _timed(ours, rounds)
                assert told == aggregated, (name, one.name)
                api, answer = await _timed(
                    lambda url=url, params=params: client.get(url, params=params), quick * rounds
                )  # type: ignore[misc]
                assert isinstance(answer, httpx.Response)
                assert answer.status_code == 200, answer.text
                line = {"of": name, "figure": one.name, "counters_ms": counters, "rows_ms": rows, "api_ms": api}
                found.append(line)
    return found


async def grow(few: Database, many: Database, rounds: int, quick: int) -> list[dict[str, Any]]:
    """Each figure of each selection: milliseconds from the counters at two sizes, in turn, at the median and at the
    quickest, which is the least disturbed by what else the machine does."""
    found = []
    for name, chosen in SELECTIONS.items():
        for one in figures():
            reads = [_reads(db, one, chosen) for db in (few, many)]
            pairs = [[(await _timed(read, 1))[0] for read in reads] for _ in range(quick * rounds)]
            line: dict[str, Any] = {"of": name, "figure": one.name}
            for size, taken in zip(("few", "many"), zip(*pairs, strict=True), strict=True):
                line |= {f"{size}_ms": statistics.median(taken), f"{size}_quickest_ms": min(taken)}
            found.append(line)
    return found


def moment(event: Event) -> datetime:
    """When it happened, and not what it says is due."""
    names = [name for name in type(event).model_fields if name.endswith("_at") and name != "due_at"]
    found: datetime = getattr(event, names[0])
    return found


def told(complaints: int, days: int) -> list[Message]:
    """What complaints of some days tell, each with its life, in the order in which it happened."""
    chance = random.Random(1)
    lives = [life(chance, f"c{chance.getrandbits(64):029x}{n:06}", days=days) for n in range(complaints)]
    return [
        Message(
            TOPICS[event.source.rpartition("/")[2]],
            event.complaint_id,
            encode_parts(
                id=f"e{n:035}", event=event, time=rfc3339(moment(event)), traceparent=None, correlationid=None
            ).encode(),
        )
        for n, event in enumerate(sorted((event for events in lives for event in events), key=moment))
    ]


async def project(db: Database, rounds: int, *, batches: int, single: int) -> dict[str, Any]:
    """Events a second, in batches and one by one, in turn; one round more goes before, untold."""
    share = batches * BATCH + single
    messages = iter(told((rounds + 3) * share // 10, days=10))
    consumer = Consumer(db, consumers.handler(ReportingSettings().zone), consumers.HANDLED, lambda: END)

    async def rate(size: int, times: int) -> float:
        chunks = [[next(messages) for _ in range(size)] for _ in range(times)]
        began = time.perf_counter()
        for chunk in chunks:
            await consumer.process(chunk)
        return size * times / (time.perf_counter() - began)

    for _ in range(2 * batches):
        await rate(BATCH, 1)
    pairs = [(await rate(BATCH, batches), await rate(1, single)) for _ in range(rounds)]
    ratios = [many / one for many, one in pairs]
    many, one = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    lowest, highest = min(ratios), max(ratios)
    return {
        "ratio": statistics.median(ratios),
        "lowest": lowest,
        "highest": highest,
        "batched_per_second": many,
        "single_per_second": one,
    }


async def measure(
    url: Callable[[str], str], *, complaints: int, large: int, rounds: int, only: str | None, short: bool
) -> Any:
    """The figures of one kind of database. `url` gives the address of a new one, migrated."""
    async with AsyncExitStack() as stack:

        def opened(name: str) -> Database:
            db = Database("reporting", url(name), store.tables)
            stack.push_async_callback(db.close)
            return db

        found: dict[str, Any] = {"complaints": complaints, "large": large}
        quick = 1 if short else 7
        if only in (None, "projecting"):
            sizes = {"batches": 1, "single": 20} if short else {"batches": 4, "single": 100}
            found["batch"] = await project(opened("live"), rounds, **sizes)
        if only in (None, "figures"):
            db = opened("some")
            await populate(db, complaints)
            found["figures"] = await read(db, rounds, quick)
        if large and only in (None, "growth"):
            few, many = opened("few"), opened("many")
            await populate(few, complaints, with_rows=False)
            await populate(many, large, with_rows=False)
            found["growth"] = await grow(few, many, rounds, quick)
        return found


def _report(databases: dict[str, dict[str, Any]]) -> None:
    def say(line: str) -> None:
        print(line, file=sys.stderr)

    for database, found in databases.items():
        say(f"\nReporting on {database}, {describe()}")
        for one in found.get("figures", ()):
            ratio = one["rows_ms"] / one["counters_ms"]
            say(
                f"  {one['of']:10} {one['figure']:24} counters {one['counters_ms']:6.2f} ms, rows"
                f" {one['rows_ms']:7.0f} ms: {ratio:6.0f} times; API {one['api_ms']:5.1f} ms"
            )
        if every := found.get("figures"):
            say(f"  {found['complaints']:,} complaints")
            ratios = [one["rows_ms"] / one["counters_ms"] for one in every]
            sums = [sum(one[kind] for one in every) for kind in ("rows_ms", "counters_ms")]
            _verdict("all figures together", sums[0] / sums[1], TARGETS["rows"], at_least=True)
            _verdict("the figure that gains least", min(ratios), TARGETS["rows"], at_least=True)
            _verdict("the slowest answer, ms", max(one["api_ms"] for one in every), TARGETS["api_ms"])
        if every := found.get("growth"):
            say(f"  {found['large']:,} complaints beside {found['complaints']:,}")
            for kind, name in (("_ms", "at the median"), ("_quickest_ms", "at the quickest")):
                grown = [one[f"many{kind}"] / one[f"few{kind}"] for one in every]
                most = every[grown.index(max(grown))]
                _verdict(f"{name}, figure in the middle", statistics.median(grown), TARGETS["growth"])
                _verdict(f"{name}, {most['of']} {most['figure']}", max(grown), TARGETS["growth"])
                say(f"    {most[f'many{kind}']:.2f} beside {most[f'few{kind}']:.2f} ms")
        if batch := found.get("batch"):
            _verdict(f"{BATCH} events a transaction", batch["ratio"], TARGETS["batch"], at_least=True)
            say(f"    {batch['batched_per_second']:.0f} beside {batch['single_per_second']:.0f} events a second")


def _verdict(what: str, found: float, target: float, *, at_least: bool = False) -> None:
    reached = found >= target if at_least else found <= target
    print(f"  {what:28} {found:.2f} (target {target:g}: {'reached' if reached else 'MISSED'})", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench reporting", description=__doc__)
    parser.add_argument("--database", choices=KINDS, action="append")
    parser.add_argument("--complaints", type=int, default=COMPLAINTS)
    parser.add_argument("--large", type=int, nargs="?", const=10 * COMPLAINTS, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("figures", "growth", "projecting"))
    parser.add_argument("--short", action="store_true", help="do what is quick once only, and project few events")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    logs.configure("ERROR")
    how = {name: getattr(asked, name) for name in ("complaints", "large", "rounds", "only", "short")}
    found = on_each("reporting", asked.database, lambda url: measure(url, **how))
    _report(found)
    if asked.json:
        print(json.dumps({"databases": found}))
    return 0
