"""Making a backup."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from obstore.store import LocalStore

from deploy.backup import manifest, sealed
from deploy.backup.cut import BackupFailed, source, stand_still
from deploy.backup.manifest import Manifest, Part
from deploy.registry import SERVICES
from shared import __version__
from shared.clock import utcnow

FILES = "attachments"
_SUFFIX = {"sqlite": "db", "postgres": "dump"}


async def take(settings: Mapping[str, Any], folder: Path, *, files: bool = True) -> tuple[Manifest, str]:
    """Back up the four services of `settings` to `folder`, which must be new; the manifest and its SHA-256.

    With `files=False` attachments are left out, for those who keep them in an object store with versions of its own.
    Raises BackupFailed.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BackupFailed(f"{folder} is not empty")
    keys = sealed.keys_of(settings)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    async with AsyncExitStack() as stack:
        sources = {}
        for name, service in SERVICES.items():
            sources[name] = source(service.url(settings[name]))
            stack.push_async_callback(sources[name].close)
        needed = {name: await _needed(settings, name, keys) for name in SERVICES}
        stood = await stand_still(list(sources.values()))
        taken_at = utcnow()
        parts = {}
        for name, one in sources.items():
            file = f"{name}.{_SUFFIX[one.kind]}"
            await one.copy(folder / file)
            state = await one.state()
            parts[name] = Part(
                kind=one.kind,
                file=file,
                revision=state.revision,
                audit_entries=state.audit_entries,
                audit_head=state.audit_head,
                unsent=state.unsent,
                key_ids=needed[name][0],
                unopened=needed[name][1],
            )
    if files:
        intake = settings["intake"]
        await sealed.copy_files(
            sealed.file_store(intake.attachments, intake.home), LocalStore(folder / FILES, mkdir=True)
        )
    made = Manifest(
        version=__version__,
        taken_at=taken_at,
        stood_still_ms=round(stood * 1000),
        parts=parts,
        attachments="included" if files else "left out",
        pseudonym_check=sealed.check_of(keys["intake"]),
        hashes=await asyncio.to_thread(_hashes, folder),
    )
    return made, made.write(folder)


async def _needed(
    settings: Mapping[str, Any], name: str, keys: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sampled before the cut, in the live database: what a backup cannot be opened with is not worth making."""
    db = SERVICES[name].database(settings[name])
    try:
        return await sealed.open_samples(db, keys.get(name))
    finally:
        await db.close()


def _hashes(folder: Path) -> dict[str, str]:
    return {name: manifest.digest_of(folder / name, sync=True) for name in manifest.walk(folder)}
