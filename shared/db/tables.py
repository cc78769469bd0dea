"""The tables that every service has beside its own: outbox, inbox, parking lot, audit chain, keys, heartbeats."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Index, Integer, MetaData, String, Table, Text, types
from sqlalchemy.types import TypeEngine

_BIGINT = BigInteger().with_variant(Integer(), "sqlite")


def _as_text(value: datetime | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a time without an offset")
    return _in_utc(value.astimezone(UTC))


@lru_cache(maxsize=256)  # the rows of a bulk insert share most of their times; in UTC, equal times have equal texts
def _in_utc(value: datetime) -> str:
    return value.isoformat(" ", "microseconds")[:26]


def _of_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value + "+00:00")


class UtcDateTime(types.TypeDecorator[datetime]):
    """An aware time, kept in UTC: `timestamptz` on PostgreSQL, naive UTC text on SQLite. Naive times are refused."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name != "sqlite"))

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        # SQLite's texts as SQLAlchemy writes and reads them, in a tenth of the time: a row has several of them, and
        # a batch a thousand rows
        return _as_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return _of_text if dialect.name == "sqlite" else None  # asyncpg gives times in UTC

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without an offset")
        return value.astimezone(UTC)


class SystemTables:
    """The shared tables, made once in each service's own `MetaData`."""

    def __init__(self, metadata: MetaData) -> None:
        self.outbox = Table(
            "outbox",
            metadata,
            Column("seq", _BIGINT, primary_key=True, autoincrement=True),
            Column("event_id", String(36), nullable=False),
            Column("key", String(64), nullable=False),
            Column("type", String(100), nullable=False),
            Column("payload", Text, nullable=False),
            Column("created_at", UtcDateTime, nullable=False),
            Column("sent_at", UtcDateTime),
        )
        unsent = self.outbox.c.sent_at.is_(None)
        Index("outbox_unsent", self.outbox.c.seq, postgresql_where=unsent, sqlite_where=unsent)
        Index("outbox_key", self.outbox.c.key)
        self.inbox = Table(
            "inbox",
            metadata,
            Column("event_id", String(64), primary_key=True),
            Column("seen_at", UtcDateTime, nullable=False, index=True),
        )
        self.parked = Table(
            "parked",
            metadata,
            Column("id", _BIGINT, primary_key=True, autoincrement=True),
            Column("event_id", String(64), nullable=False, unique=True),
            Column("subject", String(64), index=True),
            Column("type", String(100)),
            Column("topic", String(100), nullable=False),
            Column("payload", Text, nullable=False),
            Column("reason", String(40), nullable=False),
            Column("error", String(500), nullable=False),
            Column("attempts", Integer, nullable=False),
            Column("parked_at", UtcDateTime, nullable=False),
            Column("settled_at", UtcDateTime),
            Column("settled_how", String(200)),
        )
        self.audit = Table(
            "audit",
            metadata,
            Column("seq", _BIGINT, primary_key=True, autoincrement=False),
            Column("at", UtcDateTime, nullable=False),
            Column("actor", String(100), nullable=False),
            Column("action", String(60), nullable=False),
            Column("subject", String(64), nullable=False, index=True),
            Column("detail", Text, nullable=False),
            Column("hash", String(64), nullable=False),
        )
        self.audit_head = Table(
            "audit_head",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("seq", _BIGINT, nullable=False),
            Column("hash", String(64), nullable=False),
        )
        self.api_key = Table(
            "api_key",
            metadata,
            Column("id", String(16), primary_key=True),
            Column("hash", String(64), nullable=False),
            Column("name", String(100), nullable=False),
            Column("roles", String(200), nullable=False, default=""),
            Column("scopes", String(400), nullable=False, default=""),
            Column("channels", String(200), nullable=False, default=""),
            Column("created_at", UtcDateTime, nullable=False),
            Column("expires_at", UtcDateTime),
            Column("revoked_at", UtcDateTime),
            Column("last_used_at", UtcDateTime),
        )
        self.ended_session = Table(
            "ended_session",
            metadata,
            Column("name", String(200), primary_key=True),
            Column("ended_at", UtcDateTime, nullable=False, index=True),
        )
        self.heartbeat = Table(
            "heartbeat",
            metadata,
            Column("process", String(60), primary_key=True),
            Column("at", UtcDateTime, nullable=False),
            Column("detail", Text, nullable=False),
        )
