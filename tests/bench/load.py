"""The load: some keep-alive connections, each sending its next request when the last was answered. Where a server ends
a connection after its answer, as some workers of gunicorn do, the next request goes over a new one.

Its own process, and as light as can be, because it shares the machine with what it measures:
`python -m tests.bench.load PORT SECONDS SPEC`, where SPEC is a file of JSON `{path, headers, body, mark, connections,
warm_up, limit, pids}`. It prints one JSON object, see `Figures`.
"""

import asyncio
import gc
import json
import re
import sys
import time
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any, cast

import uvloop

from tests.bench.machine import Usage, usage

_EXPECTED = b"HTTP/1.1 201 "
_ENDS = re.compile(rb"\r\nconnection: close\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Figures:
    """One run. `answered` counts the 201s within the measured time and `taken` all of them, warm-up included; `refused`
    are other answers. Latencies in milliseconds. `server_cpu`, `own_cpu` and `other_cpu` are seconds of processor time
    of the server, of this process and of strangers."""

    answered: int
    taken: int
    refused: int
    seconds: float
    p50: float
    p99: float
    longest: float
    server_cpu: float
    own_cpu: float
    other_cpu: float
    first_refusal: str = ""


class Run:
    """What all connections share: the requests' parts, the numbers, the latencies."""

    def __init__(self, port: int, head: bytes, tail: bytes, mark: str) -> None:
        self.port, self.head, self.tail, self.mark, self.limit = port, head, tail, mark, sys.maxsize
        self.numbers = count()
        self.latencies: list[float] = []
        self.taken = self.refused = 0
        self.first_refusal = ""
        self.stopping = False
        self.lost: Exception | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.stopping or self.taken + self.refused >= self.limit

    def request(self) -> bytes:
        return b"%b%b-%012d%b" % (self.head, self.mark.encode(), next(self.numbers), self.tail)


class Connection(asyncio.Protocol):
    """Sends, awaits the whole answer, sends again."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._buffer = b""
        self._sent = 0.0
        self._open = True
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        if self._run.finished:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(self._run.request())

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        at = buffer.find(b"ontent-", 0, end)  # servers write it with a small letter or a large one
        while at >= 0 and buffer[at - 1 : at + 15].lower() != b"content-length: ":
            at = buffer.find(b"ontent-", at + 7, end)
        if end < 0 or at < 0 or len(buffer) < end + 4 + int(buffer[at + 15 : buffer.index(b"\r\n", at)]):
            self._buffer = buffer
            return
        self._buffer = b""
        run = self._run
        if buffer.startswith(_EXPECTED):
            run.taken += 1
            run.latencies.append(time.perf_counter() - self._sent)
        else:
            run.refused += 1
            run.first_refusal = run.first_refusal or buffer[:600].decode("utf-8", "replace")
        self._open = not _ENDS.search(buffer, 0, end + 2)
        if self._open:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._open and error is None and not self._run.finished:
            self._again = asyncio.create_task(self._connect_again())
            return
        self._run.lost = self._run.lost or error
        if not self.done.done():
            self.done.set_result(None)

    async def _connect_again(self) -> None:
        self._open = True
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._run.port)
        except OSError as error:
            self.connection_lost(error)


async def drive(port: int, seconds: float, spec: dict[str, Any]) -> Figures:
    """Load 127.0.0.1:`port` for `seconds` after the warm-up. Raises ConnectionError when the server goes away."""
    body = spec["body"].encode()
    lines = [f"POST {spec['path']} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in spec["headers"].items()]
    head = "\r\n".join([*lines, f"content-length: {len(body)}", "idempotency-key: "]).encode()
    run = Run(port, head, b"\r\n\r\n" + body, spec["mark"])
    pids: list[int] = spec["pids"]
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: Connection(run), "127.0.0.1", port))[1]
        for _ in range(spec["connections"])
    ]
    await asyncio.wait([c.done for c in connections], timeout=spec["warm_up"])
    warm = run.taken
    run.latencies.clear()
    run.limit = warm + spec["limit"]
    before, began = usage(pids), time.perf_counter()
    await asyncio.wait([c.done for c in connections], timeout=seconds)
    elapsed, after = time.perf_counter() - began, usage(pids)
    answered, latencies = run.taken - warm, sorted(run.latencies)
    run.stopping = True
    await asyncio.wait([c.done for c in connections], timeout=10)
    if run.lost:
        raise ConnectionError(str(run.lost))
    return _figures(run, answered, elapsed, latencies, after - before)


def _figures(run: Run, answered: int, elapsed: float, latencies: list[float], used: Usage) -> Figures:
    def at(share: float) -> float:
        return latencies[min(len(latencies) - 1, int(len(latencies) * share))] * 1000 if latencies else 0.0

    return Figures(
        answered=answered,
        taken=run.taken,
        refused=run.refused,
        seconds=elapsed,
        p50=at(0.5),
        p99=at(0.99),
        longest=at(1),
        server_cpu=used.watched,
        own_cpu=used.own,
        other_cpu=used.others,
        first_refusal=run.first_refusal,
    )


def main() -> None:
    port, seconds, spec = int(sys.argv[1]), float(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(drive(port, seconds, spec)))))


if __name__ == "__main__":
    main()
