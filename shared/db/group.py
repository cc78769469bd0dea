"""Group commit: requests that arrive together share one commit. None is answered before its own commit is durable."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.database import Database, is_outage
from shared.db.pending import Pending
from shared.errors import Overloaded, RedressError, Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")
Write = Callable[[AsyncConnection, Pending, Sequence[Item]], Awaitable[Sequence[Result | RedressError]]]


class GroupCommit(Generic[Item, Result]):
    """Collects items while groups are being committed, then commits what waits as the next group.

    On PostgreSQL two groups are under way at a time, each with about half of the requests: while the server works for
    one, we work for the other. On SQLite, whose thread shares the interpreter with us, that would only be slower.

    `write` puts a group into the open transaction and returns one result (or one named error) for each item, in order.
    It may be called again with the same items after a failure, in other groupings: a group that fails is halved until
    the bad row stands alone, so that it harms no neighbour.
    """

    def __init__(
        self,
        db: Database,
        write: Write[Item, Result],
        *,
        max_group: int = 128,
        max_waiting: int = 4000,
        lanes: int | None = None,
    ) -> None:
        self._db = db
        self._write = write
        self._max_group = max_group
        self._max_waiting = max_waiting
        self._queue: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._arrived = asyncio.Event()
        self._lanes = lanes or (1 if db.is_sqlite else 2)
        self._under_way = 0
        self._peak = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run(), name=f"group-commit-{n}") for n in range(self._lanes)]

    async def stop(self) -> None:
        """Commit what waits, then stop."""
        self._stopping = True
        self._arrived.set()
        await asyncio.gather(*self._tasks)
        self._tasks.clear()

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
            size = await self._fill()
            group = [self._queue.popleft() for _ in range(size)]
            if not group:  # the other lane took it
                continue
            self._under_way += len(group)
            try:
                await self._commit(group, retry=True)
            except asyncio.CancelledError:
                _fail(group, Unavailable("The service is stopping; send the request again."))
                raise
            except Exception as error:  # nothing may end the writer; the requests get their answer
                _fail(group, error)
            finally:
                self._under_way -= len(group)

    async def _fill(self) -> int:
        """Let in what has arrived already, up to this lane's share of the requests that are about: as long as each turn
        of the event loop brings more, the group is not full. A lone request waits one turn."""
        seen = 0
        while seen < len(self._queue) < self._share():
            seen = len(self._queue)
            await asyncio.sleep(0)
        return min(len(self._queue), self._share())

    def _share(self) -> int:
        """How many of the most requests that were about lately belong into one group."""
        self._peak = max(len(self._queue) + self._under_way, self._peak * 0.98)
        return min(self._max_group, math.ceil(self._peak / self._lanes))

    async def _commit(self, group: list[tuple[Item, asyncio.Future[Result]]], *, retry: bool) -> None:
        try:
            async with self._db.connection() as (connection, pending):
                results = await self._write(connection, pending, [item for item, _ in group])
        except Exception as error:
            if retry and lost_race(error):
                # another process committed the same key a moment ago: on a second look `write` sees its row
                await self._commit(group, retry=False)
            elif is_outage(error) or len(group) == 1:
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
    return isinstance(error, IntegrityError) or _sqlstate(error) == "23505"


def lost_race(error: BaseException) -> bool:
    """Whether another transaction came first (a broken unique index, a deadlock): a second try may do."""
    return is_duplicate(error) or _sqlstate(error)[:2] == "40"


def _sqlstate(error: BaseException) -> str:
    origin = error.orig if isinstance(error, DBAPIError) else error
    return getattr(origin, "sqlstate", None) or ""


def _fail(group: Sequence[tuple[object, asyncio.Future[Result]]], error: BaseException) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
