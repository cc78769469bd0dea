"""What benchmarks of one service run on: new databases on SQLite and on PostgreSQL, in turn."""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from deploy.infra.install import Unavailable
from deploy.infra.postgres import Postgres
from deploy.registry import SERVICES

KINDS = ("sqlite", "postgres")
Url = Callable[[str], str]
"""The address of a new database of a name, with the service's tables."""


def on_each(
    service: str, wanted: Iterable[str] | None, measure: Callable[[Url], Awaitable[dict[str, Any]]]
) -> dict[str, dict[str, Any]]:
    """What `measure` finds on each of the wanted kinds, all if None. Without a PostgreSQL that one is left out, and
    said so."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="redress-bench-") as folder:
        for kind in wanted or KINDS:
            if kind == "sqlite":
                found[kind] = _run(measure, service, lambda name: f"sqlite+aiosqlite:///{folder}/{name}.db")
                continue
            try:
                server = Postgres(Path(folder) / "postgres")
                server.start()
            except Unavailable as error:
                print(f"PostgreSQL is left out: {error}", file=sys.stderr)
                continue

            def on_server(name: str, server: Postgres = server) -> str:
                server.create_database(f"bench_{name}")
                return server.url(f"bench_{name}")

            try:
                found[kind] = _run(measure, service, on_server)
            finally:
                server.destroy()
    return found


def _run(measure: Callable[[Url], Awaitable[dict[str, Any]]], service: str, new: Url) -> dict[str, Any]:
    async def measured() -> dict[str, Any]:
        return await measure(lambda name: _migrated(service, new(name)))

    return asyncio.run(measured())


def _migrated(service: str, url: str) -> str:
    settings = SERVICES[service].settings(**{f"database_{service}": url})
    with ThreadPoolExecutor(1) as pool:  # Alembic begins a loop of its own
        pool.submit(SERVICES[service].migrate, settings).result()
    return url
