"""Live traffic: complaints that come at a steady rate, whether or not the ones before have been answered.

Its own process: `python -m tests.bench.live PORT SECONDS RATE SPEC`, where SPEC is a file of JSON `{headers, mark,
connections, first}`; `first` numbers the first customer. It ends after SECONDS, or earlier by SIGTERM, and prints one
JSON object, see `Traffic`. A latency counts from the moment at which a complaint was due, so that a server that makes
the next one wait does not hide it. At RATE 0 each connection sends its next one when the last was answered.
"""

import asyncio
import gc
import json
import re
import signal
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import uvloop

from tests.bench.sample import body

_CUSTOMER = b"C-000001"
_ID = re.compile(rb'"id":"([0-9a-f-]{36})"')
_PATIENCE = 60.0  # seconds after the end for what is still under way


@dataclass(slots=True)
class Traffic:
    """`sent`: seconds since 1970 at which each complaint was due; `latencies`: seconds until its answer; `ids`: what
    it was given; `other`: the first answer that was no 201; `seconds`: how long it went on."""

    sent: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    other: str = ""
    seconds: float = 0.0


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, sender: "Sender") -> None:
        self._sender = sender
        self._buffer = b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        at = self._buffer.find(b"content-length: ", 0, end)
        if end >= 0 and at >= 0:
            length = int(self._buffer[at + 16 : self._buffer.index(b"\r\n", at)])
            if len(self._buffer) >= end + 4 + length:
                answer, self._buffer = self._buffer, b""
                self._sender.answered(self, answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._sender.lost(error)


class Sender:
    """Hands due complaints to connections that are free; those that find none wait in line."""

    def __init__(self, rate: float, spec: dict[str, Any]) -> None:
        sample = body()
        lines = ["POST /v1/complaints HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in spec["headers"].items()]
        self._head = "\r\n".join([*lines, f"content-length: {len(sample)}", "idempotency-key: "]).encode()
        self._before, self._after = sample.split(_CUSTOMER)
        self._mark, self._number = spec["mark"], spec["first"]
        self._rate = rate
        self._free: list[Connection] = []
        self._waiting: deque[float] = deque()
        self._under_way = 0
        self._ended = False
        self._stop = asyncio.Event()
        self.traffic = Traffic()

    async def run(self, port: int, seconds: float, connections: int) -> Traffic:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        made = [await loop.create_connection(lambda: Connection(self), "127.0.0.1", port) for _ in range(connections)]
        self._free = [protocol for _, protocol in made]
        self._offset = time.time() - time.perf_counter()
        due = began = time.perf_counter()
        while not self._stop.is_set() and (now := time.perf_counter()) < began + seconds:
            while self._rate and due <= now:
                self._waiting.append(due)
                due += 1 / self._rate
            self._hand_out()
            pause = due - time.perf_counter() if self._rate else 0.05
            await asyncio.sleep(min(max(pause, 0.0), 0.05))
        self._ended, ended = True, time.perf_counter()
        self.traffic.seconds = ended - began
        while (self._waiting or self._under_way) and time.perf_counter() < ended + _PATIENCE:
            self._hand_out()  # what was due is still sent
            await asyncio.sleep(0.01)
        for connection in self._free:
            connection.transport.close()
        return self.traffic

    def _hand_out(self) -> None:
        while self._free and (self._waiting or not (self._rate or self._ended)):
            connection = self._free.pop()
            connection.due = self._waiting.popleft() if self._waiting else time.perf_counter()
            self._number += 1
            customer = b"C-%06d" % (self._number % 1_000_000)
            key = f"{self._mark}-{self._number}\r\n\r\n".encode()
            connection.transport.write(self._head + key + self._before + customer + self._after)
            self._under_way += 1

    def answered(self, connection: Connection, answer: bytes) -> None:
        now, found = time.perf_counter(), _ID.search(answer)
        self._under_way -= 1
        if answer.startswith(b"HTTP/1.1 201 ") and found:
            self.traffic.sent.append(self._offset + connection.due)
            self.traffic.latencies.append(now - connection.due)
            self.traffic.ids.append(found[1].decode())
        else:
            self.traffic.other = self.traffic.other or answer[:600].decode("utf-8", "replace")
        self._free.append(connection)
        self._hand_out()

    def lost(self, error: Exception | None) -> None:
        if not self._ended or self._under_way:
            self.traffic.other = self.traffic.other or f"a connection was lost: {error}"
            self._stop.set()


def main() -> None:
    port, seconds, rate = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    spec = json.loads(Path(sys.argv[4]).read_text())

    async def sent() -> Traffic:
        return await Sender(rate, spec).run(port, seconds, spec["connections"])

    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(sent()))))


if __name__ == "__main__":
    main()
