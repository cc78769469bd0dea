"""The capacity model: what a number of complaints a day asks for of PostgreSQL, Kafka and processors.

    python -m deploy.capacity 2000 --years 7 --scans 300000

Pure arithmetic over constants that were measured (`python -m tests.bench capacity` measures them anew and says how far
the model is off). `docs/capacity.md` says when and where, and what is not in it.
"""

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.topics import RETENTION_DAYS

PROCESS_CONNECTIONS = 8
"""A process's pool (`shared.db.Database`), of which it never opens more."""
WORKER_CONNECTIONS = PROCESS_CONNECTIONS + 1
"""A worker holds one more beside the pool, by which it leads the relay or waits to."""
SPARE_CONNECTIONS = 10
"""For migrations, a backup, whoever looks."""
PASSING = frozenset({"outbox", "inbox"})
"""Tables whose rows go after `REDRESS_RETENTION_DAYS`; all others are kept for as long as the complaint is."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one complaint adds to a table, indexes included, or to a topic, where rows are messages."""

    rows: float
    bytes: float


# One complaint of the demonstration with its casework: up to six steps, a clock of the regulator's, one of the bank's.
# Measured at small sizes only, and bytes in whole pages, what idling costs in CPU (seconds): see docs/capacity.md.
TABLES: Mapping[str, Cost] = {
    "intake.audit": Cost(1.00, 205),
    "intake.complaint": Cost(1.00, 819),
    "intake.inbox": Cost(15.79, 2458),
    "intake.name_part": Cost(2.76, 1024),
    "intake.outbox": Cost(1.00, 1229),
    "intake.progress": Cost(1.00, 819),
    "intake.trait": Cost(0.90, 819),
    "routing.audit": Cost(9.29, 4096),
    "routing.case_clock": Cost(2.26, 410),
    "routing.case_entry": Cost(5.41, 2662),
    "routing.complaint_case": Cost(1.00, 3072),
    "routing.inbox": Cost(9.01, 2048),
    "routing.outbox": Cost(8.34, 7578),
    "sla.audit": Cost(2.30, 819),
    "sla.clock": Cost(2.26, 1024),
    "sla.complaint": Cost(1.00, 205),
    "sla.entry": Cost(8.22, 2048),
    "sla.handling": Cost(0.79, 614),
    "sla.inbox": Cost(7.79, 819),
    "sla.outbox": Cost(8.01, 8806),
    "sla.step": Cost(6.79, 7987),
    "reporting.complaint_text": Cost(1.00, 819),
    "reporting.customer": Cost(0.78, 614),
    "reporting.deadline_fact": Cost(6.79, 2253),
    "reporting.fact": Cost(1.00, 2458),
    "reporting.inbox": Cost(15.80, 1229),
}
MESSAGES: Mapping[str, Cost] = {
    "redress.intake.v1": Cost(1.00, 1113),
    "redress.routing.v1": Cost(8.34, 6130),
    "redress.sla.v1": Cost(8.01, 7148),
}
CPU: Mapping[str, float] = {
    "intake": 0.008,
    "intake-worker": 0.116,
    "routing": 0.111,
    "routing-worker": 0.106,
    "sla": 0.005,
    "sla-worker": 0.113,
    "reporting": 0.004,
    "reporting-worker": 0.109,
    "front": 0.009,
    "kafka": 0.098,
    "postgres": 0.131,
}
TALLY = "reporting.tally"
"""The counters of the figures: one for each combination of codes in a month. It grows ever more slowly, since
combinations come again; so this is no constant of a complaint."""
TALLY_ROWS, TALLY_GROWTH, TALLY_BYTES = 611.0, 0.824, 211.0
"""Rows of n complaints: TALLY_ROWS * n ** TALLY_GROWTH, bytes of a row."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked. `peak`: how many times the mean rate of a day the busiest minute has. `kept_years`: how long
    complaints are kept. `files`: bytes of attachments of a complaint, in the mean over all. `replicas` of Kafka.
    `headroom`: the share of a core that work may take, so that a core that fails, a backup or a rebuild finds room."""

    complaints_a_day: float
    kept_years: float = 7.0
    archive_days: int = 90
    peak: float = 10.0
    files: float = 0.0
    replicas: int = 3
    headroom: float = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What that takes. Bytes are on disk before any compression, backups and write-ahead logs not counted; `cores` by
    process; `connections` by service's database."""

    messages_a_day: float
    messages_at_peak: float
    rows: Mapping[str, float]
    bytes: Mapping[str, float]
    kafka_bytes: float
    file_bytes: float
    cores: Mapping[str, float]
    workers: Mapping[str, int]
    partitions: int
    connections: Mapping[str, int]

    @property
    def database_bytes(self) -> float:
        return sum(self.bytes.values())


def plan(load: Load) -> Plan:
    """What `load` asks for, once as many complaints are there as are kept."""
    kept = load.complaints_a_day * 365.25 * load.kept_years
    passing = load.complaints_a_day * load.archive_days
    there = {table: passing if table.partition(".")[2] in PASSING else kept for table in TABLES}
    a_second = load.complaints_a_day / 86_400 * load.peak
    messages = sum(cost.rows for cost in MESSAGES.values())
    cores = {process: seconds * a_second / load.headroom for process, seconds in CPU.items()}
    workers = {p.removesuffix("-worker"): _processes(need) for p, need in cores.items() if p.endswith("-worker")}
    serving = {service: _processes(cores.get(service, 0.0)) for service in workers}
    return Plan(
        messages_a_day=messages * load.complaints_a_day,
        messages_at_peak=messages * a_second,
        rows={table: cost.rows * there[table] for table, cost in TABLES.items()} | {TALLY: tally(kept).rows},
        bytes={table: cost.bytes * there[table] for table, cost in TABLES.items()} | {TALLY: tally(kept).bytes},
        kafka_bytes=sum(c.bytes for c in MESSAGES.values())
        * load.complaints_a_day
        * (RETENTION_DAYS + 1)  # what is past its time stays for as long as its segment is open, a day
        * load.replicas,
        file_bytes=load.files * kept,
        cores=cores,
        workers=workers,
        partitions=max(6, 2 * max(workers.values(), default=1)),  # so that workers may be doubled without a new topic
        connections={
            service: PROCESS_CONNECTIONS * serving[service] + WORKER_CONNECTIONS * count + SPARE_CONNECTIONS
            for service, count in workers.items()
        },
    )


def held(service: str, complaints: float) -> Cost:
    """All rows and bytes of a service's database that `complaints` bring, while nothing of them has gone yet."""
    mine = [cost for table, cost in TABLES.items() if table.startswith(f"{service}.")]
    found = Cost(sum(c.rows for c in mine) * complaints, sum(c.bytes for c in mine) * complaints)
    if not TALLY.startswith(f"{service}."):
        return found
    counters = tally(complaints)
    return Cost(found.rows + counters.rows, found.bytes + counters.bytes)


def tally(complaints: float) -> Cost:
    """All counters that `complaints` bring. Beyond what was measured an upper bound: codes and months are finite."""
    rows = TALLY_ROWS * complaints**TALLY_GROWTH
    return Cost(rows, rows * TALLY_BYTES)


def _processes(cores: float) -> int:
    """How many processes of one core each; two at least, so that one may fail."""
    return max(2, math.ceil(cores))


def table() -> str:
    """What one complaint costs, as `docs/capacity.md` has it."""
    lines = ["| Table or topic | Rows or messages | Bytes | Kept |", "|---|---|---|---|"]
    for name, cost in TABLES.items():
        kept = "for `REDRESS_RETENTION_DAYS`" if name.partition(".")[2] in PASSING else "as the complaint"
        lines.append(f"| `{name}` | {cost.rows:.2f} | {cost.bytes:,.0f} | {kept} |")
    for name, cost in MESSAGES.items():
        lines.append(f"| `{name}` | {cost.rows:.2f} | {cost.bytes:,.0f} | {RETENTION_DAYS} days |")
    return "\n".join(lines)


def told(load: Load) -> str:
    """The plan for people."""
    found = plan(load)
    lines = [f"{load.complaints_a_day:,.0f} complaints a day, kept for {load.kept_years:g} years"]
    lines.append(
        f"  events         {found.messages_a_day:,.0f} a day, {found.messages_at_peak:,.1f} a second at the peak"
    )
    for service in found.workers:
        size = sum(b for table, b in found.bytes.items() if table.startswith(f"{service}."))
        rows = sum(r for table, r in found.rows.items() if table.startswith(f"{service}."))
        lines.append(f"  {service:14} {rows:,.0f} rows, {size / 1e9:,.1f} GB; {found.connections[service]} connections")
    lines.append(
        f"  Kafka          {found.kafka_bytes / 1e9:,.1f} GB over all brokers; {found.partitions} partitions a topic"
    )
    lines.append(f"  files          {found.file_bytes / 1e9:,.1f} GB")
    lines.append("  cores          " + ", ".join(f"{name} {need:.2f}" for name, need in found.cores.items()))
    lines.append(
        "  processes      " + ", ".join(f"{name} {count} and {count}" for name, count in found.workers.items())
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.capacity", description=__doc__)
    parser.add_argument("complaints_a_day", type=float)
    parser.add_argument("--years", type=float, default=7.0, help="how long complaints are kept")
    parser.add_argument("--peak", type=float, default=10.0, help="the busiest minute against the mean of the day")
    parser.add_argument(
        "--scans", type=float, default=0.0, help="bytes of attachments of a complaint, in the mean over all"
    )
    parser.add_argument("--replicas", type=int, default=3, help="copies that Kafka keeps")
    given = parser.parse_args()
    load = Load(
        given.complaints_a_day, kept_years=given.years, peak=given.peak, files=given.scans, replicas=given.replicas
    )
    print(told(load))


if __name__ == "__main__":
    main()
