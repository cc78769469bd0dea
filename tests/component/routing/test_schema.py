"""The migrations make exactly the tables that the code uses; the processes start from the environment."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from services.routing import app, store, worker
from services.routing.settings import RoutingSettings
from shared.bus.local import LocalBus
from shared.db import Database
from shared.events import ComplaintErased, ComplaintEscalated, ComplaintReceived


async def test_the_migrations_make_what_the_code_uses(migrated: Callable[[str], str]) -> None:
    db = Database("routing", migrated("routing"), store.tables)

    def difference(connection: Connection) -> object:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, store.metadata)

    async with db.engine.connect() as connection:
        assert await connection.run_sync(difference) == []
    await db.close()


def test_the_app_is_made_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDRESS_HOME", str(tmp_path))
    made = app.app()
    assert made.state.db.url.endswith("routing.db")
    asyncio.run(made.state.db.close())


def test_the_worker_hears_complaints_and_escalations(tmp_path: Path) -> None:
    settings = RoutingSettings(home=tmp_path)
    db = Database("routing", settings.database, store.tables)
    consumes = worker.create_worker(settings, db, LocalBus()).consumes
    asyncio.run(db.close())

    assert consumes is not None
    assert consumes.services == ("intake", "sla", "reporting")
    assert {ComplaintReceived.type, ComplaintErased.type, ComplaintEscalated.type} < consumes.types


def test_a_folder_without_registers_stops_the_start(tmp_path: Path) -> None:
    settings = RoutingSettings(home=tmp_path, routing_registers=tmp_path)
    db = Database("routing", settings.database, store.tables)
    with pytest.raises(ValueError, match=r"taxonomy\.toml"):
        app.create_app(settings, db)
    asyncio.run(db.close())
