"""Pages that change by themselves: server-sent events from one look at the database a second, whoever watches.

    changes = Live(look, every=1.0)            # look() -> what has changed since the last time, or None
    return stream(changes.listen(), say)   # say(found) -> a line, or None

One task per `Live` and process looks while somebody listens, so that a hundred open pages cost as much as one. A stream
ends after `LASTS` seconds and the browser opens the next one, which asks anew who may see it.
"""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

import structlog
from starlette.responses import StreamingResponse

from shared.errors import TooManyRequests

LASTS = 300.0  # seconds
MOST = 300  # listeners of one kind in a process: each keeps a connection
_BEAT = 15.0  # seconds between signs of life, so that nothing on the way takes the stream for dead
_HELD = 100  # what a listener may be behind
log = structlog.get_logger()
T = TypeVar("T")
_all: "weakref.WeakSet[Live[object]]" = weakref.WeakSet()


class Live(Generic[T]):
    """What `look` finds, for any number of listeners. `look` answers None when there is nothing new; its errors are
    logged, and it is asked again."""

    def __init__(self, look: Callable[[], Awaitable[T | None]], *, every: float = 1.0) -> None:
        self._look, self._every = look, every
        self._listeners: set[asyncio.Queue[T | None]] = set()
        self._task: asyncio.Task[None] | None = None
        _all.add(self)  # type: ignore[arg-type]

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator["asyncio.Queue[T | None]"]:
        mine: asyncio.Queue[T | None] = asyncio.Queue(_HELD)
        self._listeners.add(mine)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._keep_looking(), name="live")
        try:
            yield mine
        finally:
            self._listeners.discard(mine)

    def check_room(self) -> None:
        """Raises TooManyRequests when as many listen as may; pages then do without for a while."""
        if len(self._listeners) >= MOST:
            raise TooManyRequests("Too many pages are kept up to date just now.")

    async def listen(self, *, lasts: float = LASTS) -> AsyncIterator[T | None]:
        """What is found from now on; None now and then, when nothing is."""
        loop = asyncio.get_running_loop()
        until = loop.time() + lasts
        async with self._listening() as mine:
            yield None
            while (left := until - loop.time()) > 0:
                try:
                    found = await asyncio.wait_for(mine.get(), min(_BEAT, left))
                except TimeoutError:
                    yield None
                    continue
                if found is None:  # the end
                    return
                yield found

    def end(self) -> None:
        """Let all listeners go."""
        for one in self._listeners:
            with contextlib.suppress(asyncio.QueueFull):
                one.put_nowait(None)
        if self._task is not None:
            self._task.cancel()

    async def _keep_looking(self) -> None:
        while self._listeners:
            try:
                found = await self._look()
            except Exception as error:
                log.warning("live.not_looked", error=type(error).__name__)
                found = None
            for one in list(self._listeners) if found is not None else ():
                try:
                    one.put_nowait(found)
                except asyncio.QueueFull:  # it has gone to sleep; it comes again by itself
                    self._listeners.discard(one)
            await asyncio.sleep(self._every)


def end_all() -> None:
    """Let all listeners of this process go: it is about to stop."""
    for one in list(_all):
        one.end()


def stream(found: AsyncIterator[T | None], say: Callable[[T], str | None]) -> StreamingResponse:
    """An answer of server-sent events `change`: what `say` makes of each thing found, one line; None tells nothing."""

    async def lines() -> AsyncIterator[bytes]:
        yield b"retry: 2000\n\n"
        async for one in found:
            if one is None:
                yield b":\n\n"
            elif (said := say(one)) is not None:
                yield f"event: change\ndata: {said}\n\n".encode()

    # `no-transform` and the header of nginx: nothing on the way may hold a stream back to pack it
    headers = {"cache-control": "no-store, no-transform", "x-accel-buffering": "no"}
    return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)
