"""One service's database: SQLite (the embedded default) or PostgreSQL, behind one transaction boundary."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import event, exc, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.util import await_only

from shared.db.pending import Pending
from shared.db.tables import SystemTables
from shared.errors import Unavailable

# The driver's InternalClientError: the server has ended the session, and the socket has not told us yet.
_AWAY = (OSError, TimeoutError, exc.TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError, Unavailable)


# What is left of a process that was stopped, or of a host that cannot be reached, must not hold locks for ever: others
# would wait for the rows of its open transaction, and every writer for the head of the audit chain.
STALLED = 60
"""Seconds for which a transaction may stay open without a word before PostgreSQL ends its session."""
_SESSION = {
    "idle_in_transaction_session_timeout": f"{STALLED}s",
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "50s",
}


def is_outage(error: BaseException) -> bool:
    """Whether `error` says that the database is away or too busy, as against having refused what we asked of it."""
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return True
        origin = error.orig
        cause = getattr(origin, "__cause__", None) or origin
        if isinstance(cause, asyncpg.PostgresError):
            return _server_away(cause)
        if isinstance(cause, _AWAY):
            return True
        reason = str(origin)
        return isinstance(error, exc.OperationalError) and any(
            sign in reason for sign in ("locked", "unable to open", "disk I/O", "is full", "readonly")
        )
    if isinstance(error, asyncpg.PostgresError):
        return _server_away(error)
    return isinstance(error, _AWAY)


def _server_away(error: asyncpg.PostgresError) -> bool:
    """Classes 08 connection, 53 resources, 57 operator intervention, 40 serialisation; 25006 read-only (a standby),
    25P03 we said nothing for too long."""
    state = error.sqlstate or ""
    return state[:2] in {"08", "53", "57", "40"} or state in {"25006", "25P03"}


class Database:
    """Connections and units of work of one service.

    `wake` is called after each commit that added events, so that the relay need not wait for its next poll. `tls`
    holds for PostgreSQL: with it there is no connection in the clear.
    """

    def __init__(
        self,
        service: str,
        url: str,
        tables: SystemTables,
        *,
        pool_size: int = 8,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.service = service
        self.url = url
        self.tls = tls
        self.tables = tables
        self.wakers: list[Callable[[], None]] = []
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = _sqlite(url, pool_size)
            # SQLite has one writer: a fair queue here beats busy-waiting on the file's lock.
            self._writer: asyncio.Lock | None = asyncio.Lock()
        else:
            self.engine = _postgres(url, pool_size, tls)
            self._writer = None
        self._writing = self.engine.execution_options(redress_write=True)
        self._bare = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One unit of work, committed on leaving, rolled back on any error.

        Raises Unavailable when the database is away. When it goes away during the commit itself, whether the commit
        happened is unknown: callers are idempotent for that.
        """
        gathered = Pending()
        async with self._outage(), self._writer or nullcontext():
            session = AsyncSession(self._writing, expire_on_commit=False, info={"pending": gathered})
            async with session, session.begin():
                yield session
                await session.flush()
                if gathered.events or gathered.audit:
                    await gathered.write(await session.connection(), self.tables)
        if gathered.events:
            self.wake()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[AsyncConnection, Pending]]:
        """As `transaction`, without the ORM, for hot paths."""
        gathered = Pending()
        async with self._outage(), self._writer or nullcontext(), self._begun() as connection:
            yield connection, gathered
            await gathered.write(connection, self.tables)
        if gathered.events:
            self.wake()

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[AsyncConnection]:
        if self.is_sqlite:
            async with self._writing.begin() as connection:
                yield connection
            return
        # The driver begins and ends the transaction: through SQLAlchemy each took as long as writing a few complaints.
        async with self._bare.connect() as connection:
            assert connection.sync_connection is not None
            raw: Any = connection.sync_connection.connection.driver_connection
            try:
                async with raw.transaction():
                    yield connection
            except Exception as error:
                if is_outage(error):
                    await connection.invalidate(error)  # else the pool would hand it to the next one
                raise

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session that only reads. Raises Unavailable when the database is away."""
        async with self._outage(), AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session

    def wake(self) -> None:
        for waker in self.wakers:
            waker()

    async def ping(self) -> None:
        """Raises Unavailable when the database does not answer."""
        async with asyncio.timeout(3), self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()

    @asynccontextmanager
    async def _outage(self) -> AsyncIterator[None]:
        try:
            yield
        except Unavailable:
            raise
        except Exception as error:
            if is_outage(error):
                raise Unavailable(_why(error)) from error
            raise


def _why(error: Exception) -> str:
    reason = str(error.orig) if isinstance(error, exc.DBAPIError) else ""
    for sign, words in (("is full", "The disk is full"), ("disk I/O", "The disk fails")):
        if sign in reason:
            return f"{words}; send the request again."
    return "The database is away; send the request again."


def _postgres(url: str, pool_size: int, tls: ssl.SSLContext | None) -> AsyncEngine:
    how: dict[str, Any] = {
        "timeout": 5,
        "command_timeout": 15,
        "server_settings": _SESSION,
        **({"ssl": tls} if tls else {}),
    }
    engine = create_async_engine(url, pool_size=pool_size, max_overflow=0, pool_timeout=5, connect_args=how)

    @event.listens_for(engine.sync_engine, "checkout")
    def _(connection: Any, _record: Any, _proxy: Any) -> None:
        # Costs no round trip, unlike a ping: the driver has noticed when the server closed the connection. Without it
        # the first request after each outage would be refused on a connection from before.
        if connection.driver_connection.is_closed():
            raise exc.InvalidatePoolError

    return engine


def _sqlite(url: str, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=pool_size, max_overflow=0, connect_args={"timeout": 15})

    @event.listens_for(engine.sync_engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _(connection: Any) -> None:
        # IMMEDIATE: a transaction that will write takes the lock at once, else two readers that both turn writer fail.
        writes = connection.get_execution_options().get("redress_write")
        # straight to the driver: one trip to its thread, where a cursor of SQLAlchemy's takes three
        await_only(connection.connection.driver_connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN"))

    return engine
