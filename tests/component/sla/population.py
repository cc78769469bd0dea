"""Clocks by the hundred thousand, written by the database itself, so that engines can be tried at a bank's size.

Complaint number n has one clock with one step, `final`. Of all steps the first `due` fall due at DUE; the others a year
later.
"""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, text

from services.sla import store
from services.sla.domain.clock import Clock, Step, Watch
from services.sla.domain.counting import Limit
from services.sla.domain.facts import Facts
from services.sla.domain.ledger import Line
from services.sla.domain.policy import Authority, WarnRule
from services.sla.packs import load
from shared.db import Database

DUE = datetime(2026, 6, 1, 16, 0, tzinfo=UTC)
SINCE = DUE - timedelta(days=60)
LATER = timedelta(days=365)
LONG = "LONG_SCALE_FORM" in os.environ  # not REDRESS_…: conftest takes those away
SCALE = 1_000_000 if LONG else 50_000
"""Open clocks. The long form is for `make scale`; the short one runs with every change."""
DUE_AT_ONCE = 10_000 if LONG else 2_000
_AT_ONCE = 100_000
"""A million in one statement outlasts what a statement is given."""
_TABLES = {
    "complaint": (store.COMPLAINT, {"complaint_id": "'c-' || n"}),
    "clock": (store.CLOCK, {"clock_id": "'k-' || n", "complaint_id": "'c-' || n"}),
    "step": (store.STEP, {"clock_id": "'k-' || n", "complaint_id": "'c-' || n"}),
}


async def populate(db: Database, clocks: int, due: int, *, first: int = 0, warnings: tuple[WarnRule, ...] = ()) -> None:
    """Add `clocks` complaints from number `first` on, of which the first `due` have missed their deadline at DUE, or
    are to be warned of then where there are `warnings`."""
    for at, since, count in ((DUE, first, due), (DUE + LATER, first + due, clocks - due)):
        for start in range(since, since + count, _AT_ONCE):
            await _copies(db, _one(at, warnings), start, min(start + _AT_ONCE, since + count) - 1)
    if not db.is_sqlite:
        async with db.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            await connection.execute(text("ANALYZE"))


def _one(at: datetime, warnings: tuple[WarnRule, ...]) -> Watch:
    authority = Authority("source", "article", True, SINCE.date())
    due_at = at + (timedelta(hours=1) if warnings else -timedelta(milliseconds=1))
    line = Line(Limit(60, "calendar_day", "next_day"), SINCE, due_at)
    ladder = load("hk-hkma").ladders["regulatory"]
    step = Step("final", line, authority, warnings, ladder, True, next_at=at, act_by=due_at)
    clock = Clock(
        id="model",
        pack="hk-hkma",
        pack_version="2023-01-06",
        kind="regulatory",
        primary=True,
        reason="",
        zone="Asia/Hong_Kong",
        opened_at=SINCE,
        start=SINCE,
        calendar="none",
        seq=1,
        steps=(step,),
    )
    return Watch("model", Facts(received_at=SINCE, department="cards"), (clock,))


async def _copies(db: Database, model: Watch, first: int, last: int) -> None:
    """The complaint so many times, numbered."""
    series = "generate_series(CAST(:first AS int), CAST(:last AS int)) AS numbers(n)"
    if db.is_sqlite:
        series = (
            "(WITH RECURSIVE s(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM s WHERE n < :last) SELECT n FROM s)"
        )
    async with db.transaction() as tx:
        before = await store.take(tx, ["model"])
        await store.save(tx, before, {"model": replace(model)})
        for name, (table, numbered) in _TABLES.items():
            columns = [c for c in table.columns.keys() if c not in numbered]  # noqa: SIM118
            names = ", ".join(f'"{c}"' for c in (*numbered, *columns))
            values = ", ".join((*numbered.values(), *(f'"{c}"' for c in columns)))
            sql = f"INSERT INTO {name} ({names}) SELECT {values} FROM {name}, {series} WHERE complaint_id = 'model'"
            await tx.execute(text(sql), {"first": first, "last": last})
        for table, _ in reversed(_TABLES.values()):
            await tx.execute(delete(table).where(table.c.complaint_id == "model"))
