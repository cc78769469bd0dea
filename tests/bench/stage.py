"""A cluster to measure on, Kafka and PostgreSQL and every service as its own process, and live traffic on it."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from deploy.cluster import Cluster
from deploy.infra.install import ROOT
from tests.bench import results
from tests.bench.live import Traffic
from tests.bench.machine import usage
from tests.chaos.sites import ClusterSite

CONNECTIONS = 32
_COUNTED = """SELECT coalesce(sum(count), 0) FROM tally WHERE series = 'm:received::state'
 AND slot = (SELECT live FROM read_model)"""


class Running:
    """Traffic under way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.found = Traffic()

    def stop(self) -> None:
        """Nothing more is sent; what is under way is still answered."""
        self._process.terminate()


class Stage:
    """The cluster; `taken`: how many complaints it has acknowledged; `others`: the largest share of the machine that
    strangers had during any traffic."""

    def __init__(self, site: ClusterSite) -> None:
        self.site = site
        self.taken = 0
        self.others = 0.0
        self._first = 0

    def customers(self, count: int) -> Iterator[int]:
        """Numbers of `count` customers that nobody has had yet, as long as there are any below a million."""
        first, self._first = self._first, self._first + count
        return (n % 1_000_000 for n in range(first, first + count))

    @contextmanager
    def traffic(self, rate: float, seconds: float) -> Iterator[Running]:
        """Live traffic meanwhile; at `rate` 0 as much as intake takes. When this is left it has ended, and what it
        found is in `found`. Raises RuntimeError where anything but a 201 was answered."""
        spec = {
            "headers": {"authorization": f"Bearer {self.site.tokens['channels']}"},
            "mark": f"live-{self._first}",
            "connections": CONNECTIONS,
            "first": self._first,
        }
        file, output = self.site.home / "live.json", self.site.home / "live.out"
        file.write_text(json.dumps(spec))
        port = self.site.cluster.ports["intake"]
        command = [sys.executable, "-m", "tests.bench.live", str(port), str(seconds), str(rate), str(file)]
        before, began = usage([]), time.perf_counter()
        with output.open("w") as out, subprocess.Popen(command, cwd=ROOT, stdout=out, text=True) as process:
            running = Running(process)
            try:
                yield running
                process.wait(seconds + 120)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise RuntimeError("the live traffic failed")
        found = running.found = Traffic(**json.loads(output.read_text()))
        self.others = max(self.others, results.foreign(before, usage([]), time.perf_counter() - began))
        self._first += len(found.ids) + 1
        self.taken += len(found.ids)
        if found.other or not found.ids:
            raise RuntimeError(f"intake did not take everything: {found.other or 'no answer'}")

    def sent(self, rate: float, seconds: float) -> Traffic:
        """All of such traffic."""
        with self.traffic(rate, seconds) as running:
            pass
        return running.found

    async def number(self, service: str, query: str) -> int:
        """The one number that `query` finds in the database of `service`."""
        connection = await asyncpg.connect(self.site.cluster.postgres.url(f"redress_{service}", "postgresql"))
        try:
            return int(await connection.fetchval(query))
        finally:
            await connection.close()

    async def until_counted(self, count: int, within: float) -> None:
        """Wait until reporting's figure is `count`. Raises RuntimeError after `within` seconds."""
        end = time.monotonic() + within
        while (found := await self.number("reporting", _COUNTED)) != count:
            if time.monotonic() > end:
                raise RuntimeError(f"reporting counts {found} complaints, not {count}")
            await asyncio.sleep(0.2)


@contextmanager
def stage() -> Iterator[Stage]:
    """A new cluster whose PostgreSQL tells when it committed what. Raises Unavailable or StartFailed."""
    with tempfile.TemporaryDirectory(prefix="redress-bench-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster.anywhere(Path(folder) / "cluster")
        try:
            cluster.postgres.start()
            asyncio.run(_tell_times(cluster))
            cluster.postgres.stop()
            cluster.start()
            site = ClusterSite(cluster)
            asyncio.run(site.make_tokens())
            yield Stage(site)
        finally:
            cluster.stop()
            cluster.kafka.destroy()
            cluster.postgres.destroy()


async def _tell_times(cluster: Cluster) -> None:
    connection = await asyncpg.connect(cluster.postgres.url("postgres", "postgresql"))
    try:
        await connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    finally:
        await connection.close()


def at(share: float, values: Sequence[float]) -> float:
    """The value below which `share` of them lie, in milliseconds."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000
