"""Child processes that are started with a log file, waited for, ended or killed, and never outlive this process."""

import contextlib
import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class StartFailed(RuntimeError):
    """A component did not come up; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Account:
    """A user of the operating system that a child runs as."""

    name: str
    uid: int
    gid: int


class Child:
    """One process of a component, with all that it starts in turn.

    `death_signal` is what the kernel sends it when this process ends without having stopped it (Linux only). Its output
    is appended to `log`. It has its own session, so that Ctrl-C reaches only us, who stop things in order.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        account: Account | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._cwd = cwd
        self._env = dict(env) if env is not None else None
        self._account = account
        self._death_signal = death_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id; `RuntimeError` when it was never started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        if self.running:
            raise RuntimeError(f"{self.name} is already running")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = _SPAWNER.run(lambda: self._popen(log.fileno()))

    def wait_ready(self, is_ready: Callable[[], bool], *, seconds: float) -> None:
        """Ask until `is_ready`; `StartFailed` when it ends first or takes longer than `seconds` (it is then killed)."""
        until = time.monotonic() + seconds
        while not is_ready():
            if not self.running:
                raise StartFailed(f"{self.name} ended with code {self.exit_code} while starting.\n{self.last_words()}")
            if time.monotonic() > until:
                self.kill()
                raise StartFailed(f"{self.name} was not ready within {seconds:g} s.\n{self.last_words()}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM, *, seconds: float = 30.0) -> None:
        """Ask it to end and wait; after `seconds` it is killed. Does nothing when it isn't running."""
        if self._process is None or not self.running:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it and all its descendants at once, as a crash would, and wait until none is left."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        # Frozen first: while it runs it could start another child between our looking and our killing. Descendants are
        # looked up rather than killed as a group, because PostgreSQL's backends each lead a group of their own.
        process.send_signal(signal.SIGSTOP)
        _wait_until(lambda: _states().get(process.pid, (0, "Z"))[1] in "TtZX", seconds=2.0)
        family = descendants(process.pid)
        for pid in (process.pid, *family):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        if not wait_gone(family, seconds=10.0):
            raise RuntimeError(f"processes of {self.name} survived SIGKILL")

    def pause(self) -> None:
        """Stop it and its descendants where they stand, as a host that hangs would (SIGSTOP)."""
        self._tell(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on where it was stopped."""
        self._tell(signal.SIGCONT)

    def _tell(self, what: signal.Signals) -> None:
        if self.running:
            for pid in (self.pid, *descendants(self.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, what)

    def last_words(self, lines: int = 25) -> str:
        """The end of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def _popen(self, log: int) -> subprocess.Popen[bytes]:
        account = self._account
        mine = os.getpid()
        dies_by = int(self._death_signal)

        def tie_to_parent() -> None:
            # Runs after the change of user, which would otherwise clear the setting again.
            if _LIBC is not None:
                _LIBC.prctl(_PR_SET_PDEATHSIG, dies_by)
                if os.getppid() != mine:
                    os._exit(1)

        return subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=tie_to_parent if _LIBC is not None else None,
        )


class _Spawner:
    """One thread, as long-lived as this process, that starts every child.

    The kernel sends the death signal when the *thread* that started a child ends, not the process: a component started
    through `asyncio.to_thread` would otherwise die with the event loop's thread pool.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._jobs: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]
        self._jobs = queue.SimpleQueue()

    def run(self, job: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._owner != os.getpid():  # not started yet, or we are a fork, where threads don't follow
                self._owner = os.getpid()
                self._jobs = queue.SimpleQueue()
                threading.Thread(target=self._serve, name="redress-spawner", daemon=True).start()
        done: Future[subprocess.Popen[bytes]] = Future()
        self._jobs.put((job, done))
        return done.result()

    def _serve(self) -> None:
        while True:
            job, done = self._jobs.get()
            try:
                done.set_result(job())
            except Exception as error:
                done.set_exception(error)


_SPAWNER = _Spawner()


def descendants(pid: int) -> list[int]:
    """The children of `pid`, their children, and so on."""
    parents = {child: parent for child, (parent, _) in _states().items()}
    found = [pid]
    for ancestor in found:  # grows while we walk it
        found.extend(child for child, parent in parents.items() if parent == ancestor)
    return found[1:]


def wait_gone(pids: Sequence[int], *, seconds: float) -> bool:
    """Whether all of `pids` have ended within `seconds`. A zombie has: a container may have nobody to reap it."""

    def gone() -> bool:
        states = _states()
        return all(states.get(pid, (0, "X"))[1] in "ZX" for pid in pids)

    return _wait_until(gone, seconds=seconds)


def _wait_until(happens: Callable[[], bool], *, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def _states() -> dict[int, tuple[int, str]]:
    """Process id -> (parent's process id, one-letter state) of every process."""
    if not Path("/proc/self/stat").exists():
        return _states_by_ps()
    states = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                # The name in parentheses may itself hold spaces and parentheses.
                fields = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
                states[int(entry)] = (int(fields[1]), fields[0])
    return states


def _states_by_ps() -> dict[int, tuple[int, str]]:
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 2) for line in listing.splitlines())
    return {int(pid): (int(parent), state[0]) for pid, parent, state in rows}
