"""From a complaint's POST to the figure that counts it, on Kafka and PostgreSQL: `python -m tests.bench latency`.

First intake's peak, with every service running; then, once all of that is counted, live traffic at half of it. A
complaint is counted from the moment at which reporting's transaction is committed: from then on every answer of its API
has it, since figures are read from those rows and kept nowhere else. That moment is PostgreSQL's own time of the commit
(`track_commit_timestamp`), so nothing has to ask over and over, and its resolution is a microsecond.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

import asyncpg

from deploy.infra.install import Unavailable
from deploy.infra.processes import StartFailed
from tests.bench import results
from tests.bench.live import Traffic
from tests.bench.machine import describe
from tests.bench.stage import Stage, at, stage

TARGET = 10.0
"""At most: p99 beside the median."""
_RECEIVED = "com.redress.complaint.received.v1"
_PATIENCE = 600.0  # seconds for what is under way to be counted


async def measure(on: Stage, *, warm: float, peak: float, seconds: float, share: float) -> dict[str, Any]:
    """Intake's peak over `peak` seconds, and latencies over `seconds` at `share` of it."""
    on.sent(0, warm)
    await on.until_counted(on.taken, _PATIENCE)
    fastest = on.sent(0, peak)
    per_second = len(fastest.ids) / fastest.seconds
    await on.until_counted(on.taken, _PATIENCE)
    on.sent(per_second * share, warm)
    live = on.sent(per_second * share, seconds)
    await on.until_counted(on.taken, _PATIENCE)
    figures = await _until_figure(on, live)
    return {
        "peak_per_second": per_second,
        "rate_per_second": len(live.ids) / live.seconds,
        "complaints": len(figures),
        "post": _told(live.latencies),
        "figure": _told(figures),
        "ratio": at(0.99, figures) / at(0.5, figures),
        "resolution_ms": 0.001,
        "others_share": on.others,
    }


async def _until_figure(on: Stage, live: Traffic) -> list[float]:
    """Seconds from when each complaint was due to be sent until it was counted."""
    postgres = on.site.cluster.postgres
    intake = await asyncpg.connect(postgres.url("redress_intake", "postgresql"))
    reporting = await asyncpg.connect(postgres.url("redress_reporting", "postgresql"))
    try:
        told = await intake.fetch(
            "SELECT event_id, key FROM outbox WHERE type = $1 AND key = ANY($2::text[])", _RECEIVED, live.ids
        )
        of_event = {row["event_id"]: row["key"] for row in told}
        seen = await reporting.fetch(  # an inbox's row is written in the transaction that counts, and never changed
            "SELECT event_id, extract(epoch FROM pg_xact_commit_timestamp(xmin)) AS at FROM inbox "
            "WHERE event_id = ANY($1::text[])",
            list(of_event),
        )
    finally:
        await intake.close()
        await reporting.close()
    counted = {of_event[row["event_id"]]: float(row["at"]) for row in seen}
    if len(counted) != len(live.ids):
        raise RuntimeError(f"of {len(live.ids)} complaints reporting has heard of {len(counted)}")
    return [counted[id] - sent for id, sent in zip(live.ids, live.sent, strict=True)]


def _told(seconds: Sequence[float]) -> dict[str, float]:
    return {"p50_ms": at(0.5, seconds), "p99_ms": at(0.99, seconds), "longest_ms": at(1, seconds)}


def table(found: dict[str, Any]) -> str:
    """For people."""
    figure, post = found["figure"], found["post"]
    verdict = "reached" if found["ratio"] < TARGET else "MISSED"
    return "\n".join(
        [
            f"Kafka + PostgreSQL; intake's peak {found['peak_per_second']:.0f}/s, "
            f"live {found['rate_per_second']:.0f}/s, {found['complaints']} complaints",
            f"  {'POST to 201':20}p50 {post['p50_ms']:8.1f} ms   p99 {post['p99_ms']:8.1f} ms",
            f"  {'POST to figure':20}p50 {figure['p50_ms']:8.1f} ms   p99 {figure['p99_ms']:8.1f} ms",
            f"  p99 is {found['ratio']:.1f} times the median (target: under {TARGET:.0f}: {verdict})",
            results.told(found["others_share"]),
        ]
    )


def main(given: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a figure cannot be had, 3 when the run is rejected as contended."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench latency", description=__doc__)
    parser.add_argument("--warm", type=float, default=3.0, help="seconds of each rate before it counts")
    parser.add_argument("--peak", type=float, default=10.0, help="seconds at full speed")
    parser.add_argument("--seconds", type=float, default=60.0, help="at the lower rate")
    parser.add_argument("--share", type=float, default=0.5, help="of the peak")
    parser.add_argument("--save", action="store_true", help="keep the figures for `report`")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
    asked = parser.parse_args(given)
    try:
        with stage() as on:
            how = {"warm": asked.warm, "peak": asked.peak, "seconds": asked.seconds, "share": asked.share}
            found = asyncio.run(measure(on, **how))
    except (Unavailable, StartFailed, RuntimeError) as error:
        print(f"latency: {error}", file=sys.stderr)
        return 1
    print(f"\n{describe()}\n{table(found)}", file=sys.stderr if asked.json else sys.stdout)
    if asked.save:
        results.save("latency", found["others_share"], found)
    if asked.json:
        print(json.dumps(found))
    return 0 if found["others_share"] <= results.BUSY else 3
