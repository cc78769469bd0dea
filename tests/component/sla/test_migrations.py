"""What the migrations make is what the code expects, on both databases, and can be taken back."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, DateTime, MetaData, Table, inspect
from sqlalchemy.ext.asyncio import create_async_engine

import services.sla
from services.sla import store
from services.sla.domain.ledger import replay
from services.sla.settings import SlaSettings
from services.sla.store import editions, metadata, tables
from services.sla.usecases import engine
from shared import migrations
from shared.db import Database, UtcDateTime

RECEIVED = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
SETUP = SlaSettings().notice_setup()
FOLDER = Path(services.sla.__file__).parent / "migrations"


async def _inside(url: str, look: Callable[[Connection], Any]) -> Any:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(look)
    finally:
        await engine.dispose()


async def test_the_migrations_make_the_tables_that_the_code_expects(migrated: Callable[[str], str]) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    assert await _inside(migrated("sla"), differences) == []


async def test_the_partial_indexes_are_partial(migrated: Callable[[str], str], backend: str) -> None:
    def conditions(connection: Connection) -> dict[str, str]:
        found = inspect(connection).get_indexes("step")
        return {
            str(i["name"]): str(i["dialect_options"][f"{connection.dialect.name}_where"])
            for i in found
            if i.get("dialect_options", {}).get(f"{connection.dialect.name}_where") is not None
        }

    assert (await _inside(migrated("sla"), conditions)).keys() == {
        "step_next",
        "step_open",
        "step_due",
        "step_escalated",
        "step_provisional",
        "step_late",
        "step_untold",
    }


async def test_the_migrations_can_be_taken_back(database_url: str) -> None:
    await asyncio.to_thread(migrations.migrate, FOLDER, database_url)
    await asyncio.to_thread(command.downgrade, migrations.config(FOLDER, database_url), "base")
    left = await _inside(database_url, lambda c: inspect(c).get_table_names())
    assert left == ["alembic_version"]


async def test_clocks_that_run_get_the_ledger_that_they_would_have_had(database_url: str) -> None:
    await asyncio.to_thread(migrations.migrate, FOLDER, database_url, "0002")
    db = Database("sla", database_url, tables)
    clock = {
        "complaint_id": "c-1", "received_at": RECEIVED, "imported": False, "department": "cards", "clock_id": "k-1",
        "acknowledged_at": RECEIVED + timedelta(days=2), "pack": "hk-hkma", "pack_version": "2023-01-06",
        "pack_reason": "why", "zone": "Asia/Hong_Kong", "opened_at": RECEIVED,
    }  # fmt: skip
    limits = {"acknowledge": (7, 8), "interim": (30, 31), "final": (60, 61)}
    async with db.transaction() as tx:
        old = await tx.run_sync(lambda s: _reflected(s.connection()))
        await tx.execute(old["clock"].insert().values(clock))
        for name, (length, days) in limits.items():
            due_at = datetime(2026, 3, 1, 15, 59, 59, 999000, tzinfo=UTC) + timedelta(days=days - 1)
            met = name == "acknowledge"
            row = {
                "complaint_id": "c-1", "name": name, "length": length, "unit": "calendar_day",
                "count_from": "next_day", "source": "s", "article": "a", "confirmed": False,
                "effective_from": RECEIVED.date(), "escalation_level": 1, "escalation_role": "supervisor",
                "due_at": due_at, "warn_at": due_at - timedelta(days=1), "historic": False,
                "state": "met" if met else "running", "next_at": None if met else due_at - timedelta(days=1),
                "met_at": RECEIVED + timedelta(days=2) if met else None,
            }  # fmt: skip
            await tx.execute(old["step"].insert().values(row))
    await db.close()
    await asyncio.to_thread(migrations.migrate, FOLDER, database_url)

    db = Database("sla", database_url, tables)
    async with db.reading() as session:
        watch = await store.watch(session, "c-1")
        assert watch is not None
        rows = await store.ledger(session, ["k-1"])
        calendars = await editions.editions(session, await editions.known(session))
    (found,) = watch.clocks
    assert found.primary
    assert [e.kind for e in rows["k-1"]] == ["started", "met"]
    assert replay(rows["k-1"], calendars) == found.state, "counted again, it gives the deadlines that stood"
    assert [(s.name, s.state) for s in found.steps] == [
        ("acknowledge", "met"),
        ("interim", "running"),
        ("final", "running"),
    ]
    assert await engine.fire_due(db, lambda: RECEIVED + timedelta(days=40), SETUP) == 3
    await db.close()


def _reflected(connection: Connection) -> dict[str, Table]:
    found = MetaData()
    found.reflect(connection, only=["clock", "step"])
    for table in found.tables.values():
        for column in table.columns:
            if isinstance(column.type, DateTime):
                column.type = UtcDateTime()
    return dict(found.tables)
