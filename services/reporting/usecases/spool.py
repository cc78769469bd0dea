"""A file on its way: written as fast as the database gives rows, read as fast as the caller takes it.

Between the two is a temporary file, so that a caller on a slow line holds neither a connection to the database nor
memory. What is written can be sent at once; nothing waits for the end.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from tempfile import TemporaryFile
from typing import IO

from services.reporting.usecases.files import Row, Writer

_PIECE = 256 * 1024  # bytes read at once


class Spool:
    """Takes rows from `batches` into a file that `make` writes, in a task of its own; iterated once, it gives the
    file's bytes. `over` is called when nothing more is read from `batches`. Formatting and disk are in threads."""

    def __init__(
        self,
        batches: AsyncGenerator[Sequence[Row]],
        make: Callable[[IO[bytes]], Writer],
        over: Callable[[], None],
    ) -> None:
        self._file = TemporaryFile()  # noqa: SIM115  (closed by whichever end is the last)
        self._written = 0
        self._gone = False  # whoever reads has had enough
        self._over = False  # nothing more is written
        self._grown = asyncio.Event()
        self._ended = over
        self._task = asyncio.create_task(self._fill(batches, make), name="export")
        self._task.add_done_callback(_told)

    async def _fill(self, batches: AsyncGenerator[Sequence[Row]], make: Callable[[IO[bytes]], Writer]) -> None:
        try:
            writer = await asyncio.to_thread(make, self._file)
            try:
                async with aclosing(batches):
                    async for rows in batches:
                        if self._gone:
                            return
                        await asyncio.to_thread(self._put, writer, rows)
                        self._grown.set()
            finally:
                await asyncio.to_thread(self._put, writer, None)
        finally:
            self._over = True
            self._ended()
            self._grown.set()
            if self._gone:
                self._file.close()

    def _put(self, writer: Writer, rows: Sequence[Row] | None) -> None:
        if rows is None:
            writer.close()
        else:
            writer.write(rows)
        self._file.flush()
        self._written = self._file.tell()

    async def ready(self) -> None:
        """Wait for the first rows. Raises what went wrong before: then there is still an answer to give."""
        await self._grown.wait()
        if self._over:
            try:
                await self._task
            except BaseException:
                self._file.close()
                raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        sent = 0
        try:
            while True:
                over = self._over
                self._grown.clear()
                while sent < self._written:
                    most = min(_PIECE, self._written - sent)
                    piece = await asyncio.to_thread(os.pread, self._file.fileno(), most, sent)
                    sent += len(piece)
                    yield piece
                if over:
                    await self._task  # if it failed the answer must break off, not look whole
                    return
                await self._grown.wait()
        finally:
            self._gone = True
            if self._over:
                self._file.close()


def _told(task: "asyncio.Task[None]") -> None:
    if not task.cancelled():
        task.exception()  # whoever reads is told; if nobody does any more, nobody need be
