"""A backup taken while complaints come in, restored elsewhere: nothing lost, nothing twice, and no key in it."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from deploy.backup import restoring, taking
from deploy.backup.cut import BackupFailed
from deploy.desk import assemble
from deploy.registry import SERVICES
from services.intake.store.complaint import Complaint
from shared.bus import Message
from shared.clock import utcnow
from shared.db import Database
from shared.events import TOPICS
from shared.relay import Relay
from shared.security.keys import NewKey
from shared.security.keys import create as create_key


def settings_of(home: Path, **more: str) -> dict[str, Any]:
    return {name: service.settings(home=home, **more) for name, service in SERVICES.items()}


class Channel:
    """A phone centre that posts without end and remembers what it was told."""

    def __init__(self, http: httpx.AsyncClient, key: str, prefix: str = "/intake") -> None:
        self.http, self.headers, self.prefix = http, {"Authorization": f"Bearer {key}"}, prefix
        self.told: dict[int, dict[str, Any]] = {}

    async def post(self, number: int, *tickets: str) -> httpx.Response:
        body = {
            "channel": "phone",
            "narrative": f"An annual fee was charged twice on my card, says caller {number}.",
            "complainant": {"name": f"Caller {number}", "customer_no": f"C-{number:06}"},
            "attachments": list(tickets),
        }
        headers = self.headers | {"Idempotency-Key": f"call-{number}"}
        answer = await self.http.post(f"{self.prefix}/v1/complaints", json=body, headers=headers)
        if answer.status_code == 201:
            self.told[number] = answer.json()
        return answer

    async def upload(self, content: bytes) -> str:
        headers = self.headers | {"Content-Type": "text/plain", "X-File-Name": "note.txt"}
        answer = await self.http.post(f"{self.prefix}/v1/uploads", content=content, headers=headers)
        return str(answer.json()["ticket"])

    async def post_on(self, start: int, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await asyncio.gather(*(self.post(start + place) for place in range(4)))
            start += 4


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[Channel]:
    desk = assemble(home, "http://desk")
    async with (
        desk.app.router.lifespan_context(desk.app),
        httpx.AsyncClient(transport=httpx.ASGITransport(desk.app), base_url="http://desk") as http,
    ):
        yield Channel(http, desk.keys["phone"])


async def ids(home: Path) -> set[str]:
    db = SERVICES["intake"].database(SERVICES["intake"].settings(home=home))
    async with db.reading() as session:
        found = set((await session.scalars(select(Complaint.__table__.c.id))).all())  # type: ignore[attr-defined]
    await db.close()
    return found


async def test_a_desk_restored_from_a_backup_under_load_goes_on_as_after_a_crash(tmp_path: Path) -> None:
    old, new, folder = tmp_path / "old", tmp_path / "new", tmp_path / "backup"
    async with running(old) as channel:
        note = await channel.upload(b"The counter was closed.\n")
        await channel.post(0, note)
        stop = asyncio.Event()
        calls = asyncio.create_task(channel.post_on(1, stop))
        while len(channel.told) < 9:
            await asyncio.sleep(0.01)
        before = dict(channel.told)
        made, digest = await taking.take(settings_of(old), folder)
        seen = len(channel.told)
        while len(channel.told) < seen + 4:
            await asyncio.sleep(0.01)
        stop.set()
        await calls
        told = dict(channel.told)
    assert made.stood_still_ms < 3000
    assert made.parts["intake"].key_ids == ("dev1",)
    assert not [path for path in folder.rglob("*") if "key" in path.name]

    new.mkdir()
    with pytest.raises(BackupFailed, match="encryption keys are not at hand"):
        await restoring.restore(settings_of(new), folder)
    for keys in ("encryption-keys.json", "dev-keys.json"):  # as the operator brings them, from where keys are kept
        shutil.copy(old / keys, new)
    rehearsed = await restoring.drill(settings_of(old), folder, expected=digest)
    assert rehearsed.differences == []
    outcome = await restoring.restore(settings_of(new), folder, expected=digest)
    assert outcome.differences == []
    assert outcome.figures == rehearsed.figures
    assert (outcome.files, outcome.missing_files) == (1, [])
    kept = await ids(new)
    assert {one["id"] for one in before.values()} <= kept < {one["id"] for one in told.values()}

    async with running(new) as channel:
        # callers whose answer was lost with the old desk send the same again
        await asyncio.gather(*(channel.post(n, *([note] if n == 0 else [])) for n in told))
        again = dict(channel.told)
        settings = settings_of(new)
        databases = {name: service.database(settings[name]) for name, service in SERVICES.items()}
        assert await restoring.reconcile.wait_until_drained(databases, 30, settings=settings)
    assert again.keys() == told.keys()
    assert all(again[number]["id"] == told[number]["id"] for number in told if told[number]["id"] in kept)
    compared = await restoring.reconcile.reconcile(databases, settings=settings)
    for db in databases.values():
        await db.close()
    assert compared.differences == []
    assert compared.figures["cases"] == len(told) == len(await ids(new))
    with pytest.raises(BackupFailed, match="is not empty"):
        await restoring.restore(settings, folder)
    strange = settings_of(new, encryption_keys=f"dev1:{'A' * 43}=", pseudonym_key=f"{'B' * 43}=")
    with pytest.raises(BackupFailed, match="pseudonym key is not the one"):
        await restoring.drill(strange, folder)
    with pytest.raises(BackupFailed, match="needs key 'dev1'"):
        await taking.take(strange, tmp_path / "another")
    await refuses_what_was_changed(settings, folder, digest)


async def refuses_what_was_changed(settings: dict[str, Any], folder: Path, digest: str) -> None:
    """Somebody rewrites the trail in the backup, then its hash in the manifest too; then the manifest is gone."""
    db = Database("intake", f"sqlite+aiosqlite:///{folder / 'intake.db'}", SERVICES["intake"].tables)
    async with db.transaction() as tx:
        await tx.execute(update(db.tables.audit).where(db.tables.audit.c.seq == 2).values(actor="nobody"))
    await db.close()
    with pytest.raises(BackupFailed, match=r"intake\.db was changed"):
        await restoring.drill(settings, folder)
    path = folder / "manifest.json"
    told = json.loads(path.read_text())
    told["hashes"]["intake.db"] = restoring.manifest.digest_of(folder / "intake.db")
    path.write_text(json.dumps(told))
    with pytest.raises(BackupFailed, match="audit chain is broken"):
        await restoring.drill(settings, folder)
    with pytest.raises(BackupFailed, match="the manifest is another one"):
        await restoring.drill(settings, folder, expected=digest)
    path.unlink()
    with pytest.raises(BackupFailed, match="broken off"):
        await restoring.drill(settings, folder)


class Swallowing:
    """A Kafka that takes everything, and is gone with its disk before anybody has heard it."""

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        return [True] * len(messages)


@pytest.mark.postgres
@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
async def test_on_postgresql_what_kafka_alone_still_held_is_sent_again(
    tmp_path: Path, migrated: Callable[[str], str], backend: str
) -> None:
    folder = tmp_path / "backup"
    urls = {f"database_{name}": migrated(name) for name in SERVICES}
    keys = {"encryption_keys": f"k1:{'A' * 43}=", "pseudonym_key": f"{'B' * 43}="}
    settings = settings_of(tmp_path / "home", **urls, **keys)
    db = SERVICES["intake"].database(settings["intake"])
    async with db.transaction() as tx:
        new = NewKey("phone", scopes=["complaints:write"], channels=["phone"])
        token = await create_key(tx, db.tables, new, actor="test", now=utcnow())
    app = SERVICES["intake"].app(settings["intake"], db)
    relay = Relay(db, Swallowing(), TOPICS["intake"], utcnow)  # type: ignore[arg-type]
    stop = asyncio.Event()

    async def publish() -> None:
        while not stop.is_set():
            await relay.publish_once()
            await asyncio.sleep(0.01)

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as http,
    ):
        channel = Channel(http, token, prefix="")
        jobs = [asyncio.create_task(publish()), asyncio.create_task(channel.post_on(1, stop))]
        while len(channel.told) < 9:
            await asyncio.sleep(0.01)
        before = len(channel.told)
        made, _ = await taking.take(settings, folder)
        while len(channel.told) < before + 4:
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*jobs)
    await db.close()
    outcome = await restoring.drill(settings, folder)
    assert outcome.differences == []
    received = outcome.figures["received"]
    assert before <= received == outcome.figures["cases"] == outcome.figures["clocks"] < len(channel.told)
    assert outcome.sent_again == {"intake": received - made.parts["intake"].unsent}
    assert outcome.sent_again["intake"] > 0
    with pytest.raises(BackupFailed, match="is not empty"):
        await restoring.restore(settings, folder)
