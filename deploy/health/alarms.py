"""Which alarms the reports and counters of the services give cause for. Pure: what is known comes in, alarms go out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from deploy.health import kinds
from deploy.health.kinds import KINDS, Kind
from deploy.health.samples import Rate
from shared.web.health import WORKER_SILENT

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm of one service. `values` fill its kind's detail: numbers, `span` in seconds, `share` of one. `since` is
    known where the report itself says how long; `of` tells several of one kind apart."""

    kind: Kind
    service: str
    values: dict[str, Any] = field(default_factory=dict)
    since: datetime | None = None
    of: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind.code, self.service, self.of


def alarms(service: str, report: Report, rate: Rate | None, now: datetime) -> list[Alarm]:
    """All that is to be said of one service, the worst first as KINDS has them."""
    found = [*_of_causes(service, report, now), *_of_checks(service, report, now)]
    if rate is not None:
        found += _of_rate(service, rate)
    found += _of_machine(service, report.get("machine", {}))
    order = list(KINDS)
    return sorted(found, key=lambda alarm: order.index(alarm.kind.code))


def _alarm(code: str, service: str, *, of: str = "", since: datetime | None = None, **values: Any) -> Alarm:
    return Alarm(KINDS[code], service, values, since, of)


def _of_causes(service: str, report: Report, now: datetime) -> Iterator[Alarm]:
    causes = {cause["code"]: cause for cause in report["causes"]}
    waiting = report["checks"].get("outbox", {}).get("depth", 0)
    if "no_answer" in causes:
        yield _alarm("service_down", service)
    if "database_away" in causes:
        yield _alarm("database_away", service, database=report.get("dependencies", {}).get("database", "database"))
    if "bus_away" in causes:
        embedded = report.get("dependencies", {}).get("bus") == "in-process"
        yield _alarm("delivery_failing" if embedded else "kafka_away", service, count=waiting)
    elif late := causes.get("outbox_waits"):  # when Kafka is away this follows from it
        since = now - timedelta(seconds=late["seconds"])
        yield _alarm("outbox_waits", service, since=since, count=late["count"], span=late["seconds"])
    if parked := causes.get("parked"):
        yield _alarm("events_parked", service, count=parked["count"])


def _of_checks(service: str, report: Report, now: datetime) -> Iterator[Alarm]:
    checks = report["checks"]
    if (workers := checks.get("workers")) is not None:
        yield from _of_workers(service, workers, report["causes"], now)
    for topic, of in lag_by_partition(checks).items():
        if (most := max(of.values(), default=0)) > kinds.LAG:
            yield _alarm("consumer_lagging", service, of=topic, count=most)
    for name, limit in (("deadlines", kinds.DEADLINES_BEHIND), ("notices", kinds.NOTICES_BEHIND)):
        seconds = checks.get(name, {}).get("behind_seconds", 0)
        if seconds > limit:
            yield _alarm(f"{name}_behind", service, since=now - timedelta(seconds=seconds), span=seconds)
    if (used := checks.get("parking", {}).get("used", 0)) > kinds.PARKING_USED:
        yield _alarm("parking_nearly_full", service, share=used)
    own = checks.get("keys", {})
    if (age := own.get("encryption", {}).get("age_seconds") or 0) > kinds.ENCRYPTION_KEY:
        yield _alarm("encryption_key_old", service, span=age)
    api = own.get("api", {})
    if (age := api.get("oldest_seconds") or 0) > kinds.API_KEY:
        yield _alarm("api_key_old", service, span=age)
    if (left := api.get("next_end_seconds")) is not None and left < kinds.API_KEY_ENDS:
        yield _alarm("api_key_ends", service, span=left)


def _of_workers(service: str, workers: Report, causes: list[Report], now: datetime) -> Iterator[Alarm]:
    silences = [worker.get("silent_seconds", 0.0) for worker in workers.values()]
    shortest = min(silences, default=None)
    if shortest is None or shortest > WORKER_SILENT:
        since = None if shortest is None else now - timedelta(seconds=shortest)
        yield _alarm("no_worker", service, since=since, span=shortest)
    elif silent := sum(cause["code"] == "worker_silent" for cause in causes):
        yield _alarm("worker_silent", service, count=silent)


def _of_rate(service: str, rate: Rate) -> Iterator[Alarm]:
    if rate.requests < kinds.ENOUGH:
        return
    if rate.error_share > kinds.ERRORS:
        yield _alarm("error_rate", service, share=rate.error_share)
    if rate.p95 is not None and rate.p95 > kinds.SLOW:
        yield _alarm("slow_answers", service, seconds=round(rate.p95, 1))


def _of_machine(service: str, machine: Report) -> Iterator[Alarm]:
    if disk := machine.get("disk"):
        share = disk["free_bytes"] / disk["total_bytes"]
        if share < kinds.DISK_FREE:
            yield _alarm("disk_nearly_full", service, share=share)
    for name, told in machine.get("certificates", {}).items():
        if "error" in told:
            yield _alarm("certificate_unreadable", service, of=name, name=name)
        elif told["remaining_seconds"] < kinds.CERTIFICATE:
            yield _alarm("certificate_ends", service, of=name, name=name, span=max(0, told["remaining_seconds"]))


def lag_by_partition(checks: Report) -> dict[str, dict[str, int]]:
    """By topic and partition, what a service's workers have still to read."""
    found: dict[str, dict[str, int]] = {}
    for worker in checks.get("workers", {}).values():
        if worker.get("silent_seconds", 0) > WORKER_SILENT:
            continue
        for topic, of in worker.get("partitions", {}).items():
            found.setdefault(topic, {}).update(of)
    return found
