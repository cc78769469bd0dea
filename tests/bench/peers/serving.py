"""What the peers have in common: a script that prepares them, and gunicorn with one worker process of its usual kind.

Both name gunicorn in their documentation. Its usual worker takes one request after the other and ends the connection
after each; 32 connections queue, and each connects anew, as they would behind the proxy that both advise.
"""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from deploy.infra.ports import free_port
from deploy.infra.processes import Child, StartFailed
from tests.bench.sample import body

SITE = Path(__file__).parent / "site"
_PATIENCE = 600.0  # seconds for tables to be made


def text() -> str:
    """What the one complaint says."""
    said: str = json.loads(body())["narrative"]
    return said


def prepared(programs: Path, script: str, settings: Mapping[str, str], home: Path) -> str:
    """Run `script` of `SITE` with the peer's own Python; what it printed last, its token. Raises StartFailed."""
    done = subprocess.run(
        [str(programs / "python"), str(SITE / script)],
        cwd=home,
        env=_environment(settings),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode:
        raise StartFailed(f"{script} failed:\n{done.stderr[-2000:]}")
    return done.stdout.split()[-1]


def served(name: str, programs: Path, app: str, settings: Mapping[str, str], home: Path) -> tuple[Child, int]:
    """`app` by gunicorn, accepting connections; its port. Raises StartFailed."""
    port = free_port()
    options = ["--workers=1", "--timeout=60", "--no-control-socket"]  # that socket would lie in the user's own folder
    command = [str(programs / "gunicorn"), *options, f"--bind=127.0.0.1:{port}", app]
    child = Child(name, command, log=home / f"{name}.log", cwd=home, env=_environment(settings))
    child.start()
    try:
        child.wait_ready(lambda: _accepts(port), seconds=120)
    except BaseException:
        child.stop(signal.SIGTERM)
        raise
    return child, port


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Without what is meant for us, or for another Python."""
    unwanted = ("REDRESS_", "BENCH_", "PYTHON", "VIRTUAL_ENV", "PG")
    return {k: v for k, v in os.environ.items() if not k.startswith(unwanted)} | dict(settings)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True
