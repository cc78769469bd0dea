"""Where files lie: a local folder or any S3-compatible store. Written and read as streams."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from shared.errors import Unavailable

_PART = 5 * 1024 * 1024  # bytes held while writing; S3 takes no smaller parts


class Objects:
    """Objects by path. Raises Unavailable when the store is away."""

    def __init__(self, store: Any) -> None:
        self._store = store

    @classmethod
    def at(cls, url: str | None, *, folder: Path) -> "Objects":
        """`url` (s3://bucket/prefix and others, options by the environment), or the local `folder` without one."""
        if url:
            return cls(from_url(url))
        return cls(LocalStore(folder, mkdir=True))

    async def write(self, path: str, parts: AsyncIterator[bytes]) -> None:
        """Write `parts`; whole or not at all. Raises what `parts` raises."""
        try:
            async with obstore.open_writer_async(self._store, path, buffer_size=_PART, max_concurrency=1) as writer:
                async for part in parts:
                    await writer.write(part)
        except BaseError as error:
            raise Unavailable("The file store is away; send the file again.") from error

    async def read(self, path: str, start: int, end: int) -> bytes:
        try:
            return bytes(await obstore.get_range_async(self._store, path, start=start, end=end))
        except (BaseError, FileNotFoundError) as error:
            raise Unavailable("The file store is away; try again.") from error

    def read_now(self, path: str, start: int, end: int) -> bytes:
        """As `read`, for a thread."""
        return bytes(obstore.get_range(self._store, path, start=start, end=end))

    async def delete(self, path: str) -> None:
        """Deleted already, nothing happens."""
        try:
            await obstore.delete_async(self._store, path)
        except FileNotFoundError:
            return
        except BaseError as error:
            raise Unavailable("The file store is away; try again.") from error
