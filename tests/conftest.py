"""What every test may use: the real components, and a database of one's own on SQLite or PostgreSQL.

A test that needs PostgreSQL, Kafka, Chromium or promtool is marked `postgres`, `kafka`, `chromium` or `promtool`
(asking for the fixture of that name marks it too). Where a component cannot be had its tests are skipped and the last
lines of the run say so; `REQUIRE=postgres,kafka,chromium,promtool` makes a missing one a failure instead. Nothing is
installed here: see `python -m deploy.infra.install`.

`make test` runs two worker processes side by side. A file's tests stay together, and so do all files in which a test is
marked `kafka`: there is one broker or cluster at a time. Each worker has a PostgreSQL of its own. A test that takes the
time is marked `alone`: nothing else runs beside it. One that is marked `slow` runs in the long form only
(`LONG_SCALE_FORM=1`, `LOOK=all`; those of the faults by `make chaos`).
"""

import asyncio
import base64
import fcntl
import importlib
import itertools
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import hypothesis
import pytest

from deploy.infra import install, ports
from deploy.infra.kafka import Kafka
from deploy.infra.postgres import Postgres
from shared.migrations import migrate

COMPONENTS = ("postgres", "kafka", "chromium", "promtool")
_LEFT_OUT = "left out"  # the name under which a skipped test tells its reporter which component it lacked
_IN_MEMORY = Path("/dev/shm")
_LONG = os.environ.get("LONG_SCALE_FORM") or os.environ.get("LOOK") == "all"
_numbers = itertools.count(1)

# A time limit for each example says more about the other core than about the code.
hypothesis.settings.register_profile("redress", deadline=None, print_blob=True)
hypothesis.settings.register_profile("redress-ci", deadline=None, print_blob=True, derandomize=True, database=None)
hypothesis.settings.load_profile("redress-ci" if os.environ.get("CI") else "redress")


def _roomy(folder: Path) -> bool:
    """Whether the run's files may lie there. No test takes the power away, so nothing rests on a disk; one that takes
    milliseconds for each commit makes the whole run half as long again."""
    return folder.is_dir() and shutil.disk_usage(folder).free > 8 * 2**30


@cache
def missing(component: str) -> str | None:
    """Why `component` cannot be used here; None when it can."""
    remedy = f"python -m deploy.infra.install {component}"
    if component == "postgres":
        return None if install.find_postgres() else f"not installed; {remedy}"
    if component == "kafka":
        if not install.find_java():
            return f"Java 17 is not installed; {remedy}"
        return None if install.kafka_libs() else f"its jars are not here; {remedy}"
    if component == "promtool":
        return None if install.find_promtool() else f"not installed; {remedy}"
    return None if install.find_chromium() else f"not installed; {remedy}"


def pytest_configure(config: pytest.Config) -> None:
    """Settings come from the environment: what the person at the keyboard has set must not reach the tests."""
    fetched = {
        "REDRESS_KAFKA_LIBS": str(install.kafka_libs_path()),
        "REDRESS_PROMTOOL": str(install.promtool_path()),
    }
    # tests/chaos/scale.py reads these, in every worker
    dice = {"REDRESS_CHAOS", "REDRESS_SEED", "REDRESS_SEEDS", "REDRESS_PATIENCE"}
    for name in [n for n in os.environ if n.startswith("REDRESS_") and n not in dice]:
        del os.environ[name]
    os.environ["REDRESS_SESSION_KEYS"] = "test:" + base64.b64encode(os.urandom(32)).decode()
    os.environ.update(fetched)
    if "TMPDIR" not in os.environ and _roomy(_IN_MEMORY):
        os.environ["TMPDIR"] = str(_IN_MEMORY)
        tempfile.tempdir = None  # asked anew
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        ports.take_share(int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))


def pytest_sessionstart(session: pytest.Session) -> None:
    required = [name.strip() for name in os.environ.get("REQUIRE", "").split(",") if name.strip()]
    if unknown := [name for name in required if name not in COMPONENTS]:
        pytest.exit(f"REQUIRE names what is no component: {', '.join(unknown)}", returncode=4)
    if gone := [f"{name}: {reason}" for name in required if (reason := missing(name))]:
        pytest.exit("REQUIRED COMPONENTS ARE MISSING\n  " + "\n  ".join(gone), returncode=1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not _LONG:
        left = [item for item in items if item.get_closest_marker("slow") and "chaos" not in item.path.parts]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in set(left)]
    for item in items:
        for component in COMPONENTS:
            if component in getattr(item, "fixturenames", ()):
                item.add_marker(component)
    # Kafka's first: they take the longest, and the cluster is gone before anything else runs.
    items.sort(key=lambda item: item.get_closest_marker("kafka") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """What goes to a worker in one piece: a file, or all around Kafka; in the order of the collection.

    xdist's own groups (`--dist loadgroup`, 3.8.0) do nothing under pytest 9.2, whose node ids can no longer be changed.
    """
    from xdist.scheduler import LoadScopeScheduling

    @cache
    def around_kafka(file: str) -> bool:
        return "mark.kafka" in (config.rootpath / file).read_text()

    class Pieces(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "kafka" if around_kafka(file) else file

    config.option.loadscopereorder = False
    return Pieces(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around everything, so that waiting does not count against a time limit
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with _turn(item.config, alone=item.get_closest_marker("alone") is not None):
        return (yield)


@contextmanager
def _turn(config: pytest.Config, *, alone: bool) -> Iterator[None]:
    """Wait until no worker is at a test that is `alone`; if this one is, until none is at any. Whoever wants to be
    alone keeps the door meanwhile, so that the others cannot go on for ever one after the other."""
    shared_by_all = config._tmp_path_factory.getbasetemp().parent  # type: ignore[attr-defined]
    with (shared_by_all / "door").open("w") as door, (shared_by_all / "room").open("w") as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for component in COMPONENTS:
        if item.get_closest_marker(component) and (reason := missing(component)):
            item.user_properties.append((_LEFT_OUT, component))
            pytest.skip(f"{component}: {reason}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    yield  # everything else first: this must be the last thing that anybody reads
    skipped = terminalreporter.stats.get("skipped", [])
    left_out = Counter(value for report in skipped for name, value in report.user_properties if name == _LEFT_OUT)
    if not left_out:
        return
    red = {"red": True, "bold": True}
    terminalreporter.write_sep("!", "LEFT OUT, NOT TESTED", **red)
    for component, count in left_out.items():
        terminalreporter.write_line(f"{component}: {count} tests skipped ({missing(component)})", **red)
    terminalreporter.write_sep("!", f"{left_out.total()} tests did not run", **red)


# --- the real components, started once and only when somebody asks ---


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One PostgreSQL server for the whole run. Whoever stops it starts it again.

    Some tests kill it: with every file of its databases flushed it would take up to a minute to come back.
    """
    server = Postgres(tmp_path_factory.mktemp("postgres"), flushes=False)
    try:
        server.start()
        yield server
    finally:
        server.destroy()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One Kafka broker for the whole run. Whoever stops it starts it again."""
    broker = Kafka(tmp_path_factory.mktemp("kafka"))
    try:
        broker.start()
        yield broker
    finally:
        broker.destroy()


MakeTopics = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def make_topics(kafka: Kafka) -> MakeTopics:
    """`await make_topics(2, partitions=3)`: that many new topics that no other test uses."""

    async def make(count: int = 1, *, partitions: int = 3) -> list[str]:
        names = [f"test.{next(_numbers)}.v1" for _ in range(count)]
        await kafka.create_topics(dict.fromkeys(names, partitions))
        return names

    return make


# --- a database of one's own ---


def outside_the_loop(call: Callable[[], Any]) -> Any:
    """The result of `call`, made in a thread of its own: it may run an event loop even where one runs already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def _run_on(server: Postgres, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(server.url("postgres", "postgresql"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    outside_the_loop(lambda: asyncio.run(run()))


def create_database(server: Postgres, name: str, template: str = "template0") -> str:
    """A new database on `server`, a copy of `template`; returns its address."""
    _run_on(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    return server.url(name)


def drop_database(server: Postgres, url: str) -> None:
    """What `create_database` made at `url` goes: kept, a whole run's databases would fill some ten gigabytes."""
    _run_on(server, f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')


def migrate_service(service: str, url: str) -> None:
    """Bring the database at `url` to the newest state of `service`'s tables."""
    folder = Path(str(importlib.import_module(f"services.{service}").__file__)).parent / "migrations"
    outside_the_loop(lambda: migrate(folder, url))


class Templates:
    """Each service's database migrated once a run and copied for each test: copying is ten times as quick."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._on_postgres: set[str] = set()

    def sqlite(self, service: str, target: Path) -> str:
        ready = self._folder / f"{service}.db"
        if not ready.exists():
            migrate_service(service, f"sqlite+aiosqlite:///{ready}")
            with sqlite3.connect(ready) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
        shutil.copy(ready, target)
        return f"sqlite+aiosqlite:///{target}"

    def postgres(self, service: str, server: Postgres) -> str:
        template = f"template_{service}"
        if service not in self._on_postgres:
            migrate_service(service, create_database(server, template))
            self._on_postgres.add(service)
        return create_database(server, f"{service}_{next(_numbers)}", template)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return Templates(tmp_path_factory.mktemp("templates"))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def backend(request: pytest.FixtureRequest) -> str:
    """Each test that uses it runs on both. For one alone: `@pytest.mark.parametrize("backend", ["sqlite"],
    indirect=True)`; with `pytest.param("postgres", marks=pytest.mark.postgres)` for the other."""
    return str(request.param)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new, empty database on the `backend`."""
    if backend == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
        return
    server = request.getfixturevalue("postgres")
    url = create_database(server, f"empty_{next(_numbers)}")
    yield url
    drop_database(server, url)


@pytest.fixture
def migrated(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path, templates: Templates
) -> Iterator[Callable[[str], str]]:
    """`migrated("intake")`: the address of a new database on the `backend` with that service's tables."""
    made: list[str] = []

    def make(service: str) -> str:
        if backend == "sqlite":
            return templates.sqlite(service, tmp_path / f"{service}-{next(_numbers)}.db")
        made.append(templates.postgres(service, request.getfixturevalue("postgres")))
        return made[-1]

    yield make
    for url in made:
        drop_database(request.getfixturevalue("postgres"), url)


# --- waiting ---


async def _eventually(check: Callable[[], Any], *, within: float = 10.0, every: float = 0.02) -> Any:
    loop = asyncio.get_running_loop()
    until = loop.time() + within
    while True:
        found = check()
        if asyncio.iscoroutine(found):
            found = await found
        if found or loop.time() > until:
            return found
        await asyncio.sleep(every)


@pytest.fixture
def eventually() -> Callable[..., Awaitable[Any]]:
    """`assert await eventually(lambda: ..., within=10)`: the first true answer, or the last false one. `check` may be
    a coroutine function."""
    return _eventually
