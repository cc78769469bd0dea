"""The four services on SQLite with their workers' parts, ready to be put out of order and to be scraped."""

import asyncio
import contextlib
import itertools
import re
import shutil
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from deploy.infra.ports import free_port
from deploy.registry import SERVICES
from shared.bus import Message
from shared.bus.local import LocalBus
from shared.clock import utcnow
from shared.cloudevents import Envelope, encode
from shared.db import Database
from shared.events import TOPICS, ComplaintReceived, Event
from shared.ids import uuid7
from shared.worker import Worker

JOB = "redress"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
_NAME = re.compile(r"\w*")
_numbers = itertools.count(1)


class TellingBus(LocalBus):
    """The in-process bus; what it says of itself can be set."""

    told: Mapping[str, Any] | None = None

    def status(self) -> dict[str, Any]:
        return dict(self.told) if self.told is not None else super().status()


@dataclass
class One:
    """A service: where it keeps its database, its app, its worker (not running), and whom one asks for its metrics."""

    name: str
    folder: Path
    db: Database
    app: FastAPI
    bus: TellingBus
    worker: Worker
    http: httpx.AsyncClient

    async def take_away(self) -> None:
        """The database is gone, as when its server or volume is."""
        await self.db.close()
        self.folder.rename(self.folder.with_suffix(".away"))

    async def bring_back(self) -> None:
        self.folder.with_suffix(".away").rename(self.folder)
        await self.db.close()


@dataclass
class Running:
    """All four. `now` is the time of all of them; workers do their work before each scrape, unless `silent`."""

    now: datetime
    services: dict[str, One]
    silent: bool = False
    down: set[str] = field(default_factory=set)

    async def hear(self, *events: Event) -> None:
        """What intake published reaches everybody."""
        messages = []
        for event in events:
            envelope = Envelope(uuid7(), event.source, event.type, event.complaint_id, self.now, event)
            messages.append(Message(TOPICS["intake"], event.complaint_id, encode(envelope).encode()))
        await self.tell(*messages)

    async def tell(self, *messages: Message) -> None:
        for one in self.services.values():
            assert all(await one.bus.publish(messages))

    def complaint(self) -> ComplaintReceived:
        return ComplaintReceived(
            complaint_id=uuid7(),
            reference=f"260301-AAAA-{next(_numbers):05d}",
            channel="phone",
            narrative="redacted",
            received_at=self.now,
        )

    async def scrape(self, service: str, names: Collection[str]) -> Samples:
        """What Prometheus knows of a process of `service` after asking it: its samples of these names, and whether it
        answered."""
        one = self.services[service]
        if not self.silent:
            with contextlib.suppress(Exception):  # its database may be away
                await one.worker._relay.publish_once()
                await one.worker._beat()
        up = ("up", (("job", JOB), ("process", service)))
        try:
            if service in self.down:
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{free_port()}") as nobody:
                    await nobody.get("/metrics")
            answer = await one.http.get("/metrics")
            answer.raise_for_status()
        except httpx.HTTPError:
            return {up: 0.0}
        return {up: 1.0, **samples(answer.text, service, names)}


def samples(text: str, service: str, names: Collection[str]) -> Samples:
    """Those samples in `text` that are of `service`: here it shares a process, and so its counters, with others."""
    wanted = "\n".join(line for line in text.splitlines() if _NAME.match(line)[0] in names)  # type: ignore[index]
    found: Samples = {}
    for family in text_string_to_metric_families(wanted):
        for sample in family.samples:
            if sample.labels.get("service", service) == service:
                found[sample.name, tuple(sorted(sample.labels.items()))] = float(sample.value)
    return found


def certificate(path: Path, *, days: int) -> None:
    """A certificate that ends in `days` days, put in the place of what was there."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.bank.example")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=days))
    fresh = path.with_suffix(".new")
    fresh.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    fresh.replace(path)


@asynccontextmanager
async def running(homes: Mapping[str, Path], options: Mapping[str, Any]) -> AsyncIterator[Running]:
    """The services, each in a home of its own that holds its database. `options` are settings of all."""
    found = Running(utcnow(), {})
    for name, service in SERVICES.items():
        settings = service.settings(home=homes[name], **options)
        db = service.database(settings)
        app = service.app(settings, db, clock=lambda: found.now)
        bus = TellingBus()
        worker = service.worker(settings, db, bus, clock=lambda: found.now)
        http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url=f"http://{name}"
        )
        found.services[name] = One(name, homes[name], db, app, bus, worker, http)
    try:
        yield found
    finally:
        for one in found.services.values():
            await one.http.aclose()
            await one.db.close()


@asynccontextmanager
async def meanwhile(job: Any) -> AsyncIterator[None]:
    """`job` runs as a task."""
    task = asyncio.create_task(job)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def homes(templates: Any, folder: Path) -> dict[str, Path]:
    """A home for each service, with a new database in it."""
    found = {name: folder / name for name in SERVICES}
    for name, home in found.items():
        home.mkdir()
        templates.sqlite(name, home / f"{name}.db")
    return found


def usage(free: float) -> Any:
    """In place of `shutil.disk_usage`: a disk of which that share is free."""
    return lambda _: shutil._ntuple_diskusage(10**12, round(10**12 * (1 - free)), round(10**12 * free))
