"""Set up what a fresh machine lacks: `.venv` with the locked packages. Standard library only; Python 3.11 or later.

Run by the Makefile. Does nothing when the lock files have not changed since the last run.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"


def main(argv: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - the one file that an older Python may run
        sys.stderr.write(f"Redress needs Python 3.11 or later; this is {sys.version.split()[0]}.\n")
        return 1
    name = "dev" if "--dev" in argv else "run"
    lock = ROOT / "requirements" / f"{name}.lock"
    wanted = _digest(lock)
    stamps = {kind: VENV / f".redress-{kind}" for kind in ("run", "dev")}
    if _holds(stamps[name], wanted):
        return 0
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        sys.stdout.write("Making .venv ...\n")
        venv.EnvBuilder(with_pip=True, clear=VENV.exists()).create(VENV)
    sys.stdout.write(f"Installing the locked packages ({name}); the first time takes a minute ...\n")
    sys.stdout.flush()
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "install"]
    for step in (
        [*pip, "--require-hashes", "-r", str(lock)],
        [*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
    ):
        done = subprocess.run(step, cwd=ROOT, check=False)
        if done.returncode:
            sys.stderr.write("Setting up failed: pip's message is above. Nothing else was changed; run it again.\n")
            return done.returncode
    stamps["run"].write_text(_digest(ROOT / "requirements" / "run.lock"))  # dev holds all of run
    stamps[name].write_text(wanted)
    return 0


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()


def _holds(stamp: Path, wanted: str) -> bool:
    return stamp.exists() and stamp.read_text() == wanted


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
