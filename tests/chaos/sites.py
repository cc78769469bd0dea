"""The two ways to run Redress, behind one face for those who want to break it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import httpx

from deploy.cluster import Cluster
from deploy.infra.ports import free_port
from deploy.infra.processes import Child
from deploy.registry import SERVICES
from shared.clock import utcnow
from shared.db import Database
from shared.security import keys
from shared.security.keys import NewKey
from shared.security.principal import Role, Scope
from tests.chaos.scale import PATIENCE

_CHANNELS = NewKey("channels", scopes=(Scope.WRITE, Scope.READ))


class Site(Protocol):
    """What a test needs of either. `tokens`: `channels` (posts for every channel), and one for each staff role.

    `kill` and `start` block; `start` returns once the process runs, which may be before it answers.
    """

    home: Path
    tokens: Mapping[str, str]

    @property
    def kafka(self) -> str | None:
        """The bootstrap servers, where there are any."""
        ...

    @property
    def victims(self) -> Sequence[str]: ...

    def url(self, service: str) -> str: ...

    def database_url(self, service: str) -> str: ...

    def kill(self, victim: str) -> None: ...

    def start(self, victim: str) -> None: ...

    def dead(self) -> list[str]: ...


@asynccontextmanager
async def databases(site: Site) -> AsyncIterator[dict[str, Database]]:
    """All four, for the running event loop."""
    found = {name: Database(name, site.database_url(name), service.tables) for name, service in SERVICES.items()}
    try:
        yield found
    finally:
        for db in found.values():
            await db.close()


class ClusterSite:
    """PostgreSQL, Kafka and every service as processes of their own."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.home = cluster.home
        self.tokens: dict[str, str] = {}

    @property
    def kafka(self) -> str:
        return self.cluster.kafka.bootstrap

    @property
    def victims(self) -> Sequence[str]:
        return ("kafka", "postgres", *(name for name in self.cluster.children if name != "front"))

    @property
    def workers(self) -> Sequence[str]:
        return [name for name in self.cluster.children if name.endswith("-worker")]

    def url(self, service: str) -> str:
        return self.cluster.address(service)

    def database_url(self, service: str) -> str:
        return self.cluster.postgres.url(f"redress_{service}")

    def kill(self, victim: str) -> None:
        if victim == "kafka":
            self.cluster.kafka.kill()
        elif victim == "postgres":
            self.cluster.postgres.kill()
        else:
            self.cluster.children[victim].kill()

    def start(self, victim: str) -> None:
        if victim == "kafka":
            self.cluster.kafka.start()
        elif victim == "postgres":
            self.cluster.postgres.start()
        else:
            self.cluster.children[victim].start()

    @asynccontextmanager
    async def beside(self, process: str, *, module: str = "deploy.cli") -> AsyncIterator[tuple[Child, str]]:
        """A second process such as `process`, as on another host, and where it answers. Gone afterwards."""
        port = free_port()
        child = self.cluster.process(process, port, label=f"{process}-{port}", module=module)
        address = f"http://{self.cluster.host}:{port}"
        await asyncio.to_thread(child.start)
        try:
            await asyncio.to_thread(child.wait_ready, lambda: answers(address, "/health/live"), seconds=60 * PATIENCE)
            yield child, address
        finally:
            await asyncio.to_thread(child.resume)
            await asyncio.to_thread(child.stop, seconds=15)

    def dead(self) -> list[str]:
        infra = {"kafka": self.cluster.kafka.running, "postgres": self.cluster.postgres.running}
        return [n for n, runs in infra.items() if not runs] + [
            name for name, child in self.cluster.children.items() if not child.running
        ]

    async def make_tokens(self) -> None:
        """Outside the embedded default no key is made by itself."""
        roles = {role.value: NewKey(f"chaos-{role}", roles=[role]) for role in Role}
        async with databases(self) as found:
            for name, new in ({"channels": _CHANNELS} | roles).items():
                id, token = keys.mint()
                self.tokens[name] = token
                for service, db in found.items():
                    if new.roles or service == "intake":
                        async with db.transaction() as tx:
                            tables = SERVICES[service].tables
                            await keys.store(tx, tables, new, id=id, token=token, actor="chaos", now=utcnow())


class DeskSite:
    """The embedded default: one process of `redress up` on a home of its own."""

    def __init__(self, home: Path, *, module: str = "deploy.cli", env: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.port = free_port()
        self.log = home.parent / f"{home.name}.log"
        command = [sys.executable, "-m", module, "up", "--port", str(self.port), "--home", str(home)]
        self.process = Child("desk", command, log=self.log, env={**os.environ, **(env or {})})

    @property
    def tokens(self) -> Mapping[str, str]:
        known: dict[str, str] = json.loads((self.home / "dev-keys.json").read_text())
        return known | {"channels": known["import"]}

    kafka = None

    @property
    def victims(self) -> Sequence[str]:
        return ("desk",)

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.port}/{service}"

    def database_url(self, service: str) -> str:
        return f"sqlite+aiosqlite:///{self.home / f'{service}.db'}"

    def kill(self, victim: str) -> None:
        self.process.kill()

    def start(self, victim: str = "desk") -> None:
        self.process.start()

    def start_and_wait(self) -> None:
        self.start()
        self.process.wait_ready(lambda: answers(f"http://127.0.0.1:{self.port}"), seconds=60 * PATIENCE)

    def dead(self) -> list[str]:
        return [] if self.process.running else ["desk"]


def answers(address: str, path: str = "/health/ready") -> bool:
    """Whether whoever is at `address` says that all is well."""
    try:
        return httpx.get(f"{address}{path}", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
