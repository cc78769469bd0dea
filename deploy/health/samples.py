"""How many requests a service answers, how many fail, how long they take: from its counters, read again and again."""

import itertools
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

REQUESTS = "redress_http_requests_total"
SECONDS = "redress_http_request_seconds_bucket"
NAMES = (REQUESTS, SECONDS)
KEPT = 61  # readings: ten minutes at one every ten seconds
WINDOW = 60.0  # seconds over which the figures of this moment are made

_LINE = re.compile(rf"({REQUESTS}|{SECONDS})\{{(.*)\}} (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_NOT_WORK = ("/health/", "/metrics", "/static")


@dataclass(frozen=True, slots=True)
class Reading:
    """A service's counters `at` a moment in seconds. `buckets` are cumulative counts by upper limit in seconds."""

    at: float
    requests: float
    errors: float
    buckets: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Rate:
    """What happened between two readings. `p50` and `p95` are in seconds; None where nothing was asked."""

    requests: float
    errors: float
    per_second: float
    p50: float | None
    p95: float | None

    @property
    def error_share(self) -> float:
        return self.errors / self.requests if self.requests else 0.0


def read(text: str, service: str, at: float) -> Reading:
    """The counters of `service` in `text`, in Prometheus's format; its health and metrics are no work of its own."""
    requests = errors = 0.0
    buckets: dict[float, float] = {}
    for name, labels, value in _LINE.findall(text):
        found = dict(_LABEL.findall(labels))
        if found.get("service") != service or found.get("route", "").startswith(_NOT_WORK):
            continue
        if name == SECONDS:
            limit = float(found["le"])
            buckets[limit] = buckets.get(limit, 0.0) + float(value)
            continue
        requests += float(value)
        errors += float(value) if found.get("status", "").startswith("5") else 0.0
    return Reading(at, requests, errors, tuple(sorted(buckets.items())))


def between(first: Reading, last: Reading) -> Rate:
    """What happened between two readings; a process that began anew counts from nothing."""
    if last.requests < first.requests:
        first = Reading(first.at, 0.0, 0.0, ())
    before = dict(first.buckets)
    grown = [(limit, count - before.get(limit, 0.0)) for limit, count in last.buckets]
    requests = last.requests - first.requests
    passed = max(last.at - first.at, 0.001)
    return Rate(requests, last.errors - first.errors, requests / passed, quantile(grown, 0.5), quantile(grown, 0.95))


def quantile(buckets: Sequence[tuple[float, float]], share: float) -> float | None:
    """As Prometheus's `histogram_quantile`: evenly within a bucket; the highest limit when it lies beyond."""
    total = buckets[-1][1] if buckets else 0.0
    if total <= 0:
        return None
    rank, low, below = share * total, 0.0, 0.0
    for limit, count in buckets:
        if count >= rank:
            if limit == float("inf"):
                return low
            return low + (limit - low) * ((rank - below) / (count - below) if count > below else 1.0)
        low, below = limit, count
    return low


class Series:
    """The latest readings of one service."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=KEPT)

    def add(self, reading: Reading) -> None:
        self._readings.append(reading)

    def lately(self) -> Rate | None:
        """What happened within the last minute; None before there are two readings."""
        if len(self._readings) < 2:
            return None
        last = self._readings[-1]
        first = next(r for r in self._readings if last.at - r.at <= WINDOW)
        return between(first if first is not last else self._readings[-2], last)

    def course(self) -> list[Rate]:
        """From reading to reading, the oldest first."""
        return [between(first, last) for first, last in itertools.pairwise(self._readings)]
