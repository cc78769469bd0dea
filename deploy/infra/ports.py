"""Ports for servers that are started, killed and started again on one machine."""

import random
import socket
from pathlib import Path

_LOWEST = 15_000
_given_out: set[int] = set()
_share = (0, 1)


def take_share(which: int, of: int) -> None:
    """Hand out only every `of`-th port, counted from `which`: of processes side by side, none is given a port whose
    server another one has just stopped and is about to start again."""
    global _share  # as `_given_out`, it belongs to the process
    _share = (which, of)


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on and that this process has not been given before.

    It lies below the ports that the kernel lends to outgoing connections. Otherwise a client that keeps retrying while
    its server is down could be lent that very port, connect to itself, and keep the server from coming back.
    """
    candidates = list(range(_LOWEST + _share[0], _first_lent_port(), _share[1]))
    random.shuffle(candidates)
    for port in candidates:
        if port in _given_out:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given_out.add(port)
        return port
    raise OSError("no free TCP port on 127.0.0.1")


def _first_lent_port() -> int:
    usual = 32_768
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return usual
    return first if first > _LOWEST + 1_000 else usual
