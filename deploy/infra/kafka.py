"""An Apache Kafka broker of our own on this machine, alone or one of a few, that can be killed as a crash would."""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.infra import install
from deploy.infra.ports import free_port
from deploy.infra.processes import Child, StartFailed
from deploy.infra.tls import ServerTls

_LOGGING = install.ROOT / "deploy" / "kafka" / "log4j2.properties"
_CLASS_ARCHIVE = "redress.jsa"
_API_VERSIONS, _METADATA = 18, 3
_TOPIC_ALREADY_EXISTS = 36

# Replication 1 and acks=all: the broker acknowledges once the record is in the operating system's page cache. A broker
# that is killed loses nothing of that; only a machine that goes down would. A bank's cluster has three replicas, and
# flushing per message here would slow the tests without showing anything more.
#
# A killed broker is let in again only when its former session has run out (usually 9 s): hence the short one.
_SETTINGS = """\
process.roles=broker,controller
node.id={node}
listeners=BROKER://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=BROKER://{host}:{port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.voters={voters}
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor={copies}
min.insync.replicas={in_sync}
offsets.topic.num.partitions=4
offsets.topic.replication.factor={copies}
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=2000
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=8388608
"""

# Every listener asks for a certificate, and its CN is who somebody is. Who is allowed nothing may do nothing; the
# broker itself may do everything. See deploy/acls.py for what the services are allowed.
_TLS_SETTINGS = """\
ssl.keystore.type=PEM
ssl.keystore.location={both}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{superuser}
"""
SUPERUSER = "redress-kafka"


@dataclass(frozen=True, slots=True)
class Quorum:
    """The nodes that make a cluster, each broker and controller in one: their controllers' ports, the first's being
    node 1. With three, records are acknowledged once two have them."""

    controller_ports: tuple[int, ...]
    cluster: str

    @classmethod
    def of(cls, nodes: int) -> "Quorum":
        return cls(tuple(free_port() for _ in range(nodes)), urlsafe_b64encode(secrets.token_bytes(16)).decode()[:22])


class Kafka:
    """A Kafka node, broker and controller in one, under `home`; alone, or number `node` of a `quorum`. A port that
    isn't given is chosen once and kept. `host` is where it listens, and what it calls itself. With `tls` it takes TLS
    with client certificates alone and heeds access rules; its own bears the name SUPERUSER.

    Its methods but `create_topics` block: call them through `asyncio.to_thread` where an event loop must go on.
    """

    def __init__(
        self,
        home: Path,
        port: int | None = None,
        *,
        tls: ServerTls | None = None,
        host: str = "127.0.0.1",
        quorum: Quorum | None = None,
        node: int = 1,
    ) -> None:
        self.home = home.absolute()
        self.port = port or free_port()
        self.host = host
        self.node = node
        self._tls = tls
        self._quorum = quorum or Quorum.of(1)
        self._child: Child | None = None

    @property
    def copies(self) -> int:
        """How many brokers there are, each of which keeps every topic."""
        return len(self._quorum.controller_ports)

    @property
    def bootstrap(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """The broker's process id; `RuntimeError` when it was never started."""
        if self._child is None:
            raise RuntimeError("Kafka was not started")
        return self._child.pid

    def start(self) -> None:
        """Format the storage if it is new, start the broker, and wait until it answers with itself as a live broker.

        Raises `Unavailable` when Java or the jars are missing, `StartFailed` with the end of its log when it ends.
        """
        if self.running:
            return
        java = _java_command(*_java_and_libs())
        self._run(java, self._prepare(java))

    def stop(self) -> None:
        """Orderly shutdown: leadership is given up, logs are flushed and closed."""
        if self._child is not None:
            self._child.stop(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as when the machine's memory runs out. The next start recovers the logs."""
        if self._child is not None:
            self._child.kill()

    def destroy(self) -> None:
        """Kill it and remove its data. What a test's fixture does last."""
        self.kill()
        shutil.rmtree(self.home / "data", ignore_errors=True)

    async def create_topics(self, topics: Mapping[str, int], configuration: Mapping[str, str] | None = None) -> None:
        """Make topics, name -> number of partitions; one that exists is left as it is. Returns once all can be used.

        Raises `RuntimeError` when the broker refuses one or is not ready to take records for it within 15 s.
        """
        from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # here: the rest works without packages installed

        secured = {"security_protocol": "SSL", "ssl_context": self._tls.client()} if self._tls else {}
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, **secured)
        await admin.start()
        try:
            how = dict(configuration or {})
            wanted = [NewTopic(name, partitions, self.copies, topic_configs=how) for name, partitions in topics.items()]
            for name, code, reason in (answer[:3] for answer in (await admin.create_topics(wanted)).topic_errors):
                if code not in (0, _TOPIC_ALREADY_EXISTS):
                    raise RuntimeError(f"Kafka refused to make topic {name}: {reason} (error {code})")
            for _ in range(300):
                described = await admin.describe_topics(list(topics))
                if all(_usable(topic) for topic in described):
                    return
                await asyncio.sleep(0.05)
        finally:
            await admin.close()
        raise RuntimeError(f"Kafka made {', '.join(topics)}, and still has no leader for all of their partitions")

    def _prepare(self, java: list[str]) -> Path:
        data = self.home / "data"
        self.home.mkdir(parents=True, exist_ok=True)
        properties = self.home / "server.properties"
        ports = self._quorum.controller_ports
        settings = _SETTINGS.format(
            node=self.node,
            host=self.host,
            port=self.port,
            controller_port=ports[self.node - 1],
            voters=",".join(f"{n}@{self.host}:{port}" for n, port in enumerate(ports, 1)),
            copies=len(ports),
            in_sync=len(ports) // 2 + 1,
            data=data.as_posix(),
        )
        if self._tls is not None:
            settings = settings.replace(":PLAINTEXT", ":SSL")
            settings += _TLS_SETTINGS.format(both=self._tls.both, ca=self._tls.ca, superuser=SUPERUSER)
        properties.write_text(settings)
        if not (data / "meta.properties").exists():
            _format(java, properties, self._quorum.cluster)
        return properties

    def _run(self, java: list[str], properties: Path) -> None:
        self._child = Child(
            "Kafka",
            [*java, "kafka.Kafka", str(properties)],
            log=self.home / "kafka.log",
            cwd=self.home,
            env=_plain_environment(),
        )
        self._child.start()
        self._child.wait_ready(self._answers, seconds=180)

    def _answers(self) -> bool:
        """Whether it answers as a broker that takes requests and knows of itself."""
        try:
            with self._connected() as connection:
                if _ask(connection, _API_VERSIONS)[:2] != b"\0\0":
                    return False
                # All topics, version 0: the answer starts with the number of live brokers. There are topics only after
                # a restart, and then few.
                (brokers,) = struct.unpack_from(">i", _ask(connection, _METADATA, struct.pack(">i", 0)))
                return bool(brokers >= 1)
        except (OSError, struct.error):
            return False

    def _connected(self) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), timeout=2)
        if self._tls is None:
            return plain
        try:
            return self._tls.client().wrap_socket(plain, server_hostname="127.0.0.1")
        except BaseException:
            plain.close()
            raise


def write_class_archive(libs: Path) -> None:
    """Let a broker run once and keep what Java learnt of its classes: later starts take less than half the time.

    Best effort: without the archive, or with one that a newer Java finds unfit, everything works, only slower.
    """
    archive = libs / _CLASS_ARCHIVE
    java = install.find_java()
    if java is None:
        return
    with tempfile.TemporaryDirectory(prefix="redress-kafka-") as folder:
        fresh = Path(folder) / _CLASS_ARCHIVE
        broker = Kafka(Path(folder) / "broker")
        try:
            archive.unlink(missing_ok=True)
            command = _java_command(java, libs)
            broker._run([*command, f"-XX:ArchiveClassesAtExit={fresh}"], broker._prepare(command))
            broker.stop()
            if fresh.exists():
                shutil.copy(fresh, archive.with_suffix(".new"))
                archive.with_suffix(".new").replace(archive)
        except (OSError, StartFailed, subprocess.SubprocessError):
            broker.kill()


def _java_and_libs() -> tuple[Path, Path]:
    java, libs = install.find_java(), install.kafka_libs()
    if java is None:
        raise install.Unavailable("kafka", "Java 17 is not installed; python -m deploy.infra.install kafka")
    if libs is None:
        raise install.Unavailable("kafka", "its jars are not here; python -m deploy.infra.install kafka")
    return java, libs


def _java_command(java: Path, libs: Path) -> list[str]:
    """Set for a fast start and a small footprint beside everything else on one machine, not for throughput."""
    archive = libs / _CLASS_ARCHIVE
    return [
        str(java),
        "-Xms256m",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        *([f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"] if archive.exists() else []),
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={_LOGGING}",
        "-cp",
        # Spelt out and in order: Java accepts a class archive only for the very class path that it was written with.
        os.pathsep.join(str(jar) for jar in sorted(libs.glob("*.jar"))),
    ]


def _format(java: list[str], properties: Path, cluster: str) -> None:
    # In one word with its option: one that starts with a dash would be taken for another option.
    tool = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config", str(properties)]
    done = subprocess.run(tool, env=_plain_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartFailed(f"Kafka could not format its storage.\n{done.stdout}{done.stderr}")


def _usable(topic: dict[str, object]) -> bool:
    partitions = topic["partitions"]
    return topic["error_code"] == 0 and isinstance(partitions, list) and all(p["leader"] >= 0 for p in partitions)


def _ask(connection: socket.socket, api: int, body: bytes = b"") -> bytes:
    """Send a request of version 0 and return the answer after its correlation id (see Kafka's protocol guide)."""
    client = b"redress"
    request = struct.pack(">hhih", api, 0, 1, len(client)) + client + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", _receive(connection, 4))
    return _receive(connection, size)[4:]


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionError("the broker closed the connection")
        received += part
    return received


def _plain_environment() -> dict[str, str]:
    """Without the variables by which Java and Kafka would take options from whoever started us."""
    unwanted = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH")
    return {name: value for name, value in os.environ.items() if name not in unwanted and not name.startswith("KAFKA_")}
