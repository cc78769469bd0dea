"""Group commit: requests that arrive together share one commit. None is answered before its own commit is durable."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.database import Database, is_outage
from shared.db.pending import Pending
from shared.errors import Overloaded, RedressError, Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")
Write = Callable[[AsyncConnection, Pending, Sequence[Item]], Awaitable[Sequence[Result | RedressError]]]


class GroupCommit(Generic[Item, Result]):
    """Collects items while one group is being committed, then commits all that wait as the next group.

    `write` puts a group into the open transaction and returns one result (or one named error) for each item, in order.
    It may be called again with the same items after a failure, in other groupings: a group that fails is halved until
    the bad row stands alone, so that it harms no neighbour.
    """

    def __init__(
        self, db: Database, write: Write[Item, Result], *, max_group: int = 128, max_waiting: int = 4000
    ) -> None:
        self._db = db
        self._write = write
        self._max_group = max_group
        self._max_waiting = max_waiting
        self._queue: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="group-commit")

    async def stop(self) -> None:
        """Commit what waits, then stop."""
        self._stopping = True
        self._arrived.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def submit(self, item: Item) -> Result:
        """The result for `item`, once its commit is durable. Raises what `write` answered, Unavailable, Overloaded."""
        if self._stopping:
            raise Unavailable("The service is stopping; send the request again.")
        if len(self._queue) >= self._max_waiting:
            raise Overloaded
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        self._arrived.set()
        return await future

    async def _run(self) -> None:
        while self._queue or not self._stopping:
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            await self._fill()
            group = [self._queue.popleft() for _ in range(min(len(self._queue), self._max_group))]
            try:
                await self._commit(group, retry=True)
            except asyncio.CancelledError:
                _fail(group, Unavailable("The service is stopping; send the request again."))
                raise
            except Exception as error:  # nothing may end the writer; the requests get their answer
                _fail(group, error)

    async def _fill(self) -> None:
        """Let in what has arrived already: as long as each turn of the event loop brings more, the group is not full.
        This costs the first of them less than it saves the last, and a lone request waits one turn."""
        seen = 0
        while seen < len(self._queue) < self._max_group:
            seen = len(self._queue)
            await asyncio.sleep(0)

    async def _commit(self, group: list[tuple[Item, asyncio.Future[Result]]], *, retry: bool) -> None:
        try:
            async with self._db.connection() as (connection, pending):
                results = await self._write(connection, pending, [item for item, _ in group])
        except Exception as error:
            if is_outage(error):
                _fail(group, error)
            elif retry and is_duplicate(error):
                # another process committed the same key a moment ago: on a second look `write` sees its row
                await self._commit(group, retry=False)
            elif len(group) == 1:
                _fail(group, error)
            else:
                middle = len(group) // 2
                await self._commit(group[:middle], retry=True)
                await self._commit(group[middle:], retry=True)
            return
        for (_, future), result in zip(group, results, strict=True):
            if future.done():  # the client has gone; its complaint is kept all the same
                continue
            if isinstance(result, RedressError):
                future.set_exception(result)
            else:
                future.set_result(result)


def is_duplicate(error: BaseException) -> bool:
    """Whether `error` is a broken unique index, told by SQLAlchemy or straight by the driver (SQLSTATE 23505)."""
    origin = error.orig if isinstance(error, IntegrityError) else error
    return isinstance(error, IntegrityError) or getattr(origin, "sqlstate", None) == "23505"


def _fail(group: Sequence[tuple[object, asyncio.Future[Result]]], error: BaseException) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
