"""What the machine did meanwhile, from /proc: the processor time of what we watch, and of strangers."""

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of processor time: the first watched process (the server), this one, and all that is neither watched
    nor this one nor the kernel's own. All 0 where there is no /proc."""

    watched: float
    own: float
    others: float

    def __sub__(self, before: "Usage") -> "Usage":
        return Usage(self.watched - before.watched, self.own - before.own, max(0.0, self.others - before.others))


def usage(pids: list[int]) -> Usage:
    """So far. `pids`: the server, then whatever else is ours; the children of each belong to it."""
    if sys.platform != "linux":
        return Usage(0.0, 0.0, 0.0)
    parents, spent = _processes()
    ours = {pid for pid in spent if _is_below(pid, {*pids, os.getpid()}, parents)}
    others = sum(seconds for pid, seconds in spent.items() if pid not in ours and not _is_below(pid, {2}, parents))
    return Usage(spent.get(pids[0], 0.0) if pids else 0.0, spent.get(os.getpid(), 0.0), others)


def _processes() -> tuple[dict[int, int], dict[int, float]]:
    """Each process's parent, and the seconds that it and the children it has waited for have used."""
    parents, spent = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry)] = int(fields[1])
            spent[int(entry)] = sum(map(int, fields[11:15])) / _TICK
    return parents, spent


def _is_below(pid: int, roots: set[int], parents: dict[int, int]) -> bool:
    while pid > 0:
        if pid in roots:
            return True
        pid = parents.get(pid, 0)
    return False


def describe() -> str:
    """The machine in a few words, to stand beside its figures."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def seconds_below(pid: int) -> float:
    """Processor time so far of `pid` and all that lives below it. 0 where there is no /proc."""
    if sys.platform != "linux":
        return 0.0
    parents, spent = _processes()
    return sum(seconds for one, seconds in spent.items() if _is_below(one, {pid}, parents))
