"""A backlog is drained while live traffic goes on: `python -m tests.bench backlog`.

The workers of reporting, routing and sla are stopped, and complaints are put into intake's tables with their events, as
its API writes them but in groups by the bare driver; intake's relay publishes them. Then those workers start again,
under the same live traffic as had been measured before with nothing waiting. An event is drained by a service once its
consumer group has committed an offset behind it, which it does only after its own database has.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from deploy.cluster import PARTITIONS
from deploy.infra.install import Unavailable
from deploy.infra.processes import StartFailed
from shared.bus.kafka import GROUP
from shared.events import TOPICS
from shared.security.crypto import MasterKeys
from tests.bench import raw, results
from tests.bench.live import Traffic
from tests.bench.machine import describe
from tests.bench.stage import Stage, at, stage

EVENTS = 1_000_000
TARGET = 2.0
"""At most: the latency of a POST while the backlog is drained, beside the one before."""
_CONSUMERS = ("reporting", "routing", "sla")
_PATIENCE = 4 * 3600.0  # seconds for a backlog to be drained


async def measure(on: Stage, *, events: int, warm: float, seconds: float, share: float) -> dict[str, Any]:
    """`seconds` of live traffic at `share` of intake's peak before, then until every consumer has drained `events`."""
    fastest = on.sent(0, warm)
    await on.until_counted(on.taken, 600)
    rate = share * len(fastest.ids) / fastest.seconds
    on.sent(rate, warm)
    before = on.sent(rate, seconds)
    await on.until_counted(on.taken, 600)
    children = on.site.cluster.children
    for name in _CONSUMERS:
        children[f"{name}-worker"].stop()
    piled = await _pile(on, events)
    ends = await _ends(on)
    began = time.monotonic()
    with on.traffic(rate, _PATIENCE) as running:
        for name in _CONSUMERS:
            children[f"{name}-worker"].start()
        drained = await _drained(on, ends, began)
        running.stop()
    await on.until_counted(on.taken + piled, _PATIENCE)
    return {
        "events": piled,
        "rate_per_second": rate,
        "before": _told(before),
        "while": _told(running.found),
        "ratio_p50": at(0.5, running.found.latencies) / at(0.5, before.latencies),
        "ratio_p99": at(0.99, running.found.latencies) / at(0.99, before.latencies),
        "drained_per_second": {name: piled / took for name, took in drained.items()},
        "others_share": on.others,
    }


async def _pile(on: Stage, events: int) -> int:
    """At least `events` events wait in Kafka; how many."""
    environment = on.site.cluster.environment
    keys = MasterKeys.parse(environment["REDRESS_ENCRYPTION_KEYS"], pseudonym_key=environment["REDRESS_PSEUDONYM_KEY"])
    url = on.site.cluster.postgres.url("redress_intake", "postgresql")
    make = raw.maker(keys, on.customers(events + raw.GROUP))
    rows, _ = await raw.on_postgres(url, _PATIENCE, most=events, make=make)
    end = time.monotonic() + _PATIENCE
    while await on.number("intake", "SELECT count(*) FROM outbox WHERE sent_at IS NULL"):
        if time.monotonic() > end:
            raise RuntimeError("the relay does not publish what waits")
        await asyncio.sleep(0.5)
    return rows


async def _ends(on: Stage) -> dict[TopicPartition, int]:
    """Behind the last event of intake, in each partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=on.site.cluster.kafka.bootstrap)
    await consumer.start()
    try:
        partitions = [TopicPartition(TOPICS["intake"], n) for n in range(PARTITIONS)]
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        return ends
    finally:
        await consumer.stop()


async def _drained(on: Stage, ends: dict[TopicPartition, int], began: float) -> dict[str, float]:
    """Seconds from `began` until each consumer had committed offsets behind `ends`. Raises RuntimeError when one never
    does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=on.site.cluster.kafka.bootstrap)
    await admin.start()
    found: dict[str, float] = {}
    try:
        while len(found) < len(_CONSUMERS):
            if time.monotonic() > began + _PATIENCE:
                raise RuntimeError(f"not drained by {set(_CONSUMERS) - set(found)}")
            for name in _CONSUMERS:
                if name not in found:
                    committed = await admin.list_consumer_group_offsets(GROUP.format(name))
                    if all(tp in committed and committed[tp].offset >= end for tp, end in ends.items()):
                        found[name] = time.monotonic() - began
            await asyncio.sleep(0.2)
    finally:
        await admin.close()
    return found


def _told(traffic: Traffic) -> dict[str, float]:
    taken = traffic.latencies
    mean = statistics.fmean(taken) * 1000
    return {"complaints": len(taken), "mean_ms": mean, "p50_ms": at(0.5, taken), "p99_ms": at(0.99, taken)}


def table(found: dict[str, Any]) -> str:
    """For people."""
    lines = [f"Kafka + PostgreSQL; {found['events']:,} events drained beside {found['rate_per_second']:.0f} POST/s"]
    for title, name in (("before", "before"), ("while draining", "while")):
        one = found[name]
        lines.append(f"  POST {title:16}p50 {one['p50_ms']:8.1f} ms   p99 {one['p99_ms']:8.1f} ms")
    for of in ("p50", "p99"):
        ratio = found[f"ratio_{of}"]
        verdict = "reached" if ratio <= TARGET else "MISSED"
        lines.append(f"  {of} is {ratio:.2f} times what it was (target {TARGET:.0f}: {verdict})")
    drained = ", ".join(f"{name} {rate:,.0f}" for name, rate in found["drained_per_second"].items())
    return "\n".join([*lines, f"  events a second: {drained}", results.told(found["others_share"])])


def main(given: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a figure cannot be had, 3 when the run is rejected as contended."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench backlog", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--warm", type=float, default=5.0, help="seconds of each rate before it counts")
    parser.add_argument("--seconds", type=float, default=60.0, help="of live traffic before the backlog")
    parser.add_argument("--share", type=float, default=0.1, help="live traffic, of intake's peak")
    parser.add_argument("--save", action="store_true", help="keep the figures for `report`")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
    asked = parser.parse_args(given)
    try:
        with stage() as on:
            how = {"events": asked.events, "warm": asked.warm, "seconds": asked.seconds, "share": asked.share}
            found = asyncio.run(measure(on, **how))
    except (Unavailable, StartFailed, RuntimeError) as error:
        print(f"backlog: {error}", file=sys.stderr)
        return 1
    print(f"\n{describe()}\n{table(found)}", file=sys.stderr if asked.json else sys.stdout)
    if asked.save:
        results.save("backlog", found["others_share"], found)
    if asked.json:
        print(json.dumps(found))
    return 0 if found["others_share"] <= results.BUSY else 3
