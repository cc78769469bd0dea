"""What the migrations make is what the code expects, on both databases, and can be taken back."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import create_async_engine

import services.sla
from services.sla.store import metadata
from shared import migrations

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
        "step_escalated",
        "step_provisional",
    }


async def test_the_migrations_can_be_taken_back(database_url: str) -> None:
    await asyncio.to_thread(migrations.migrate, FOLDER, database_url)
    await asyncio.to_thread(command.downgrade, migrations.config(FOLDER, database_url), "base")
    left = await _inside(database_url, lambda c: inspect(c).get_table_names())
    assert left == ["alembic_version"]
