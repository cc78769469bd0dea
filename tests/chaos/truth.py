"""What the databases say, counted by plain SQL beside what `redress reconcile` finds."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, text

from deploy.reconcile import Findings, reconcile, wait_until_drained
from shared.db import Database
from tests.chaos.scale import PATIENCE


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of everything there are. They differ from one another only where something was lost or done twice."""

    complaints: int
    references: int
    audited: int
    received_events: int
    cases: int
    classified_events: int
    routed_events: int
    clocks: int
    started_events: int
    counted: int
    figures: int

    def __sub__(self, before: "Counts") -> "Counts":
        return Counts(*(getattr(self, n) - getattr(before, n) for n in self.__slots__))

    def differing(self, wanted: int) -> dict[str, int]:
        """Those that are not `wanted`."""
        return {n: getattr(self, n) for n in self.__slots__ if getattr(self, n) != wanted}


_OUTBOX = "SELECT count(*) FROM outbox WHERE type = 'com.redress.{}.v1'"
_QUERIES = {
    "complaints": ("intake", "SELECT count(*) FROM complaint"),
    "references": ("intake", "SELECT count(DISTINCT reference) FROM complaint"),
    "audited": ("intake", "SELECT count(*) FROM audit WHERE action = 'complaint.received'"),
    "received_events": ("intake", _OUTBOX.format("complaint.received")),
    "cases": ("routing", "SELECT count(*) FROM complaint_case"),
    "classified_events": ("routing", _OUTBOX.format("complaint.classified")),
    "routed_events": ("routing", _OUTBOX.format("complaint.routed")),
    "clocks": ("sla", "SELECT count(*) FROM clock WHERE is_primary"),
    "started_events": ("sla", _OUTBOX.format("clock.started").replace("*", "DISTINCT key")),
    "counted": (
        "reporting",
        "SELECT count(*) FROM fact WHERE received_at IS NOT NULL AND slot = (SELECT live FROM read_model)",
    ),
    "figures": (
        "reporting",
        "SELECT coalesce(sum(count), 0) FROM tally WHERE series = 'm:received::state' "
        "AND slot = (SELECT live FROM read_model)",
    ),
}
_CLOSED = {
    "cases": ("routing", "SELECT count(*) FROM complaint_case WHERE state = 'closed'"),
    "progress": ("intake", "SELECT count(*) FROM progress WHERE status = 'closed'"),
    "clocks": ("sla", "SELECT count(*) FROM complaint WHERE closed_at IS NOT NULL"),
    "final steps": ("sla", "SELECT count(DISTINCT complaint_id) FROM step WHERE name = 'final' AND state = 'met'"),
    "facts": ("reporting", "SELECT count(*) FROM fact WHERE state = 'closed' AND slot = (SELECT live FROM read_model)"),
    "assigned": ("routing", _OUTBOX.format("complaint.assigned")),
    "acknowledged": ("routing", _OUTBOX.format("complaint.acknowledged")),
    "responded": ("routing", _OUTBOX.format("complaint.responded")),
    "resolved": ("routing", _OUTBOX.format("complaint.resolved")),
    "closed": ("routing", _OUTBOX.format("complaint.closed")),
}


async def number(db: Database, query: str, **values: object) -> int:
    """The one number that `query` asks for."""
    async with db.reading() as session:
        return int((await session.execute(text(query), values)).scalar_one())


async def count(databases: Mapping[str, Database]) -> Counts:
    return Counts(**{name: await number(databases[db], query) for name, (db, query) in _QUERIES.items()})


async def closed(databases: Mapping[str, Database]) -> dict[str, int]:
    """How many complaints have come to their end, as each service knows it and as routing has told it."""
    return {name: await number(databases[db], query) for name, (db, query) in _CLOSED.items()}


async def settled(databases: Mapping[str, Database], *, within: float) -> tuple[Findings, float]:
    """What `redress reconcile` finds once nothing is in flight any more, and how many seconds that took."""
    began = time.monotonic()
    await wait_until_drained(databases, within * PATIENCE)
    waited = time.monotonic() - began
    return await reconcile(databases), waited


async def kept(intake: Database, ids: Sequence[str]) -> int:
    """How many of `ids` intake has, each asked for by itself in portions that any database takes."""
    query = text("SELECT count(*) FROM complaint WHERE id IN :ids").bindparams(bindparam("ids", expanding=True))
    found = 0
    async with intake.reading() as session:
        for at in range(0, len(ids), 500):
            found += int((await session.execute(query, {"ids": list(ids[at : at + 500])})).scalar_one())
    return found


async def checkpoint(db: Database) -> None:
    """Have PostgreSQL write what it holds in memory to its files."""
    async with db.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("CHECKPOINT"))
