"""The embedded default: the four services in one process, on SQLite and the in-process bus, under one address."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import structlog
from starlette.applications import Starlette
from starlette.routing import Mount

from deploy import dev_keys, rebuild
from deploy.health import page as health_page
from deploy.health.survey import Source
from deploy.registry import SERVICES
from shared.bus import Bus
from shared.bus.kafka import KafkaBus
from shared.bus.local import LocalBus
from shared.db import Database
from shared.security.principal import Role
from shared.settings import Settings
from shared.worker import Worker, run_until_cancelled

log = structlog.get_logger()


class AlreadyRunning(RuntimeError):
    """Another desk has this home open."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The assembled desk: `app` to serve, `keys` to tell the developer."""

    app: Starlette
    keys: dict[str, str]


def lock(home: Path) -> int:
    """Hold `home` for this process: two desks on one set of files would both relay. Raises AlreadyRunning."""
    home.mkdir(parents=True, exist_ok=True)
    handle = os.open(home / "desk.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise AlreadyRunning(f"a desk is already running on {home}") from None
    return handle


def assemble(home: Path, address: str) -> Desk:
    """Bring the databases up to date and put the four services together. Blocking.

    `address` is where the desk will be reached, such as `http://127.0.0.1:8000`. Raises ValueError for settings that
    can't be.
    """
    settings = {name: service.settings(home=home) for name, service in SERVICES.items()}
    if "public_url" not in settings["intake"].model_fields_set:
        settings["intake"] = SERVICES["intake"].settings(home=home, public_url=f"{address}/intake")
    for name, service in SERVICES.items():
        service.migrate(settings[name])
    databases = {name: service.database(settings[name]) for name, service in SERVICES.items()}
    common: Settings = settings["intake"]
    local = LocalBus()
    buses: dict[str, Bus] = {name: _bus(common, name, local) for name in SERVICES}
    workers = {name: service.worker(settings[name], databases[name], buses[name]) for name, service in SERVICES.items()}
    apps = {name: service.app(settings[name], databases[name]) for name, service in SERVICES.items()}
    known = dev_keys.load(home) if common.embedded else {}
    for mounted in apps.values():
        mounted.state.development_staff = {role.value: known[role] for role in Role if role in known}

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if known:
                await dev_keys.plant(databases, known)
                async with databases["intake"].transaction() as tx:
                    await dev_keys.plant_form(tx, settings["intake"].master_keys(), known[dev_keys.FORM], address)
            for mounted in (*apps.values(), front):
                await stack.enter_async_context(mounted.router.lifespan_context(mounted))
            tasks = [
                asyncio.create_task(_run(list(workers.values()), buses)),
                asyncio.create_task(_renew_figures(databases)),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    sources = {
        name: Source(f"/{name}", httpx.AsyncClient(transport=httpx.ASGITransport(mounted), base_url="http://desk"))
        for name, mounted in apps.items()
    }
    front = health_page.create_app(common, sources, form=known.get(dev_keys.FORM))
    mounts = [Mount(f"/{name}", mounted) for name, mounted in apps.items()]
    return Desk(Starlette(routes=[*mounts, Mount("/", front)], lifespan=lifespan), known)


def _bus(settings: Settings, service: str, local: LocalBus) -> Bus:
    return (
        KafkaBus(settings.kafka, client_id=f"redress-{service}", **settings.kafka_options())
        if settings.kafka
        else local
    )


async def _run(workers: list[Worker], buses: dict[str, Bus]) -> None:
    """All workers; the process ends when one of them breaks, rather than going on without it."""
    try:
        async with asyncio.TaskGroup() as group:
            for bus in {id(b): b for b in buses.values()}.values():
                mine = [w for w in workers if w.bus is bus]
                group.create_task(run_until_cancelled(mine, bus))
    except asyncio.CancelledError:
        raise
    except BaseException:
        log.critical("desk.worker_broke")
        os._exit(70)  # a supervisor, or the person at the terminal, starts it again; nothing is lost


async def _renew_figures(databases: Mapping[str, Database]) -> None:
    """After an upgrade that the figures have to catch up with; meanwhile the desk works as ever."""
    try:
        if (done := await rebuild.if_stale(databases)) is not None:
            log.info("figures.renewed", events=done.replayed, kept=done.kept, skipped=len(done.skipped))
    except Exception as error:
        log.error("figures.not_renewed", error=type(error).__name__)


def databases_of(home: Path) -> dict[str, Database]:
    """The databases as the environment and `home` say, for tools that look at all four."""
    return {name: service.database(service.settings(home=home)) for name, service in SERVICES.items()}
