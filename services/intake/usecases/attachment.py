"""Files: taken as streams, sealed before they touch a disk, kept apart until they are known to be clean."""

import asyncio
import hashlib
import hmac
import io
import struct
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from services.intake.domain.attachment import (
    OFFICE,
    TEXTS,
    TextCheck,
    TicketUnknown,
    check_members,
    clean_name,
    kind_of,
    refuse,
)
from services.intake.gateways import clamav
from services.intake.gateways.objects import Objects
from services.intake.store import attachment as store
from services.intake.usecases.complaint import Also, Receipt
from shared import audit
from shared.clock import Clock, rfc3339
from shared.db import Database, Pending
from shared.errors import FieldError, NotFound, TooLarge
from shared.ids import uuid7
from shared.security.crypto import DataKey, MasterKeys
from shared.security.stream import PREFIX, SEALED, SEGMENT, Opener, Sealer, sealed_size, segments

LINK_FOR = timedelta(minutes=10)
UNCLAIMED_FOR = timedelta(hours=24)
_DIRECTORY = 4 * 1024**2  # bytes of a ZIP file's list of contents that are read
_TICKET = "ticket"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was taken. `ticket` gives it to a complaint; who has it may, so it is told to the uploader alone."""

    row: store.Attachment
    name: str
    ticket: str


class Files:
    """Takes, keeps and gives out files. `most`: bytes of one file; `scanner`: clamd's host:port, None without one."""

    def __init__(
        self, db: Database, keys: MasterKeys, objects: Objects, clock: Clock, *, most: int, scanner: str | None
    ) -> None:
        self._db, self._keys, self._objects, self._clock = db, keys, objects, clock
        self._most, self._scanner = most, scanner

    async def take(
        self,
        stream: AsyncIterator[bytes],
        name: str,
        media_type: str,
        *,
        uploaded_by: str,
        complaint_id: str | None = None,
        message_id: str | None = None,
    ) -> store.Attachment:
        """Keep a file. Raises FileRefused, TooLarge, Unavailable, and what `stream` raises; then nothing is kept."""
        return (await self.upload(stream, name, media_type, uploaded_by, complaint_id, message_id)).row

    async def upload(
        self,
        stream: AsyncIterator[bytes],
        name: str,
        media_type: str,
        uploaded_by: str,
        complaint_id: str | None = None,
        message_id: str | None = None,
    ) -> Upload:
        """As `take`, with the ticket."""
        id = uuid7()
        key, key_id, wrapped = self._keys.new(f"attachment:{id}")
        writing = _Writing(key, stream, media_type, self._most)
        path = _path(id)
        try:
            await self._objects.write(path, writing.parts())
            if writing.kind in OFFICE:
                await asyncio.to_thread(self._look_inside, path, key, writing.size, writing.kind)
        except BaseException:
            await asyncio.shield(self._drop(path))
            raise
        ticket = key.token(_TICKET)
        cleaned = clean_name(name)
        row = store.Attachment(
            id=id,
            complaint_id=complaint_id,
            message_id=message_id,
            ticket_key=None if complaint_id else self._keys.pseudonym(_TICKET, ticket),
            uploaded_by=uploaded_by,
            media_type=writing.kind,
            size=writing.size,
            sha256=writing.sha256.hexdigest(),
            state="quarantined",
            created_at=self._clock(),
            key_id=key_id,
            wrapped_key=wrapped,
            sealed_name=key.seal("name", cleaned.encode()),
        )
        async with self._db.transaction() as tx:
            tx.add(row)
        return Upload(row, cleaned, ticket)

    async def digests(self, tickets: Sequence[str]) -> list[str]:
        """The SHA-256 of each ticket's file, in hex, whether a complaint has it or not. Raises TicketUnknown."""
        if not tickets:
            return []
        keys = self._ticket_keys(tickets)
        async with self._db.reading() as tx:
            found = await store.digests(tx, keys)
        for at, key in enumerate(keys):
            if key not in found:
                raise _unknown(at)
        return [found[key] for key in keys]

    def claim(self, tickets: Sequence[str]) -> Also:
        """What gives the files of `tickets` to a complaint, in its transaction. Raises TicketUnknown."""

        async def also(connection: AsyncConnection, _: Pending, receipt: Receipt) -> None:
            await self._give(connection, tickets, receipt.id)

        return also

    async def attach(self, tx: AsyncSession, tickets: Sequence[str], complaint_id: str) -> None:
        """Give the files of `tickets` to a complaint that is there already. Raises TicketUnknown."""
        await self._give(await tx.connection(), tickets, complaint_id)

    async def _give(self, connection: AsyncConnection, tickets: Sequence[str], complaint_id: str) -> None:
        keys = self._ticket_keys(tickets)
        left = await store.claim(connection, keys, complaint_id)
        for at, key in enumerate(keys):
            if key not in left:
                raise _unknown(at)
            left.discard(key)

    def view(self, row: store.Attachment, *, public_url: str) -> dict[str, Any]:
        """What is told of a file: a link only once it is clean."""
        found = {
            "id": row.id,
            "name": self._key(row).open("name", row.sealed_name).decode() if row.wrapped_key else None,
            "media_type": row.media_type,
            "size": row.size,
            "sha256": row.sha256,
            "state": row.state,
            "created_at": rfc3339(row.created_at),
            "url": None,
        }
        if row.state == "clean":
            expires = int((self._clock() + LINK_FOR).timestamp())
            found["url"] = f"{public_url}/v1/files/{row.id}?expires={expires}&signature={self._sign(row, expires)}"
        return found

    async def opened(self, tx: AsyncSession, id: str, expires: int, signature: str) -> store.Attachment:
        """The file that a link opens. Raises NotFound for one that is forged, over, or of a file that is not clean."""
        row = await tx.get(store.Attachment, id)
        good = row is not None and row.state == "clean" and expires >= self._clock().timestamp()
        if row is None or not good or not hmac.compare_digest(self._sign(row, expires), signature):
            raise NotFound("This link is not valid, or no longer.")
        return row

    def name(self, row: store.Attachment) -> str:
        return self._key(row).open("name", row.sealed_name).decode()

    async def content(self, row: store.Attachment) -> AsyncIterator[bytes]:
        """What is in a file, part by part. Raises Undecryptable, Unavailable."""
        path, count = _path(row.id), segments(row.size)
        opener = Opener(self._key(row).raw, row.id, await self._objects.read(path, 0, PREFIX))
        whole = sealed_size(row.size)
        for number in range(count):
            start = PREFIX + number * SEALED
            sealed = await self._objects.read(path, start, min(start + SEALED, whole))
            yield opener.open(number, sealed, last=number == count - 1)

    async def scan(self) -> None:
        """Look at what is in quarantine, the oldest first, until nothing is left or the scanner is away."""
        while True:
            async with self._db.reading() as tx:
                waiting = await store.in_state(tx, "quarantined", 20)
            for row in waiting:
                try:
                    found = await clamav.scan(self._scanner, self.content(row)) if self._scanner else None
                except clamav.ScannerAway as error:
                    log.warning("files.scanner_away", service="intake", error=str(error))
                    return
                await self._judge(row.id, found)
            if len(waiting) < 20:
                return

    async def _judge(self, id: str, found: str | None) -> None:
        async with self._db.transaction() as tx:
            row = await tx.get(store.Attachment, id, with_for_update=True)
            if row is None or row.state != "quarantined":
                return
            row.state, row.checked_at = ("infected" if found else "clean"), self._clock()
            row.verdict = found or ("scanned" if self._scanner else "kind checked, no scanner is set up")
            audit.add(tx, "system", f"file.{row.state}", row.complaint_id or id, now=self._clock(), detail={"file": id})
        if found:
            await self._objects.delete(_path(id))

    async def sweep(self) -> None:
        """Drop files that nobody claimed within a day, and the content of those erased."""
        async with self._db.reading() as tx:
            unclaimed = await store.unclaimed(tx, self._clock() - UNCLAIMED_FOR, 100)
            erased = await store.in_state(tx, "erased", 100)
        for row in (*unclaimed, *erased):
            await self._objects.delete(_path(row.id))
            async with self._db.transaction() as tx:
                await store.drop(tx, row.id, erased=row.state == "erased")

    def _ticket_keys(self, tickets: Sequence[str]) -> list[str]:
        return [self._keys.pseudonym(_TICKET, ticket) for ticket in tickets]

    def _key(self, row: store.Attachment) -> DataKey:
        return self._keys.unwrap(f"attachment:{row.id}", row.key_id, row.wrapped_key)

    def _sign(self, row: store.Attachment, expires: int) -> str:
        return hashlib.blake2b(f"{row.id}:{expires}".encode(), key=self._key(row).raw, digest_size=24).hexdigest()

    async def _drop(self, path: str) -> None:
        try:
            await self._objects.delete(path)
        except Exception as error:  # what is left has no row and no key: it can be read by nobody
            log.warning("files.left_behind", service="intake", error=type(error).__name__)

    def _look_inside(self, path: str, key: DataKey, size: int, kind: str) -> None:
        reader = _Reader(self._objects, path, key, size)
        try:
            reader.seek(max(0, size - 65_557))
            end = reader.read()
            at = end.rfind(b"PK\x05\x06")
            if at < 0 or struct.unpack("<L", end[at + 12 : at + 16])[0] > _DIRECTORY:
                raise refuse("The file is not what it is said to be.")
            reader.seek(0)
            with zipfile.ZipFile(reader) as packed:
                members = [(one.filename, one.compress_size, one.file_size) for one in packed.infolist()]
        except (zipfile.BadZipFile, struct.error, EOFError, NotImplementedError, OverflowError) as error:
            raise refuse("The file is not what it is said to be.") from error
        check_members(kind, members)


class _Writing:
    """A stream on its way into the store: sealed, measured, hashed and looked at, one segment in memory."""

    def __init__(self, key: DataKey, stream: AsyncIterator[bytes], declared: str, most: int) -> None:
        self._sealer = Sealer(key.raw, key.subject.removeprefix("attachment:"))
        self._stream, self._declared, self._most = stream, declared, most
        self._text: TextCheck | None = None
        self.sha256, self.size, self.kind = hashlib.sha256(), 0, ""

    async def parts(self) -> AsyncIterator[bytes]:
        yield self._sealer.prefix
        held = bytearray()
        async for part in self._stream:
            held += part
            self.size += len(part)
            if self.size > self._most:
                most = f"At most {self._most} bytes are taken."
                raise TooLarge(most, errors=(FieldError("", most, TooLarge.code),))
            while len(held) > SEGMENT:  # one byte more: so this segment is not the last
                yield self._seal(bytes(held[:SEGMENT]), last=False)
                del held[:SEGMENT]
        yield self._seal(bytes(held), last=True)

    def _seal(self, segment: bytes, *, last: bool) -> bytes:
        if not self.kind:
            self.kind = kind_of(segment, self._declared)
            self._text = TextCheck() if self.kind in TEXTS else None
        if self._text is not None and not self._text.fits(segment):
            raise refuse("The file is not text all through.")
        self.sha256.update(segment)
        return self._sealer.seal(segment, last=last)


class _Reader(io.RawIOBase):
    """A sealed file as one that can be read anywhere, for a thread; one segment in memory."""

    def __init__(self, objects: Objects, path: str, key: DataKey, size: int) -> None:
        self._objects, self._path, self._size, self._at = objects, path, size, 0
        subject = key.subject.removeprefix("attachment:")
        self._opener = Opener(key.raw, subject, objects.read_now(path, 0, PREFIX))
        self._held: tuple[int, bytes] = (-1, b"")

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size:
            return 0
        number, within = divmod(self._at, SEGMENT)
        if self._held[0] != number:
            start = PREFIX + number * SEALED
            sealed = self._objects.read_now(self._path, start, min(start + SEALED, sealed_size(self._size)))
            self._held = number, self._opener.open(number, sealed, last=number == segments(self._size) - 1)
        found = self._held[1][within : within + len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


def _unknown(at: int) -> TicketUnknown:
    where = FieldError(f"/attachments/{at}", "is no ticket of an upload", TicketUnknown.code)
    return TicketUnknown(errors=(where,))


def _path(id: str) -> str:
    return f"{id[-2:]}/{id}"


async def rewrap(tx: AsyncSession, keys: MasterKeys, limit: int) -> int:
    """Wrap up to `limit` file keys anew under the current master key; how many."""
    found = await store.with_other_keys(tx, keys.current, limit)
    for one in found:
        one.key_id, one.wrapped_key = keys.rewrap(f"attachment:{one.id}", one.key_id, one.wrapped_key)
    return len(found)
