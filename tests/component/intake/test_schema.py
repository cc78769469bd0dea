"""The migrations make exactly the tables that the code uses, on both databases, there and back."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from services.intake import store
from shared.db import Database
from shared.migrations import config

FOLDER = Path(__file__).parents[3] / "services" / "intake" / "migrations"


async def test_the_migrations_make_what_the_code_uses(migrated: Callable[[str], str]) -> None:
    db = Database("intake", migrated("intake"), store.tables)

    def difference(connection: Connection) -> object:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, store.metadata)

    async with db.engine.connect() as connection:
        assert await connection.run_sync(difference) == []
    await db.close()


def test_each_step_can_be_taken_back(tmp_path: Path) -> None:
    known = config(FOLDER, f"sqlite+aiosqlite:///{tmp_path / 'intake.db'}")
    command.upgrade(known, "head")
    command.downgrade(known, "0001")
    command.upgrade(known, "head")
