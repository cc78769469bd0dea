"""A PostgreSQL server of our own on this machine, as durable as one in production, that can be killed like one.

Anyone on this machine may log in to it as its superuser (trust on the loopback address): for development and tests.
"""

import contextlib
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from deploy.infra import install
from deploy.infra.ports import free_port
from deploy.infra.processes import Account, Child, StartFailed, wait_gone
from deploy.infra.tls import ServerTls

SUPERUSER = "redress"


class Postgres:
    """A PostgreSQL server under `home`, on 127.0.0.1. The port, when not given, is chosen once and kept.

    PostgreSQL refuses to run as root, so under root it runs as `postgres` (else `nobody`), who owns the data. Where
    that user cannot reach `home` (below a folder that only root may enter, like pytest's temporary folders), the data
    is kept elsewhere, in a folder named after `home`, and `home/data` is a link to it; `destroy` removes both.

    With `flushes=False` it does not wait for the disk. A killed process loses nothing by that, since what it wrote is
    with the operating system; a machine that goes down would.

    With `tls` it takes TLS with a client certificate alone, whose CN is who somebody is. `host` is where it listens;
    who comes from its network, which is small, is let in like those of the loopback address.

    Its methods block: call them through `asyncio.to_thread` where an event loop must go on.
    """

    def __init__(
        self,
        home: Path,
        port: int | None = None,
        *,
        flushes: bool = True,
        tls: ServerTls | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.home = home.absolute()
        self.port = port or free_port()
        self.host = host
        self._flushes = flushes
        self._tls = tls
        self._child: Child | None = None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """The server's process id; `RuntimeError` when it was never started."""
        if self._child is None:
            raise RuntimeError("PostgreSQL was not started")
        return self._child.pid

    def start(self) -> None:
        """Make the database cluster if there is none, start the server, and wait until it accepts connections.

        Raises `Unavailable` when PostgreSQL isn't installed, `StartFailed` with the end of its log when it won't start.
        """
        if self.running:
            return
        programs = _programs()
        account = _account()
        data = self._data(account)
        log = self.home / "postgres.log"
        if not (data / "PG_VERSION").exists():
            _init(programs, data, account)
            if self.host != "127.0.0.1":
                with (data / "pg_hba.conf").open("a") as rules:
                    rules.write(f"host all all {self.host}/30 trust\n")
        _await_predecessor(data)
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": "",  # a path below pytest's folders would be too long for a socket
            "max_connections": "100",
            "shared_buffers": "128MB",
            # The defaults, spelt out: what is tested here is that nothing acknowledged is ever lost.
            "fsync": "on" if self._flushes else "off",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "off",
            **(_secured(self._tls, data, account) if self._tls else {}),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._child = Child(
            "PostgreSQL",
            [str(programs / "postgres"), "-D", str(data), *options],
            log=log,
            cwd=data,
            env=_plain_environment(),
            account=account,
            death_signal=signal.SIGQUIT,  # its own way to end at once, children included; SIGKILL would orphan them
        )
        self._child.start()
        pid = self._child.pid
        self._child.wait_ready(lambda: _accepts(data, pid), seconds=60)

    def stop(self) -> None:
        """Fast shutdown: sessions are cut, transactions rolled back, everything is written."""
        if self._child is not None:
            self._child.stop(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to the server and all its backends, as when the machine's memory runs out."""
        if self._child is not None:
            self._child.kill()

    def destroy(self) -> None:
        """Kill it and remove its data, wherever that is. What a test's fixture does last."""
        self.kill()
        link = self.home / "data"
        data = Path(os.path.realpath(link))
        shutil.rmtree(data, ignore_errors=True)
        if data != link:
            link.unlink(missing_ok=True)

    def copy(self, primary: "Postgres") -> None:
        """Become a standby of `primary`, which runs: take a copy of its data, to follow it from the next start on."""
        account = _account()
        data = self._data(account)
        where = [f"--host={primary.host}", f"--port={primary.port}", f"--username={SUPERUSER}", "--no-password"]
        how = ["--checkpoint=fast", "--write-recovery-conf", "--no-sync", f"--pgdata={data}"]
        done = _run_as(account, [str(_programs() / "pg_basebackup"), *where, *how], data.parent)
        if done.returncode:
            raise StartFailed(f"pg_basebackup failed with code {done.returncode}.\n{done.stdout}{done.stderr}")

    def create_database(self, name: str) -> None:
        """Make an empty database, unless there is one of that name. Raises `RuntimeError` when it can't."""
        where = [f"--host={self.host}", f"--port={self.port}", f"--username={SUPERUSER}", "--no-password"]
        command = [str(_programs() / "createdb"), *where, "--maintenance-db=postgres", name]
        done = subprocess.run(command, env=_plain_environment(), capture_output=True, text=True, check=False)
        if done.returncode and "already exists" not in done.stderr:
            raise RuntimeError(done.stderr.strip())

    def url(self, name: str, driver: str = "postgresql+asyncpg") -> str:
        """The address of database `name`; with `driver="postgresql"` as asyncpg and psql themselves take it."""
        return f"{driver}://{SUPERUSER}@{self.host}:{self.port}/{name}"

    def _data(self, account: Account | None) -> Path:
        """Where the data is, made ready for `account`: `home/data`, or the folder that this links to."""
        self.home.mkdir(parents=True, exist_ok=True)
        link = self.home / "data"
        if link.is_symlink():
            data = link.readlink()
        elif link.exists() or account is None or _may_enter(account, self.home):
            data = link
        else:
            data = _outside(self.home)
            link.symlink_to(data)
        data.parent.mkdir(parents=True, exist_ok=True)
        return data


def _programs() -> Path:
    programs = install.find_postgres()
    if programs is None:
        raise install.Unavailable("postgres", "not installed; python -m deploy.infra.install postgres")
    return programs


def _account() -> Account | None:
    """Who PostgreSQL runs as; None: we are not root, so as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise install.Unavailable("postgres", "it refuses to run as root, and there is neither a user postgres nor nobody")


def _may_enter(account: Account, folder: Path) -> bool:
    """Whether that user can reach files in `folder`. Tried out: access lists can't be told from the mode alone."""
    tried = ["test", "-x", f"{folder}/."]
    done = subprocess.run(tried, cwd="/", user=account.uid, group=account.gid, extra_groups=[], check=False)
    return done.returncode == 0


def _outside(home: Path) -> Path:
    """A folder for the data of `home` that others can reach: temporary if `home` is, else lasting."""
    name = f"{home.name}-{hashlib.sha256(str(home).encode()).hexdigest()[:16]}"
    temporary = Path(tempfile.gettempdir()).resolve()
    if home.resolve().is_relative_to(temporary):
        return temporary / f"redress-postgres-{name}"
    return Path("/var/lib/redress/postgres") / name


def _init(programs: Path, data: Path, account: Account | None) -> None:
    """Make a database cluster, beside its place first, so that a broken-off attempt is never taken for a whole one."""
    fresh = data.with_name(f"{data.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if account is not None:
        os.chown(fresh, account.uid, account.gid)
    kind = ["--encoding=UTF8", "--locale=C", "--auth=trust", f"--username={SUPERUSER}", "--no-instructions"]
    done = _run_as(account, [str(programs / "initdb"), *kind, "-D", str(fresh)], fresh)
    if done.returncode:
        raise StartFailed(f"initdb failed with code {done.returncode}.\n{done.stdout}{done.stderr}")
    fresh.rename(data)


def _run_as(account: Account | None, command: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=folder,
        env=_plain_environment(),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        capture_output=True,
        text=True,
        check=False,
    )


def _secured(tls: ServerTls, data: Path, account: Account | None) -> dict[str, str]:
    """Settings, and what they need in `data`: copies of the files that the server may read and nobody else."""
    for name, source in (("server.crt", tls.certificate), ("server.key", tls.key), ("clients.crt", tls.ca)):
        with os.fdopen(os.open(data / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(source.read_bytes())
        if account is not None:
            os.chown(data / name, account.uid, account.gid)
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 cert\n")
    return {"ssl": "on", "ssl_ca_file": "clients.crt", "ssl_min_protocol_version": "TLSv1.2"}


def _await_predecessor(data: Path) -> None:
    """See to it that nothing is left of a server that was killed: neither a process nor a misleading pid file.

    PostgreSQL removes a stale pid file itself, unless the number in it has meanwhile been given to another process of
    the same user, as soon happens in a container that was started anew. It won't start while a backend of a killed
    server is still attached to the shared memory.
    """
    if not Path("/proc/self/stat").exists():
        return
    pid_file = data / "postmaster.pid"
    until = time.monotonic() + 10
    while left := _working_in(data):
        server = _first_number(pid_file)
        if server not in left:
            for orphan in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
        if not wait_gone(left, seconds=0.5) and time.monotonic() > until:
            raise StartFailed(f"another PostgreSQL (process {server}) is running on {data}")
    pid_file.unlink(missing_ok=True)


def _working_in(data: Path) -> list[int]:
    """The processes of a server on `data`, dead or alive: each makes the data folder its current one."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if os.path.samefile(f"/proc/{entry}/cwd", data):
                    found.append(int(entry))
    return found


def _first_number(pid_file: Path) -> int:
    try:
        return int(pid_file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return 0


def _accepts(data: Path, pid: int) -> bool:
    """Whether the server says that it is ready, where `pg_ctl --wait` looks too."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def _plain_environment() -> dict[str, str]:
    """Without the PG* variables of whoever started us, and with messages in English, because we read one of them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}
