"""Alembic for every service: one environment, run by code (`migrate`), one folder of versions a service."""

import asyncio
import contextlib
import ssl
import time
from pathlib import Path
from typing import Any

from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, pool, text
from sqlalchemy.engine import make_url

from shared.db import Database


def config(folder: Path, url: str, tls: ssl.SSLContext | None = None) -> Config:
    """Alembic's configuration for the migrations in `folder`, without an ini file."""
    found = Config()
    found.set_main_option("script_location", str(folder))
    found.attributes["url"] = url
    found.attributes["tls"] = tls
    return found


def migrate(folder: Path, url: str, revision: str = "head", *, tls: ssl.SSLContext | None = None) -> None:
    """Bring the database at `url` to `revision`, over `tls` where it is PostgreSQL. Blocking; call it from a thread
    inside an event loop."""
    database = make_url(url).database
    if url.startswith("sqlite") and database:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    command.upgrade(config(folder, url, tls), revision)


def wait_for(folder: Path, db: Database, seconds: float) -> bool:
    """Wait until somebody has brought `db` to the newest revision in `folder`, or to one that only a later version
    knows, which this version can live with (see CONTRIBUTING, "Migrations"). Whether that came true. Blocking."""
    script = ScriptDirectory.from_config(config(folder, ""))
    older = {one.revision for one in script.walk_revisions()} - {script.get_current_head()}

    async def look() -> bool:
        until = time.monotonic() + seconds
        try:
            while True:
                with contextlib.suppress(Exception):  # away, or without any table yet
                    async with db.reading() as session:
                        if await session.scalar(text("SELECT version_num FROM alembic_version")) not in {*older, None}:
                            return True
                if time.monotonic() > until:
                    return False
                await asyncio.sleep(1)
        finally:
            await db.close()

    return asyncio.run(look())


def run(metadata: MetaData) -> None:
    """What each `migrations/env.py` calls."""
    url = context.config.attributes["url"]
    options: dict[str, Any] = {"target_metadata": metadata, "compare_type": True, "render_as_batch": "sqlite" in url}
    if url.startswith("sqlite"):
        engine = create_engine(url.replace("+aiosqlite", ""), poolclass=pool.NullPool)
        with engine.begin() as connection:
            context.configure(connection=connection, **options)
            with context.begin_transaction():
                context.run_migrations()
        engine.dispose()
        return
    _run_on_postgres(url, options, context.config.attributes["tls"])


def _run_on_postgres(url: str, options: dict[str, Any], tls: ssl.SSLContext | None) -> None:
    """asyncpg is the one PostgreSQL driver here, so its loop runs inside this call."""
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import create_async_engine

    def inside(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(1380271186)"))  # one migration at a time
        context.configure(connection=connection, **options)
        with context.begin_transaction():
            context.run_migrations()

    async def outside() -> None:
        engine = create_async_engine(url, poolclass=pool.NullPool, connect_args={"ssl": tls} if tls else {})
        async with engine.begin() as connection:
            await connection.run_sync(inside)
        await engine.dispose()

    asyncio.run(outside())
