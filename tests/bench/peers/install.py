"""A peer's own virtual environment under `.redress/peers/`, with exactly what `requirements/peers/` says."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.infra.install import ROOT, Unavailable, redress_home

_LOCK_OF = "lock.sha256"
"""Written last into an environment: which lock it was made of, and so that it is whole."""


def environment(peer: str) -> Path:
    """The folder of the programs of `peer`, installed now if it is not yet, or if its lock has changed. Raises
    `Unavailable` where it cannot be had."""
    lock = ROOT / "requirements" / "peers" / f"{peer}.lock"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    folder = redress_home() / "peers" / peer
    mark = folder / _LOCK_OF
    if not mark.exists() or mark.read_text() != digest:
        shutil.rmtree(folder, ignore_errors=True)
        _do(peer, sys.executable, "-m", "venv", str(folder))
        _do(peer, str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(lock))
        mark.write_text(digest)
    return folder / "bin"


def _do(peer: str, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(peer, (done.stderr.strip() or "it cannot be installed").splitlines()[-1])
