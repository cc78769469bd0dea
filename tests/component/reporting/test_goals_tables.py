"""The migrations make exactly the tables that the code uses."""

from collections.abc import Callable

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from services.reporting import store
from shared.db import Database


async def test_the_migrations_make_what_the_code_uses(migrated: Callable[[str], str]) -> None:
    db = Database("reporting", migrated("reporting"), store.tables)

    def difference(connection: Connection) -> object:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, store.metadata)

    async with db.engine.connect() as connection:
        assert await connection.run_sync(difference) == []
    await db.close()
