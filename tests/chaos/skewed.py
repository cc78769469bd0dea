"""Runs `redress` on a clock of its own: `python -m tests.chaos.skewed up ...`.

The file that `FAULT_CLOCK` names holds by how many seconds it is off; whoever writes it makes the clock jump. It is
the clock of the whole process, of its ids as of its deadlines, and what waits goes on waiting (that is measured by
another clock, as on a host whose time is set).
"""

import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import time_machine

from deploy.cli import main

OFFSET = "FAULT_CLOCK"


def jump(file: Path, seconds: float) -> None:
    """Have the clock of whoever reads `file` be off by so many seconds, soon."""
    new = file.with_suffix(".new")
    new.write_text(str(seconds))
    new.replace(file)


def _follow(file: Path, clock: time_machine.Traveller) -> None:
    off = 0.0
    while True:
        wanted = float(file.read_text())
        if wanted != off:
            clock.shift(wanted - off)
            off = wanted
        time.sleep(0.02)


if __name__ == "__main__":
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        threading.Thread(target=_follow, args=(Path(os.environ[OFFSET]), clock), daemon=True).start()
        main()
