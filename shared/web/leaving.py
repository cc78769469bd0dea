"""Whether this process is about to stop.

It still answers whoever asks, says that it is not ready, so that a load balancer asks others, and ends the connections
that callers would keep: one that is closed under a request would lose it.
"""

_told = False


def arrive() -> None:
    """The process begins to serve, or has ended doing so."""
    global _told
    _told = False


def tell() -> None:
    """From now on everybody hears of it."""
    global _told
    _told = True


def told() -> bool:
    return _told
