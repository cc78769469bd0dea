"""Alembic for every service: one environment, run by code (`migrate`), one folder of versions a service.

What a migration does to a table in use it does by `index`, `drop_index`, `column` and `fill` (see `in_use`).
"""

import asyncio
import contextlib
import ssl
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import make_url

from shared.db import Database
from shared.migrations.in_use import column, drop_index, fill, index
from shared.migrations.running import Busy, run

__all__ = ["Busy", "column", "config", "drop_index", "fill", "index", "migrate", "run", "wait_for"]


def config(folder: Path, url: str, tls: ssl.SSLContext | None = None) -> Config:
    """Alembic's configuration for the migrations in `folder`, without an ini file."""
    found = Config()
    found.set_main_option("script_location", str(folder))
    found.attributes["url"] = url
    found.attributes["tls"] = tls
    return found


def migrate(folder: Path, url: str, revision: str = "head", *, tls: ssl.SSLContext | None = None) -> None:
    """Bring the database at `url` to `revision`, over `tls` where it is PostgreSQL. Blocking; call it from a thread
    inside an event loop. Raises Busy when another migrator, or a lock that somebody holds, does not give way."""
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
