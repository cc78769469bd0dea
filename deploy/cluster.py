"""Everything for real on one machine: PostgreSQL, Kafka, and each service as its own HTTP and worker processes.

For developers and tests. A bank runs the same processes under its own supervisor; see `deploy/compose.yaml`.
"""

import asyncio
import base64
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx
from rich.console import Console

from deploy.infra.kafka import Kafka
from deploy.infra.ports import free_port
from deploy.infra.postgres import Postgres
from deploy.infra.processes import Child, StartFailed
from deploy.topics import configuration
from shared.events import TOPICS

PARTITIONS = 6
_FIRST_PORT = 8001
_PATIENCE = 600.0  # seconds for each step of a start: a machine may have much else to do
_NAMES = tuple(TOPICS)
_PROCESSES = (*_NAMES, *(f"{name}-worker" for name in _NAMES))


class Cluster:
    """PostgreSQL, Kafka and the services' processes, started in order, restarted when they die, stopped together.

    `children` are the services' processes by name: `intake`, `intake-worker`, ...; `ports` those of the HTTP processes,
    by the same names; a worker answers there for its health and metrics only. `source` is the folder with the code that
    they run, where it is not the one in which this process was started. `host` is where they listen. `through` starts
    them elsewhere than here, as `ip netns exec NAME` does.
    """

    host = "127.0.0.1"
    through: Sequence[str] = ()

    def __init__(
        self,
        home: Path,
        *,
        ports: Mapping[str, int] | None = None,
        desk_port: int = 8000,
        source: Path | None = None,
    ) -> None:
        self.home = home
        self.source = source
        self.ports = dict(ports) if ports else {name: _FIRST_PORT + i for i, name in enumerate(_PROCESSES)}
        self.desk_port = desk_port
        self.postgres = Postgres(home / "postgres", _kept_port(home / "postgres.port"))
        self.kafka = Kafka(home / "kafka", _kept_port(home / "kafka.port"))
        self.children: dict[str, Child] = {}

    @classmethod
    def anywhere(cls, home: Path, source: Path | None = None) -> "Cluster":
        """On free ports, for tests."""
        ports = {name: free_port() for name in _PROCESSES}
        return cls(home, ports=ports, desk_port=free_port(), source=source)

    def beside(self, source: Path) -> "Cluster":
        """The processes of another version, none of them started, on ports of their own; all else is this one's."""
        other = Cluster.anywhere(self.home, source)
        other.desk_port, other.postgres, other.kafka = self.desk_port, self.postgres, self.kafka
        other.prepare()
        return other

    def address(self, process: str) -> str:
        """Where a process answers, by its name in `ports`."""
        return f"http://{self.host}:{self.ports[process]}"

    @property
    def environment(self) -> dict[str, str]:
        """The `REDRESS_*` settings of every process; each service's own database is passed to it alone."""
        return {
            "REDRESS_HOME": str(self.home),
            "REDRESS_KAFKA": self.kafka.bootstrap,
            "REDRESS_PUBLIC_URL": f"http://127.0.0.1:{self.desk_port}/intake",
            "REDRESS_TRUSTED_PROXIES": '["127.0.0.1"]',
            **self._secrets(),
            **{f"REDRESS_DATABASE_{name.upper()}": self.postgres.url(f"redress_{name}") for name in _NAMES},
        }

    def start(self, say: Callable[[str], object] = lambda _: None) -> None:
        """Start everything and wait until every service is ready. Raises StartFailed or install.Unavailable."""
        self.start_below(say)
        say("Migrations ...")
        self.migrate()
        say("Services ...")
        self.prepare()
        for child in self.children.values():
            child.start()
        self.wait_ready(*_NAMES)

    def start_below(self, say: Callable[[str], object] = lambda _: None) -> None:
        """Start what the services stand on: PostgreSQL with their databases, Kafka with the topics."""
        self.home.mkdir(parents=True, exist_ok=True)
        say("PostgreSQL ...")
        self.postgres.start()
        for name in _NAMES:
            self.postgres.create_database(f"redress_{name}")
        say("Kafka ...")
        self.kafka.start()
        configured = configuration(replication=self.kafka.copies)
        asyncio.run(self.kafka.create_topics(dict.fromkeys(TOPICS.values(), PARTITIONS), configured))
        self._write_environment()

    def migrate(self, *, seconds: float = 3600) -> None:
        """Bring the databases up to date, which takes as long as it takes. Raises StartFailed."""
        migrate = self._child("migrate", "migrate", environment=self.environment)
        migrate.start()
        _wait(lambda: not migrate.running, seconds)
        if migrate.exit_code != 0:
            migrate.kill()
            raise StartFailed(f"the migrations failed:\n{migrate.last_words()}")

    def prepare(self) -> None:
        """Fill `children`, and start none of them."""
        for name in _PROCESSES:
            self.children[name] = self.process(name, self.ports[name])
        addresses = ",".join(f"{name}={self.address(name)}" for name in _NAMES)
        front = ("front", "--port", str(self.desk_port), "--services", addresses)
        self.children["front"] = self._child("front", *front, environment={"REDRESS_HOME": str(self.home)})

    def wait_ready(self, *services: str, seconds: float = _PATIENCE) -> None:
        """Wait until these HTTP processes are ready. Raises StartFailed."""
        for name in services:
            self.children[name].wait_ready(lambda name=name: self._answers(name), seconds=seconds)  # type: ignore[misc]

    def process(self, name: str, port: int, *, label: str = "", module: str = "deploy.cli") -> Child:
        """One of the services' processes, by its name in `ports`, not yet started. On another port, and with another
        `label`, it may run beside the first. `module` is what Python runs."""
        service = name.removesuffix("-worker")
        listens: dict[str, str] = {}
        if name == service:
            where = ("--host", self.host, "--port", str(port), "--root-path", f"/{service}")
            command: tuple[str, ...] = ("serve", service, *where)
        else:
            command, listens = ("work", service), {"REDRESS_WORKER_PORT": str(port)}
        return self._child(label or name, *command, environment=self._of(service) | listens, module=module)

    def stop(self) -> None:
        """Stop everything cleanly: HTTP first, then workers, then Kafka and PostgreSQL."""
        for child in self.children.values():
            child.stop(seconds=15)
        self.kafka.stop()
        self.postgres.stop()

    def revive(self) -> list[str]:
        """Start again whatever of the services died; the names of those."""
        dead = [name for name, child in self.children.items() if not child.running]
        for name in dead:
            self.children[name].start()
        return dead

    def watch(self, say: Callable[[str], object]) -> None:
        """Keep everything up until interrupted."""
        while True:
            time.sleep(1)
            if not self.postgres.running:
                say("PostgreSQL died; starting it again")
                self.postgres.start()
            if not self.kafka.running:
                say("Kafka died; starting it again")
                self.kafka.start()
            for name in self.revive():
                say(f"{name} died; started again")

    def _answers(self, name: str) -> bool:
        try:
            return httpx.get(f"{self.address(name)}/health/ready", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def _child(self, label: str, *command: str, environment: Mapping[str, str], module: str = "deploy.cli") -> Child:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("REDRESS_DATABASE_")}
        log = self.home / "logs" / f"{label}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        if self.source is not None:
            inherited["PYTHONPATH"] = str(self.source)
            log = log.with_stem(f"{label}-{self.source.name}")
        run = [*self.through, sys.executable, "-m", module, *command]
        return Child(label, run, log=log, cwd=self.source, env={**inherited, **environment})

    def _of(self, service: str) -> dict[str, str]:
        """Only what `service` needs: its own database, and the encryption keys for intake alone."""
        private = {"REDRESS_ENCRYPTION_KEYS", "REDRESS_PSEUDONYM_KEY"} if service != "intake" else set()
        return {
            k: v
            for k, v in self.environment.items()
            if k not in private
            and (not k.startswith("REDRESS_DATABASE_") or k == f"REDRESS_DATABASE_{service.upper()}")
        }

    def _secrets(self) -> dict[str, str]:
        """This cluster's own encryption keys, made once and kept readable by their owner alone."""
        path = self.home / "secrets"
        if not path.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            lines = f"REDRESS_ENCRYPTION_KEYS=k1:{_key()}\nREDRESS_PSEUDONYM_KEY={_key()}\n"
            lines += f"REDRESS_SESSION_KEYS=k1:{_key()}\n"
            _write_private(path, lines)
        return dict(line.split("=", 1) for line in path.read_text().splitlines())

    def _write_environment(self) -> None:
        """For the tools: `redress --env FILE keys create ...`."""
        _write_private(self.home / "environment", "".join(f"{k}={v}\n" for k, v in self.environment.items()))


def run(home: Path, console: Console, *, desk_port: int = 8000) -> int:
    """`make up-cluster`: start, say where everything is, keep it up until interrupted, stop cleanly."""
    cluster = Cluster(home, desk_port=desk_port)
    try:
        with console.status("Starting ...") as status:
            cluster.start(lambda what: status.update(f"Starting: {what}"))
        console.print(f"[bold]The cluster runs.[/bold] Health of all services: http://127.0.0.1:{desk_port}/")
        for name in _NAMES:
            console.print(f"  {name:10} {cluster.address(name)}/docs")
        console.print(f"  Kafka      {cluster.kafka.bootstrap}\n  PostgreSQL 127.0.0.1:{cluster.postgres.port}")
        environment = home / "environment"
        console.print("No key is made by itself here. Make one:")
        console.print(f"  .venv/bin/redress --env {environment} keys create phone --channel phone", soft_wrap=True)
        console.print("Logs are in " + str(home / "logs") + ". Ctrl-C stops everything.", soft_wrap=True)
        cluster.watch(console.print)
    except KeyboardInterrupt:
        console.print("Stopping ...")
    except StartFailed as error:
        console.print(str(error), markup=False)
        return 1
    finally:
        cluster.stop()
    return 0


def _wait(done: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.05)


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _kept_port(path: Path) -> int:
    """A port chosen once for this home, so that addresses stay the same over restarts."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(free_port()))
    return int(path.read_text())


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
