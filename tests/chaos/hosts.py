"""A second host on this machine: a network namespace whose cable to Kafka and PostgreSQL can be cut, each way alone.

What is cut drops everything without a word, as a broken switch does; nobody is told that a connection has ended.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Way = Literal["both", "out", "in"]


@dataclass(frozen=True, slots=True)
class Host:
    """`name` of the namespace. `ours` and `theirs` are the two ends of the cable that can be cut, addresses on this
    side and on that; `door` is where its own clients reach it, by another cable."""

    name: str
    ours: str
    theirs: str
    door: str
    links: tuple[str, str]

    @property
    def through(self) -> tuple[str, ...]:
        """What runs a command there."""
        return ("ip", "netns", "exec", self.name)

    def cut(self, way: Way) -> None:
        """`out`: nothing that it sends arrives; `in`: nothing that is sent to it arrives."""
        here, there = self.links
        if way in ("both", "out"):
            _run(*self.through, "tc", "qdisc", "replace", "dev", there, "root", "pfifo", "limit", "0")
        if way in ("both", "in"):
            _run("tc", "qdisc", "replace", "dev", here, "root", "pfifo", "limit", "0")

    def mend(self) -> None:
        here, there = self.links
        for device in ((*self.through, "tc", "qdisc", "del", "dev", there), ("tc", "qdisc", "del", "dev", here)):
            subprocess.run([*device, "root"], capture_output=True, check=False)  # there may be none


@contextmanager
def host(number: int) -> Iterator[Host | None]:
    """A second host, on networks that bear `number` (1 to 250); None where the machine does not permit it."""
    id = f"{os.getpid() % 100_000}"
    name = f"redress-{id}"
    cables = {f"ra{id}": (f"rb{id}", f"10.213.{number}"), f"rc{id}": (f"rd{id}", f"10.214.{number}")}
    try:
        try:
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
            for here, (there, network) in cables.items():
                _run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
                _run("ip", "addr", "add", f"{network}.1/30", "dev", here)
                _run("ip", "link", "set", here, "up")
                _run("ip", "-n", name, "addr", "add", f"{network}.2/30", "dev", there)
                _run("ip", "-n", name, "link", "set", there, "up")
        except (OSError, subprocess.CalledProcessError):
            yield None
            return
        data, door = f"10.213.{number}", f"10.214.{number}"
        yield Host(name, f"{data}.1", f"{data}.2", f"{door}.2", (f"ra{id}", f"rb{id}"))
    finally:
        for gone in (("ip", "netns", "del", name), *(("ip", "link", "del", here) for here in cables)):
            subprocess.run(gone, capture_output=True, check=False)


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True)
