"""Which keys a backup needs, whether they are at hand, and whether the files are there that the rows name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import obstore
from obstore.store import LocalStore, from_url
from sqlalchemy import Table, func, select

from deploy.backup.cut import BackupFailed
from services.intake import store as intake_store
from services.sla.store.subscriptions import SUBSCRIPTION
from shared.db import Database
from shared.security.crypto import MasterKeys, Undecryptable

_CHECK = "backup-check"
# table, the column with the wrapped key, and as what its row's key was wrapped
_SEALED: Mapping[str, tuple[tuple[Table, str, str], ...]] = {
    "intake": (
        (intake_store.metadata.tables["complaint"], "wrapped_key", "{}"),
        (intake_store.metadata.tables["attachment"], "wrapped_key", "attachment:{}"),
        (intake_store.metadata.tables["form_key"], "wrapped_identity_secret", "form:{}"),
        (intake_store.metadata.tables["webhook"], "wrapped_secret", "webhook:{}"),
    ),
    "sla": ((SUBSCRIPTION, "wrapped_key", "subscription:{}"),),
}


def keys_of(settings: Mapping[str, Any]) -> dict[str, MasterKeys]:
    """The master keys at hand, by service. Raises BackupFailed where intake's are not.

    The embedded default would make new keys when it finds none; over data that needs the old ones that must not be.
    """
    intake = settings["intake"]
    if not (intake.encryption_keys and intake.pseudonym_key):
        file = intake.home / "encryption-keys.json"
        if not file.is_file():
            raise BackupFailed(f"the encryption keys are not at hand: neither in the environment nor in {file}")
    try:
        found = {"intake": intake.master_keys(), "sla": settings["sla"].notice_keys()}
    except ValueError as error:
        raise BackupFailed(str(error)) from None
    return {name: keys for name, keys in found.items() if keys is not None}


def check_of(keys: MasterKeys) -> str:
    return keys.pseudonym(_CHECK)


async def open_samples(db: Database, keys: MasterKeys | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The ids of the master keys that the service's rows need, one row of each opened; and of those, the ones that
    opened nothing. Raises BackupFailed where intake's do not: without them its data is lost.

    What sla seals (addresses of staff's subscriptions) can be set up again, and its keys may be known to sla alone.
    """
    needed: set[str] = set()
    unopened: set[str] = set()
    for table, column, subject in _SEALED.get(db.service, ()):
        async with db.reading() as session:
            pick = select(table.c.key_id, func.min(table.c.id)).where(table.c.key_id != "").group_by(table.c.key_id)
            for key_id, id in (await session.execute(pick)).all():
                needed.add(key_id)
                wrapped = (await session.execute(select(table.c[column]).where(table.c.id == id))).scalar_one()
                try:
                    if keys is None:
                        raise Undecryptable("no keys are set")
                    keys.unwrap(subject.format(id), key_id, wrapped)
                except Undecryptable as error:
                    if db.service == "intake":
                        raise BackupFailed(f"intake's {table.name} needs key '{key_id}': {error}") from None
                    unopened.add(key_id)
    return tuple(sorted(needed)), tuple(sorted(unopened))


def file_store(address: str | None, home: Path) -> Any:
    """Where intake keeps its files: at `address`, or in a folder of `home`."""
    return from_url(address) if address else LocalStore(home / "attachments", mkdir=True)


async def copy_files(source: Any, target: Any) -> int:
    """Copy every file, one part in memory at a time; how many. One that goes meanwhile was to go."""
    count = 0
    async for page in obstore.list(source, chunk_size=500):
        for one in page:
            try:
                found = await obstore.get_async(source, one["path"])
            except FileNotFoundError:
                continue
            await obstore.put_async(target, one["path"], found.stream(min_chunk_size=1 << 20))
            count += 1
    return count


async def missing_files(db: Database, store: Any) -> list[str]:
    """Ids of files that a row of intake names and the store does not have."""
    there = {one["path"].rpartition("/")[2] async for page in obstore.list(store, chunk_size=500) for one in page}
    table = intake_store.metadata.tables["attachment"]
    async with db.reading() as session:
        named = select(table.c.id).where(table.c.state.in_(("clean", "quarantined")))
        return sorted(set((await session.scalars(named)).all()) - there)
