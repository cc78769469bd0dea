"""The migration of notices and posts makes the tables that the code expects, on both databases."""

from collections.abc import Callable

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from services.sla import store_notices, store_posts, store_subscriptions
from services.sla.store import metadata

OURS = {
    store_notices.NOTICE.name,
    store_notices.ATTEMPT.name,
    store_posts.POST.name,
    store_subscriptions.SUBSCRIPTION.name,
    store_subscriptions.SECRET.name,
}


async def test_the_migration_makes_what_the_code_uses(migrated: Callable[[str], str]) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [d for d in compare_metadata(context, metadata) if any(f"'{name}" in str(d) for name in OURS)]

    engine = create_async_engine(migrated("sla"))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()
