"""Putting a backup back, and rehearsing it."""

import asyncio
import contextlib
import os
import secrets
import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from obstore.store import LocalStore
from sqlalchemy import select, update
from sqlalchemy.engine import make_url

from deploy import desk, reconcile
from deploy.backup import manifest, sealed, topics
from deploy.backup.cut import BackupFailed, connect, plain, run_program
from deploy.backup.manifest import Manifest
from deploy.backup.taking import FILES
from deploy.registry import SERVICES
from shared import audit, migrations
from shared.bus.local import LocalBus
from shared.clock import utcnow
from shared.db import Database
from shared.events import TOPICS
from shared.relay import Relay

_STAGE = "restoring"


@dataclass(slots=True)
class Outcome:
    """What a restore or drill found. `differences` is empty when all is well; None where events still travel, so that
    the services cannot be compared yet."""

    taken_at: datetime
    audit_entries: dict[str, int] = field(default_factory=dict)
    sent_again: dict[str, int] = field(default_factory=dict)
    after: topics.After | None = None
    files: int = 0
    missing_files: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)
    differences: list[str] | None = None


async def restore(settings: Mapping[str, Any], folder: Path, *, expected: str | None = None) -> Outcome:
    """Put the backup in `folder` where `settings` say; nothing may be there yet. The services must not run.

    On the embedded default the events in flight are delivered and the services compared. With Kafka the relays do
    that once they run: `redress reconcile` afterwards. Raises BackupFailed: a home is then as it was before;
    PostgreSQL's databases, if they were filled, have to be dropped and made anew.
    """
    found, digest = await asyncio.to_thread(manifest.read, folder, expected=expected)
    _check_before(found, settings)
    home, kafka = settings["intake"].home, settings["intake"].kafka
    async with AsyncExitStack() as stack:
        stage = dict(settings)
        on_sqlite = any(part.kind == "sqlite" for part in found.parts.values())
        if on_sqlite:
            stack.callback(os.close, _locked(home))
            stage = _staged(stack, settings, home / _STAGE)
        if kafka is not None:
            await topics.nobody_works(settings["intake"])
        for name, part in found.parts.items():
            await _fill(SERVICES[name].url(stage[name]), part.kind, folder / part.file)
        outcome = await _bring_to_life(found, digest, stage, folder, drain=kafka is None)
        if kafka is not None:
            databases = _databases(stage)
            try:
                outcome.after = await topics.skip_what_came_after(settings["intake"], databases)
            finally:
                await _close(databases)
        if on_sqlite:
            await asyncio.to_thread(_put_in_place, home)
    return outcome


async def drill(
    settings: Mapping[str, Any], folder: Path, *, expected: str | None = None, server: str | None = None
) -> Outcome:
    """Restore the backup in `folder` beside everything, deliver what is in flight, compare, and remove it again.

    PostgreSQL's databases are made on `server` (an address of a database there), else on each service's own server;
    that needs the right to create databases. Nothing leaves: no mail, no webhook, nothing to Kafka.

    Raises BackupFailed.
    """
    found, digest = await asyncio.to_thread(manifest.read, folder, expected=expected)
    _check_before(found, settings)
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redress-drill-")))
        stage = _staged(stack, settings, place / "home", attachments=None)
        for name, part in found.parts.items():
            if part.kind == "postgres":
                url = await _scratch_database(stack, server or SERVICES[name].url(settings[name]), name)
                stage[name] = stage[name].model_copy(update={f"database_{name}": url})
            await _fill(SERVICES[name].url(stage[name]), part.kind, folder / part.file)
        return await _bring_to_life(found, digest, stage, folder, drain=True)


def _check_before(found: Manifest, settings: Mapping[str, Any]) -> None:
    """What would make the restore useless, before anything is written. Raises BackupFailed."""
    keys = sealed.keys_of(settings)
    if sealed.check_of(keys["intake"]) != found.pseudonym_check:
        raise BackupFailed("the pseudonym key is not the one that the backup was made with")
    for name, part in found.parts.items():
        service = SERVICES[name]
        script = ScriptDirectory.from_config(migrations.config(service.migrations, ""))
        if part.revision not in {one.revision for one in script.walk_revisions()}:
            raise BackupFailed(f"{name}'s revision {part.revision} is unknown here: Redress {found.version} made it")
        kind = "sqlite" if service.url(settings[name]).startswith("sqlite") else "postgres"
        if kind != part.kind:
            raise BackupFailed(f"{name}'s backup is of {part.kind}, and the settings name {kind}")


def _locked(home: Path) -> int:
    try:
        held = desk.lock(home)
    except desk.AlreadyRunning as error:
        raise BackupFailed(f"{error}: stop it first") from None
    files = (path for path in (home / FILES).rglob("*") if path.is_file())
    if there := sorted(path.name for path in (*home.glob("*.db"), *files)):
        os.close(held)
        raise BackupFailed(f"{home} is not empty ({', '.join(there[:4])}): move its data away first")
    return held


def _staged(stack: AsyncExitStack, settings: Mapping[str, Any], place: Path, **more: Any) -> dict[str, Any]:
    """Settings under which the home is `place`, which goes again; with the keys where there are any in a file."""
    shutil.rmtree(place, ignore_errors=True)  # of a restore that was killed
    place.mkdir(parents=True, mode=0o700)
    stack.callback(shutil.rmtree, place, ignore_errors=True)
    own = settings["intake"].home / "encryption-keys.json"
    if own.is_file():
        shutil.copyfile(own, place / own.name)
        (place / own.name).chmod(0o600)
    return {name: one.model_copy(update={"home": place, **more}) for name, one in settings.items()}


async def _fill(url: str, kind: str, file: Path) -> None:
    if kind == "sqlite":
        target = Path(make_url(url).database or "")
        await asyncio.to_thread(shutil.copyfile, file, target)
        target.chmod(0o600)
        return
    connection = await connect(url)
    try:
        count = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        if await connection.fetchval(count):
            raise BackupFailed(f"the database {make_url(url).database} is not empty: make a new one for the restore")
        database = str(make_url(url).database)
        options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
        await run_program("pg_restore", url, *options, f"--dbname={database}", str(file))
        await connection.execute("ANALYZE")  # a dump holds no statistics, and plans without them are slow
    finally:
        await connection.close()


async def _bring_to_life(
    found: Manifest, digest: str, settings: Mapping[str, Any], folder: Path, *, drain: bool
) -> Outcome:
    """Check what was restored, bring it up to date, and have what is in flight sent again."""
    outcome, keys = Outcome(found.taken_at), sealed.keys_of(settings)
    databases = _databases(settings)
    try:
        for name, db in databases.items():
            outcome.audit_entries[name] = await _verify_chain(db, found.parts[name])
            await asyncio.to_thread(migrations.migrate, SERVICES[name].migrations, db.url)
            await sealed.open_samples(db, keys.get(name))
        store = sealed.file_store(settings["intake"].attachments, settings["intake"].home)
        if found.attachments == "included":
            outcome.files = await sealed.copy_files(LocalStore(folder / FILES), store)
        if found.attachments == "included" or settings["intake"].attachments:  # else there is nowhere to look
            outcome.missing_files = await sealed.missing_files(databases["intake"], store)
        now = utcnow()
        outcome.sent_again = await _send_again(databases, settings, found.taken_at)
        for db in databases.values():
            async with db.transaction() as tx:
                detail = {"taken_at": found.taken_at.isoformat(), "sent_again": outcome.sent_again}
                audit.add(tx, "operator", "backup.restored", digest, now=now, detail=detail)
        if drain:
            await deliver(databases, settings)
            compared = await reconcile.reconcile(databases, settings=settings)
            outcome.figures, outcome.differences = compared.figures, compared.differences
    finally:
        await _close(databases)
    return outcome


async def _verify_chain(db: Database, part: manifest.Part) -> int:
    rows = [row async for row in audit.export(db)]
    verdict = audit.verify(rows, expected_head=part.audit_head)
    if verdict.broken_at is not None:
        raise BackupFailed(f"{db.service}'s audit chain is broken: {verdict.reason}")
    return verdict.entries


async def _send_again(
    databases: Mapping[str, Database], settings: Mapping[str, Any], taken_at: datetime
) -> dict[str, int]:
    """Mark unsent what was sent and is not heard by all whom it concerns; how many events of each service.

    Only Kafka holds such events, and Kafka is not in the backup. A service that has heard one knows it again. Old ones
    are left alone: inboxes forget at `retention_days`, not all at the same hour.
    """
    lacking = set().union(*(await reconcile.unheard(databases, settings)).values())
    keep = timedelta(days=settings["intake"].retention_days)
    since = taken_at - max(keep - timedelta(days=1), keep / 2)
    marked: dict[str, int] = defaultdict(int)
    for name, db in databases.items():
        outbox = db.tables.outbox
        async with db.reading() as session:
            sent = select(outbox.c.seq, outbox.c.event_id).where(outbox.c.sent_at >= since)
            seqs = [seq for seq, id in (await session.execute(sent)).all() if id in lacking]
        for start in range(0, len(seqs), 500):
            async with db.transaction() as tx:
                some = outbox.c.seq.in_(seqs[start : start + 500])
                await tx.execute(update(outbox).where(some).values(sent_at=None))
        if seqs:
            marked[name] = len(seqs)
    return dict(marked)


async def deliver(databases: Mapping[str, Database], settings: Mapping[str, Any]) -> None:
    """Deliver what waits in the outboxes, and what comes of it, by an in-process bus. No timer runs, so nothing is sent
    to anybody outside. Raises BackupFailed when a service cannot take what is meant for it."""
    bus = LocalBus()
    for name, service in SERVICES.items():
        service.worker(settings[name], databases[name], bus)  # subscribes its consumer
    relays = [Relay(db, bus, TOPICS[name], utcnow) for name, db in databases.items()]
    failures = 0
    while failures < 5:
        rounds = [await relay.publish_once() for relay in relays]
        if not any(found for found, _ in rounds):
            return
        failures = 0 if any(sent for _, sent in rounds) else failures + 1
        await asyncio.sleep(0.1 * failures)
    raise BackupFailed(f"events cannot be delivered: {bus.status().get('reason', '')}")


async def _scratch_database(stack: AsyncExitStack, url: str, service: str) -> str:
    name = f"redress_drill_{service}_{secrets.token_hex(4)}"

    async def run(statement: str) -> None:
        connection = await connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    try:
        await run(f'CREATE DATABASE "{name}" TEMPLATE template0')
    except Exception as error:
        raise BackupFailed(f"no database can be made for the drill ({type(error).__name__}): give --server") from error
    stack.push_async_callback(run, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    made = make_url(plain(url)).set(drivername="postgresql+asyncpg", database=name)
    return made.render_as_string(hide_password=False)


def _put_in_place(home: Path) -> None:
    """What is whole and checked, from its stage into the home."""
    for path in sorted((home / _STAGE).glob("*.db")):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")  # one file, whatever was still beside it
        manifest.digest_of(path, sync=True)
        path.rename(home / path.name)
    if (home / _STAGE / FILES).is_dir():
        shutil.rmtree(home / FILES, ignore_errors=True)  # without a file in it, or we would not be here
        (home / _STAGE / FILES).rename(home / FILES)


def _databases(settings: Mapping[str, Any]) -> dict[str, Database]:
    return {name: service.database(settings[name]) for name, service in SERVICES.items()}


async def _close(databases: Mapping[str, Database]) -> None:
    for db in databases.values():
        with contextlib.suppress(Exception):
            await db.close()
