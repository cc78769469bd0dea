"""What a complaint costs on PostgreSQL and Kafka, measured at several sizes and held against the model of
`deploy.capacity`: `python -m tests.bench capacity`.

A cluster of its own is started, the demonstration's complaints are sent and their cases worked; at each size, once
everything has been heard by everybody, rows, bytes, messages and processor time are counted and what was there before
the first complaint is taken off.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console

from deploy import capacity
from deploy.cluster import Cluster
from deploy.demo.run import run as send
from deploy.infra.install import Unavailable
from deploy.registry import SERVICES
from shared.clock import utcnow
from shared.db import Database
from shared.events import TOPICS
from shared.security import keys
from shared.security.keys import NewKey
from shared.security.principal import Role, Scope
from tests.bench.machine import describe, seconds_below

SIZES = (500, 2_000, 5_000)
TOLERANCE = 0.20
"""How far a figure may lie from what the model says."""
_KEYS = {
    "import": NewKey("bench-import", scopes=(Scope.WRITE, Scope.READ, Scope.IMPORT)),
    **{role.value: NewKey(f"bench-{role}", roles=[role]) for role in Role},
}
_QUIET = 10.0  # seconds without a new row or message, after which everything counts as heard
_COUNT = """
SELECT relname, pg_total_relation_size(oid) AS bytes FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


@dataclass(slots=True)
class Counted:
    """What there is at one size. `rows` and `bytes` by `service.table`, `messages` and `log` (bytes) by topic, `cpu`
    seconds by process. Bytes are those of tables with their indexes, straight after a VACUUM."""

    complaints: int
    rows: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    messages: dict[str, int] = field(default_factory=dict)
    log: dict[str, int] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    def beyond(self, start: "Counted") -> "Counted":
        """What came on top of `start`."""
        return Counted(
            self.complaints - start.complaints,
            *(
                {name: value - getattr(start, of).get(name, 0) for name, value in getattr(self, of).items()}
                for of in ("rows", "bytes", "messages", "log", "cpu")
            ),
        )


async def count(cluster: Cluster, complaints: int) -> Counted:
    """Everything there is in `cluster`, as it stands."""
    found = Counted(complaints)
    for service in SERVICES:
        connection = await asyncpg.connect(cluster.postgres.url(f"redress_{service}", driver="postgresql"))
        try:
            await connection.execute("VACUUM ANALYZE")
            for table, size in await connection.fetch(_COUNT):
                name = f"{service}.{table}"
                found.rows[name] = await connection.fetchval(f'SELECT count(*) FROM "{table}"')
                found.bytes[name] = size
        finally:
            await connection.close()
    found.messages = await _messages(cluster.kafka.bootstrap)
    for topic in TOPICS.values():
        logs = (cluster.home / "kafka" / "data").glob(f"{topic}-*/*.log")
        found.log[topic] = sum(file.stat().st_size for file in logs)
    processes = {name: child.pid for name, child in cluster.children.items()}
    processes |= {"kafka": cluster.kafka.pid, "postgres": cluster.postgres.pid}
    found.cpu = {name: seconds_below(pid) for name, pid in processes.items()}
    return found


async def _messages(bootstrap: str) -> dict[str, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        cluster = await consumer._client.fetch_all_metadata()  # its own view holds only what it has been asked for
        every = [TopicPartition(t, p) for t in TOPICS.values() for p in (cluster.partitions_for_topic(t) or ())]
        found = dict.fromkeys(TOPICS.values(), 0)
        for partition, end in (await consumer.end_offsets(every)).items():
            found[partition.topic] += end
        return found
    finally:
        await consumer.stop()


async def settle(cluster: Cluster) -> None:
    """Wait until nothing waits to be sent, and nothing new has come for a while."""
    before: tuple[Any, ...] = ()
    quiet = 0.0
    while quiet < _QUIET:
        await asyncio.sleep(2)
        now: list[Any] = [tuple((await _messages(cluster.kafka.bootstrap)).values())]
        for service in SERVICES:
            connection = await asyncpg.connect(cluster.postgres.url(f"redress_{service}", driver="postgresql"))
            try:
                waiting = "SELECT count(*), count(*) FILTER (WHERE sent_at IS NULL) FROM outbox"
                now += [
                    tuple(await connection.fetchrow(waiting)),
                    await connection.fetchval("SELECT count(*) FROM inbox"),
                ]
            finally:
                await connection.close()
        quiet = quiet + 2 if tuple(now) == before else 0.0
        before = tuple(now)


async def make_keys(cluster: Cluster) -> dict[str, str]:
    """A key for importing at intake, and one of each role everywhere."""
    tokens: dict[str, str] = {}
    found = {
        name: Database(name, cluster.postgres.url(f"redress_{name}"), service.tables)
        for name, service in SERVICES.items()
    }
    try:
        for name, new in _KEYS.items():
            id, tokens[name] = keys.mint()
            for service, db in found.items():
                if new.roles or service == "intake":
                    async with db.transaction() as tx:
                        tables = SERVICES[service].tables
                        await keys.store(tx, tables, new, id=id, token=tokens[name], actor="bench", now=utcnow())
    finally:
        for db in found.values():
            await db.close()
    return tokens


async def fill(cluster: Cluster, sizes: Sequence[int], keep: Callable[[list[Counted]], object]) -> list[Counted]:
    """What there is before the first complaint, and at each of `sizes`, told to `keep` as it is counted. Raises
    RuntimeError when the desk refuses."""
    tokens = await make_keys(cluster)
    await settle(cluster)
    counted = [await count(cluster, 0)]
    until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    done = 0
    for seed, size in enumerate(sizes, start=1):
        report = await send(
            cluster.address("intake"),
            tokens["import"],
            count=size - done,
            seed=seed,
            until=until,
            console=Console(stderr=True, quiet=True),
            staff_key=tokens["officer"],
            approver_keys=[tokens["supervisor"], tokens["manager"]],
            routing_url=cluster.address("routing"),
        )
        if report.exit_code:
            trouble = report.trouble or (report.casework and report.casework.trouble)
            raise RuntimeError(f"the desk would not take all: {trouble or report.refused} {report.casework}")
        done = size
        await settle(cluster)
        counted.append(await count(cluster, done))
        keep(counted)
        print(f"{done:,} complaints are there", file=sys.stderr, flush=True)
    return counted


def measure(sizes: Sequence[int], keep: Callable[[list[Counted]], object]) -> list[Counted]:
    """As `fill`, on a cluster of its own. Raises Unavailable where PostgreSQL or Kafka is not to be had."""
    with tempfile.TemporaryDirectory(prefix="redress-bench-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster.anywhere(Path(folder))
        try:
            cluster.start()
            return asyncio.run(fill(cluster, sizes, keep))
        finally:
            cluster.stop()
            cluster.postgres.destroy()


@dataclass(frozen=True, slots=True)
class Compared:
    """A measured figure and what the model says of it."""

    what: str
    measured: float
    modelled: float

    @property
    def off(self) -> float:
        """How far the model is from what was measured, as a share of it."""
        return abs(self.modelled / self.measured - 1) if self.measured else float(self.modelled > 0)

    def __str__(self) -> str:
        ratio = self.modelled / self.measured if self.measured else 0.0
        return f"{self.what:28} measured {self.measured:14,.0f}  model {self.modelled:14,.0f}  ({ratio:.2f})"


def compare(found: Counted) -> list[Compared]:
    """What came with `found.complaints` complaints, service by service and topic by topic, against the model."""
    result = []
    for service in SERVICES:
        for what, values in (("rows", found.rows), ("bytes", found.bytes)):
            measured = sum(v for name, v in values.items() if name.startswith(f"{service}."))
            modelled = capacity.held(service, found.complaints)
            result.append(Compared(f"{service} {what}", measured, getattr(modelled, what)))
    for topic, number in found.messages.items():
        model = capacity.MESSAGES.get(topic, capacity.Cost(0, 0))
        result.append(Compared(f"{topic} messages", number, model.rows * found.complaints))
        result.append(Compared(f"{topic} bytes", found.log[topic], model.bytes * found.complaints))
    return result


def constants(found: Counted) -> str:
    """What was measured of one complaint, as the model has it."""
    each = found.complaints
    lines = ["TABLES = {"]
    for name, rows in found.rows.items():
        if name != capacity.TALLY and rows >= each / 20:
            lines.append(f'    "{name}": Cost({rows / each:.2f}, {found.bytes[name] / each:.0f}),')
    lines += ["}", "MESSAGES = {"]
    for name, number in found.messages.items():
        if number:
            lines.append(f'    "{name}": Cost({number / each:.2f}, {found.log[name] / each:.0f}),')
    lines += ["}", "CPU = {", *(f'    "{name}": {spent / each:.4f},' for name, spent in found.cpu.items()), "}"]
    return "\n".join(lines)


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print, compare; 1 when a figure lies further from the model than `TOLERANCE`."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench capacity", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--json", type=Path, help="write what was counted to this file")
    parser.add_argument("--counted", type=Path, help="compare what such a file holds, instead of measuring")
    wanted = parser.parse_args(sys.argv[1:] if given is None else given)

    def keep(counted: list[Counted]) -> None:
        if wanted.json:
            wanted.json.write_text(json.dumps([asdict(one) for one in counted], indent=1))

    try:
        if wanted.counted:
            counted = [Counted(**one) for one in json.loads(wanted.counted.read_text())]
        else:
            counted = measure(sorted(wanted.sizes), keep)
    except (Unavailable, RuntimeError) as error:
        print(f"capacity: {error}", file=sys.stderr)
        return 1
    print(describe())
    start, *sizes = counted
    far = 0
    for size in sizes:
        print(f"\n{size.complaints:,} complaints")
        for one in compare(size.beyond(start)):
            wrong = one.off > TOLERANCE
            far += wrong
            print(f"  {one}{'  TOO FAR' if wrong else ''}")
    print(f"\nOf one complaint:\n{constants(sizes[-1].beyond(start))}")
    return 1 if far else 0


if __name__ == "__main__":
    sys.exit(main())
