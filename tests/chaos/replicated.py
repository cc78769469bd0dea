"""A cluster that outlives the loss of a machine: three brokers, and PostgreSQL with a standby that may take over."""

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg

from deploy.infra.kafka import Kafka, Quorum
from deploy.infra.ports import free_port
from deploy.infra.postgres import Postgres


class Brokers(Kafka):
    """Three Kafka nodes behind the face of one. What is acknowledged, two of them have."""

    def __init__(self, home: Path) -> None:
        quorum = Quorum.of(3)
        super().__init__(home / "1", quorum=quorum)
        self.nodes = {n: Kafka(home / str(n), quorum=quorum, node=n) for n in (1, 2, 3)}

    @property
    def bootstrap(self) -> str:
        return ",".join(node.bootstrap for node in self.nodes.values())

    @property
    def running(self) -> bool:
        return all(node.running for node in self.nodes.values())

    def start(self) -> None:
        with ThreadPoolExecutor(3) as pool:  # none answers before two are there
            list(pool.map(Kafka.start, self.nodes.values()))

    def stop(self) -> None:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(Kafka.stop, self.nodes.values()))

    def kill(self) -> None:
        for node in self.nodes.values():
            node.kill()

    def destroy(self) -> None:
        for node in self.nodes.values():
            node.destroy()


class Pair(Postgres):
    """A PostgreSQL server and a standby that has all that the first acknowledges, behind one address, as a bank's own
    service address or load balancer gives: whoever promotes the standby leads the address to it."""

    def __init__(self, home: Path) -> None:
        self.forwarder = Forwarder(free_port())
        super().__init__(home, self.forwarder.port, flushes=False)
        self.servers = [Postgres(home / name, flushes=False) for name in ("first", "second")]
        self._leads = 0

    @property
    def leader(self) -> Postgres:
        return self.servers[self._leads]

    @property
    def running(self) -> bool:
        return self.leader.running

    def start(self) -> None:
        if self.leader.running:
            return
        first, second = self.servers
        first.start()
        second.copy(first)
        second.start()
        # Only now: before there is a standby, each commit would wait for one.
        asyncio.run(_ask(first, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"))
        self.forwarder.lead_to(first.port)

    def fail_over(self) -> None:
        """Kill the leader, promote the standby, and lead everybody to it."""
        self.leader.kill()
        self._leads = 1
        asyncio.run(_ask(self.leader, "SELECT pg_promote()"))
        self.forwarder.lead_to(self.leader.port)

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def kill(self) -> None:
        self.leader.kill()

    def destroy(self) -> None:
        self.forwarder.close()
        for server in self.servers:
            server.destroy()

    def create_database(self, name: str) -> None:
        self.leader.create_database(name)


async def _ask(server: Postgres, *statements: str) -> None:
    connection = await asyncpg.connect(server.url("postgres", "postgresql"))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


class Forwarder:
    """One local port that leads to another, to this one today and to that one tomorrow. It lives in a thread."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._target = 0
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
        self._thread.start()

    def lead_to(self, port: int) -> None:
        """From now on; whoever is connected elsewhere is cut off."""
        asyncio.run_coroutine_threadsafe(self._switch(port), self._loop).result(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._switch(0), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(asyncio.sleep(0.1))

    async def _switch(self, port: int) -> None:
        self._target = port
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()  # as when nobody listens: not an orderly end
            return
        self._open |= {writer, back}
        await asyncio.gather(_pour(reader, back), _pour(there, writer))
        self._open -= {writer, back}


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    writer.close()
