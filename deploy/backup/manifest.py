"""What a backup says of itself: what is in it, with hashes. Written last, so that a broken-off one is none."""

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.backup.cut import BackupFailed

NAME = "manifest.json"
_PART = 1 << 20


class Part(BaseModel):
    """One service's database. `audit_head` is the last link of its audit chain, `key_ids` the master keys it needs,
    `unopened` those of them that were not at hand when the backup was made."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["sqlite", "postgres"]
    file: str
    revision: str
    audit_entries: int
    audit_head: str
    unsent: int
    key_ids: tuple[str, ...]
    unopened: tuple[str, ...]


class Manifest(BaseModel):
    """`hashes`: SHA-256 of every other file, by its path below the backup's folder. `pseudonym_check` is a keyed hash
    that only the right pseudonym key makes again."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    version: str
    taken_at: datetime
    stood_still_ms: int
    parts: dict[str, Part]
    attachments: Literal["included", "left out"]
    pseudonym_check: str
    hashes: dict[str, str]

    def write(self, folder: Path) -> str:
        """Durably; its own SHA-256, to be kept elsewhere."""
        draft, text = folder / f"{NAME}.draft", self.model_dump_json(indent=2).encode()
        with draft.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / NAME)
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        return hashlib.sha256(text).hexdigest()


def read(folder: Path, *, expected: str | None = None) -> tuple[Manifest, str]:
    """The manifest in `folder` and its SHA-256, with every file held against its hash. Raises BackupFailed.

    `expected` is the manifest's SHA-256 as known from elsewhere: with it, whoever changed the backup is found out.
    """
    try:
        text = (folder / NAME).read_bytes()
        found = Manifest.model_validate_json(text)
    except OSError:
        raise BackupFailed(f"{folder} is no backup, or one that was broken off: it has no {NAME}") from None
    except ValidationError:
        raise BackupFailed(f"{folder / NAME} is not what this version of Redress writes") from None
    digest = hashlib.sha256(text).hexdigest()
    if expected is not None and digest != expected.lower():
        raise BackupFailed(f"the manifest is another one: its SHA-256 is {digest}")
    names = set(walk(folder))
    if lacking := sorted(found.hashes.keys() - names):
        raise BackupFailed(f"{len(lacking)} files of the backup are missing: {', '.join(lacking[:5])}")
    for name, hash in found.hashes.items():
        if digest_of(folder / name) != hash:
            raise BackupFailed(f"{name} was changed or is damaged")
    return found, digest


def walk(folder: Path) -> Iterator[str]:
    """The paths of all files below `folder` but the manifest, with forward slashes."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in (NAME, f"{NAME}.draft"):
            yield path.relative_to(folder).as_posix()


def digest_of(path: Path, *, sync: bool = False) -> str:
    """SHA-256 of a file; with `sync`, of one that was just written, once the disk has it."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        while part := file.read(_PART):
            found.update(part)
    return found.hexdigest()
