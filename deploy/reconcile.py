"""The invariant as a tool: received = cases = clocks = counted; each effect once, in order; nothing waiting.

It reads the four databases and nothing else, so it runs against both ways of running and after any crash.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Column, func, select
from sqlalchemy.sql.expression import ColumnElement

from deploy.registry import SERVICES
from services.intake.store.complaint import Complaint, Progress
from services.reporting import store as reporting
from services.reporting.domain.fact import Fact
from services.reporting.domain.place import Cell, series, tally
from services.reporting.settings import ReportingSettings
from services.routing import store as routing
from services.sla import store as sla
from shared import audit, parking
from shared.db import Database
from shared.events import EVENTS
from shared.relay import outbox_state

_LIVE = select(reporting.read_model.c.live).scalar_subquery()
_RECEIVED = "com.redress.complaint.received.v1"  # once, whatever is said again
# Effects that a complaint has once, and again only with other words (somebody corrects the type, gives the case to
# another officer) or once the case is worked on anew.
_ONCE = (
    "complaint.classified",
    "complaint.routed",
    "complaint.assigned",
    "complaint.acknowledged",
)
_ONCE_TYPES = frozenset(f"com.redress.{n}.v1" for n in (*_ONCE, "complaint.resolved", "complaint.closed"))
_STEPS = frozenset(
    f"com.redress.{n}.v1"
    for n in ("clock.started", "clock.met", "deadline.warned", "deadline.missed", "complaint.escalated")
)
# What tells one effect on a clock from another.
_MARKS = ("clock_id", "step", "warning", "level", "repeat")
# After these a clock does again what it has done.
_AGAIN = frozenset(f"com.redress.{n}.v1" for n in ("clock.moved", "escalation.answered"))
# After these a case is worked on anew.
_REWORK = frozenset(f"com.redress.complaint.{n}.v1" for n in ("transferred", "reopened", "review_opened"))
# Routing tells the life of a complaint in this order.
_RANK = {
    f"com.redress.complaint.{n}.v1": i
    for i, n in enumerate(("received", "classified", "routed", "assigned", "resolved", "closed"))
}


@dataclass(slots=True)
class Findings:
    """Figures that must agree, and every difference in plain words."""

    figures: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def differs(self, what: str, ids: Sequence[str] = ()) -> None:
        shown = ", ".join(list(ids)[:5])
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        self.differences.append(f"{what}: {shown}{more}" if ids else what)


async def wait_until_drained(
    databases: Mapping[str, Database], seconds: float, *, settings: Mapping[str, Any] | None = None
) -> bool:
    """Give the relays `seconds` to publish what waits; whether nothing waits any more."""
    until = time.monotonic() + seconds
    while True:
        depths = []
        for db in databases.values():
            async with db.reading() as session:
                depths.append((await outbox_state(session, db.tables)).depth)
        if not any(depths) and not await unheard(databases, settings):
            return True
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.3)


async def reconcile(databases: Mapping[str, Database], *, settings: Mapping[str, Any] | None = None) -> Findings:
    """Compare the four services. Reads only. `settings` by service, where they are not those of the environment."""
    found = Findings()
    received = await _ids(databases["intake"], Complaint.__table__.c.id)  # type: ignore[attr-defined]
    cases = await _ids(databases["routing"], routing.table.c.complaint_id)
    clocks = await _ids(databases["sla"], sla.clock_ids())
    facts = reporting.facts.c
    counted = await _ids(
        databases["reporting"], facts.complaint_id, facts.received_at.is_not(None), facts.slot == _LIVE
    )
    total = await _counter_total(databases["reporting"])
    found.figures = {
        "received": sum(received.values()),
        "cases": sum(cases.values()),
        "clocks": sum(clocks.values()),
        "counted": sum(counted.values()),
        "total of figures": total,
    }
    for name, others in (("case", cases), ("clock", clocks), ("count", counted)):
        _same(found, name, received, others)
    if total != sum(counted.values()):
        found.differs(f"the figures total {total}, counted are {sum(counted.values())}")
    await _figures(found, databases["reporting"])
    await _statuses(found, databases)
    for name, db in databases.items():
        await _outbox(found, name, db)
        await _chain(found, name, db)
    for service, missing in (await unheard(databases, settings)).items():
        found.differs(f"{service} has not handled {len(missing)} events meant for it", sorted(missing))
    return found


def _same(found: Findings, name: str, received: Counter[str], others: Counter[str]) -> None:
    if lacking := sorted(received.keys() - others.keys()):
        found.differs(f"{len(lacking)} complaints have no {name}", lacking)
    if extra := sorted(others.keys() - received.keys()):
        found.differs(f"{len(extra)} have a {name} and were never received", extra)
    if twice := sorted(id for id, n in others.items() if n > 1):
        found.differs(f"{len(twice)} complaints have more than one {name}", twice)


async def _ids(db: Database, column: Column[Any], *which: ColumnElement[bool]) -> Counter[str]:
    async with db.reading() as session:
        return Counter((await session.scalars(select(column).where(*which))).all())


async def _counter_total(db: Database) -> int:
    """Every complaint is once under each of the dimensions, so any of them gives the total."""
    counters = reporting.counters.c
    total = func.coalesce(func.sum(counters["count"]), 0)
    query = select(total).where(counters.slot == _LIVE, counters.series == series("m", "received", "state"))
    async with db.reading() as session:
        return int((await session.execute(query)).scalar_one())


async def _figures(found: Findings, db: Database) -> None:
    """Each counter must say what counting its complaints one by one says."""
    facts, counters = reporting.facts.c, reporting.counters.c
    async with db.reading() as session:
        rows = (await session.execute(select(facts.complaint_id, facts.known).where(facts.slot == _LIVE))).all()
        query = select(counters.series, counters.day, counters.code, counters["count"])
        told = Counter({Cell(*cell): n for *cell, n in await session.execute(query.where(counters.slot == _LIVE))})
    # Outside of the transaction, which may not stay open without a word for as long as this takes with a million.
    wanted = tally((Fact.load(id, known) for id, known in rows), ReportingSettings().zone)
    wrong = [cell for cell in {*wanted, *told} if wanted[cell] != told[cell]]
    if wrong:
        names = sorted("/".join(map(str, cell)) for cell in wrong)
        found.differs(f"{len(wrong)} figures are not what counting anew gives", names)


async def _statuses(found: Findings, databases: Mapping[str, Database]) -> None:
    """Intake must have heard where routing is."""
    query = select(routing.table.c.complaint_id, routing.table.c.state)
    async with databases["routing"].reading() as session:
        states = {str(id): str(state) for id, state in (await session.execute(query)).all()}
    async with databases["intake"].reading() as session:
        table = Progress.__table__  # type: ignore[attr-defined]
        heard = {str(i): str(s) for i, s in (await session.execute(select(table.c.complaint_id, table.c.status))).all()}
    if wrong := sorted(id for id, state in states.items() if heard.get(id) != state):
        found.differs(f"intake shows another status than routing's for {len(wrong)} complaints", wrong)


async def _outbox(found: Findings, name: str, db: Database) -> None:
    """Everything is published, no effect happened twice, and a complaint's events are in the order of its life."""
    outbox = db.tables.outbox.c
    async with db.reading() as session:
        state = await outbox_state(session, db.tables)
        if state.depth:
            found.differs(f"{name} has {state.depth} events that are not published")
        waiting = await parking.unsettled(session, db.tables)
        if waiting:
            found.differs(f"{name} has {len(waiting)} events parked", [str(w["id"]) for w in waiting])
        columns = (outbox.key, outbox.type, outbox.event_id, outbox.payload)
        effects: Counter[tuple[str, str]] = Counter()
        rank: dict[str, int] = {}
        ranked: dict[str, set[str]] = defaultdict(set)  # the order is that of first times; what is redone comes later
        last: dict[str, dict[str, bytes]] = defaultdict(dict)
        disordered: set[str] = set()
        begun_anew: set[str] = set()
        ids: Counter[str] = Counter()
        stream = await session.stream(select(*columns).order_by(outbox.seq))
        async for key, kind, event_id, payload in stream:
            ids[event_id] += 1
            if kind == _RECEIVED:
                effects[key, kind] += 1
            elif kind in _ONCE_TYPES:
                words = _words(payload)
                effects[key, kind] = max(effects[key, kind], 2 if last[key].get(kind) == words else 1)
                last[key][kind] = words
            elif kind in _STEPS:
                effects[key, kind + _marks(payload)] += 1
            elif kind in _AGAIN:
                begun_anew.add(key)
            elif kind in _REWORK:
                last[key].clear()
            if kind in _RANK and kind not in ranked[key]:
                ranked[key].add(kind)
                if _RANK[kind] < rank.get(key, -1):
                    disordered.add(key)
                rank[key] = _RANK[kind]
    if twice := sorted({key for (key, _), n in effects.items() if n > 1} - begun_anew):
        found.differs(f"in {name} an effect happened twice for {len(twice)} complaints", twice)
    if again := sorted(id for id, n in ids.items() if n > 1):
        found.differs(f"{name} has {len(again)} event ids twice", again)
    if disordered:
        found.differs(f"{name} told {len(disordered)} complaints' events out of order", sorted(disordered))


def _words(payload: str) -> bytes:
    """What an event says, without when."""
    data = orjson.loads(payload)["data"]
    said = {name: value for name, value in data.items() if not name.endswith("_at")}
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def _marks(payload: str) -> str:
    """The values of _MARKS in an event, as they are written, without parsing all of it."""
    found = []
    for name in _MARKS:
        at = payload.find(f'"{name}":')
        found.append(payload[at : payload.find(",", at)] if at >= 0 else "")
    return "|".join(found)


async def _chain(found: Findings, name: str, db: Database) -> None:
    head = await audit.head(db)
    rows = [row async for row in audit.export(db)]
    verdict = audit.verify(rows, expected_head=head)
    if verdict.broken_at is not None and head == await audit.head(db):  # else it grew while we read
        found.differs(f"{name}'s audit chain is broken: {verdict.reason}")


async def unheard(databases: Mapping[str, Database], settings: Mapping[str, Any] | None = None) -> dict[str, set[str]]:
    """For each consuming service, published events of types that it handles and has neither handled nor parked."""
    published: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, db in databases.items():
        outbox = db.tables.outbox.c
        async with db.reading() as session:
            rows = (await session.execute(select(outbox.event_id, outbox.type))).all()
        published[name] = [(str(i), str(t)) for i, t in rows]
    missing: dict[str, set[str]] = {}
    for name, db in databases.items():
        consumes = _consumes(name, db, settings)
        wanted = {i for source in consumes[0] for i, kind in published[source] if kind in consumes[1]}
        tables = db.tables
        async with db.reading() as session:
            seen = set((await session.scalars(select(tables.inbox.c.event_id))).all())
            seen |= set((await session.scalars(select(tables.parked.c.event_id))).all())
        if lacking := wanted - seen:
            missing[name] = lacking
    return missing


_CONSUMED: dict[str, tuple[Sequence[str], frozenset[str]]] = {}


def _consumes(name: str, db: Database, settings: Mapping[str, Any] | None) -> tuple[Sequence[str], frozenset[str]]:
    """Whom a service hears and which events it handles. The worker knows; what it knows is the same in every process,
    and making one means reading packs and models."""
    from shared.bus.local import LocalBus

    if name not in _CONSUMED:
        service = SERVICES[name]
        worker = service.worker(settings[name] if settings else service.settings(), db, LocalBus())
        told = worker.consumes
        _CONSUMED[name] = (told.services, told.types & EVENTS.keys()) if told else ((), frozenset())
    return _CONSUMED[name]
