"""How migrations run: a commit each, one migrator at a time, and never at the head of a queue for long.

On PostgreSQL a change of a table waits for everybody who reads it, and everybody who comes later waits for the change.
So it waits a short while, lets the queue go by, and tries again; readers and writers are held up by `LOCK_SECONDS` at
most. A migration that was broken off is begun again: what it did in its own transaction is gone, and what
`shared.migrations.in_use` did outside of it is found done.
"""

import asyncio
import contextlib
import itertools
import ssl
import time
from collections.abc import Iterator
from typing import Any

import structlog
from alembic import context
from sqlalchemy import Connection, MetaData, create_engine, exc, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

log = structlog.get_logger()
LOCK_SECONDS = 2.0  # well below the five seconds that a request waits for a connection
PATIENCE = 600.0  # seconds after which a migrator gives up; an initContainer waits as long
# "MIGR": an advisory lock of this number in the service's own database; not that of the relay's leader
_ONE_MIGRATOR = 0x4D494752
_PAUSES = (0.5, 1.0, 2.0, 5.0)  # seconds between tries; the last one again and again
_GIVES_WAY = {"55P03", "40P01"}  # lock_not_available, deadlock_detected


class Busy(RuntimeError):
    """The database was in use in a way that no migration could pass, for as long as a migrator waits."""


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
    asyncio.run(_on_postgres(url, options, context.config.attributes["tls"]))


async def _on_postgres(url: str, options: dict[str, Any], tls: ssl.SSLContext | None) -> None:
    """asyncpg is the one PostgreSQL driver here, so its loop runs inside this call."""
    settings = {"lock_timeout": str(round(LOCK_SECONDS * 1000)), "application_name": "redress-migrate"}
    how: dict[str, Any] = {"server_settings": settings, **({"ssl": tls} if tls else {})}
    engine = create_async_engine(url, poolclass=pool.NullPool, connect_args=how)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_alone, options)
    finally:
        await engine.dispose()


def _alone(connection: Connection, options: dict[str, Any]) -> None:
    _end_with_client(connection)
    until = time.monotonic() + PATIENCE
    for pause in _pauses(until, "another migrator is at work on this database"):
        # Polled: whoever waits inside a statement holds a snapshot, which a concurrent index waits for in turn.
        held = connection.scalar(text(f"SELECT pg_try_advisory_lock({_ONE_MIGRATOR})"))
        connection.commit()
        if held:
            break
        log.info("migrations.wait", reason="another migrator")
        time.sleep(pause)
    for pause in _pauses(until, "a table is locked by somebody who does not give way"):
        try:
            context.configure(connection=connection, transaction_per_migration=True, **options)
            with context.begin_transaction():
                context.run_migrations()
        except exc.DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _GIVES_WAY:
                raise
            connection.rollback()
            log.warning("migrations.wait", reason="a lock", seconds=pause)
            time.sleep(pause)
        else:
            connection.commit()
            return


def _end_with_client(connection: Connection) -> None:
    """Have the server notice when this process was killed: it would go on, and keep the lock, as long as it takes."""
    with contextlib.suppress(exc.DBAPIError):  # not on every operating system
        connection.execute(text("SET client_connection_check_interval = '1s'"))
    connection.commit()


def _pauses(until: float, reason: str) -> Iterator[float]:
    """How long to wait after each try that failed. Raises Busy, with `reason`, when the time is over."""
    for pause in itertools.chain(_PAUSES, itertools.repeat(_PAUSES[-1])):
        yield pause
        if time.monotonic() > until:
            raise Busy(f"Nothing was migrated further for {PATIENCE:.0f} s: {reason}.")
