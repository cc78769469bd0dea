"""Many rows in one statement, past the ORM: `unnest` or COPY on PostgreSQL, `executemany` on SQLite.

SQLite runs in a thread of its own, and going there and back costs more than most statements do. So what belongs
together goes there together (`in_one_hop`).
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Dialect, Table, exc
from sqlalchemy.ext.asyncio import AsyncConnection

Row = tuple[Any, ...]
T = TypeVar("T")
Processors = tuple[tuple[int, Callable[[Any], Any]], ...]
_UNLESS_THERE = " ON CONFLICT DO NOTHING"
MANY = 200
"""Rows from which on COPY, which takes a third less time a row, is worth its further round trips."""


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows for `table`, each with the values of `columns` in order. `new_only` leaves out those that are there."""

    table: Table
    columns: tuple[str, ...]
    rows: Sequence[Row]
    new_only: bool = False

    def arrays(self) -> Iterable[Row]:
        """The values column by column, as `insert_sql` takes them."""
        return zip(*self.rows, strict=True)


async def bulk_insert(connection: AsyncConnection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert `rows`, each with the values of `columns` in order, in the open transaction. All or none."""
    if not rows:
        return
    one = Insert(table, columns, rows)
    if connection.dialect.name == "sqlite":
        await in_one_hop(connection, lambda raw: insert_here(raw, connection.dialect, one))
    else:
        await insert_there(await driver(connection), connection.dialect, one)


async def insert_new(connection: AsyncConnection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> int:
    """As `bulk_insert`, but a row that would break a unique index is left out; how many were inserted.

    Where another transaction is about to commit such a row, PostgreSQL waits for it to end.
    """
    if not rows:
        return 0
    one = Insert(table, columns, rows, new_only=True)
    if connection.dialect.name == "sqlite":
        return await in_one_hop(connection, lambda raw: insert_here(raw, connection.dialect, one))
    return await insert_there(await driver(connection), connection.dialect, one)


async def bulk_update(
    connection: AsyncConnection, table: Table, keys: tuple[str, ...], columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Set `columns` in the rows that `keys` name; each of `rows` has the values of `keys`, then of `columns`."""
    if not rows:
        return
    dialect = connection.dialect
    if dialect.name == "sqlite":
        sql, processors = _set_here(table, keys, columns, dialect)
        values = _processed([(*row[len(keys) :], *row[: len(keys)]) for row in rows], processors)
        await in_one_hop(connection, lambda raw: raw.executemany(sql, values))
    else:
        await (await driver(connection)).execute(_set_there(table, keys, columns, dialect), *zip(*rows, strict=True))


async def driver(connection: AsyncConnection) -> Any:
    """The driver's own connection, inside the transaction: on PostgreSQL, SQLAlchemy begins one only with the first
    statement that goes through it, and what went past it before would be committed by itself."""
    assert connection.sync_connection is not None
    found: Any = connection.sync_connection.connection.driver_connection
    if connection.dialect.name != "sqlite" and not found.is_in_transaction():
        await connection.exec_driver_sql("SELECT")
    return found


async def in_one_hop(connection: AsyncConnection, work: Callable[[sqlite3.Connection], T]) -> T:
    """What `work` gives, done in the thread of an SQLite connection."""
    raw = await driver(connection)

    def there() -> T:
        try:
            return work(raw._conn)
        except sqlite3.Error as error:  # as SQLAlchemy would raise it; without the values, which may be personal data
            raise exc.DBAPIError.instance("(bulk)", None, error, sqlite3.Error, hide_parameters=True) from error

    found: T = await raw._execute(there)  # private, but aiosqlite has no other way to run several statements at once
    return found


def insert_here(raw: sqlite3.Connection, dialect: Dialect, one: Insert) -> int:
    """Insert by the bare connection of SQLite, in its thread; how many rows that made."""
    sql, processors = _values(one.table, one.columns, dialect, one.new_only)
    return raw.executemany(sql, _processed(one.rows, processors)).rowcount


def insert_sql(one: Insert, dialect: Dialect) -> str:
    """The statement of PostgreSQL, which takes `one.arrays()`."""
    return _unnest(one.table, one.columns, dialect, one.new_only)


async def insert_there(raw: Any, dialect: Dialect, one: Insert) -> int:
    """Insert by the bare connection of PostgreSQL; how many rows that made."""
    status: str
    if len(one.rows) < MANY or one.new_only:
        status = await raw.execute(insert_sql(one, dialect), *one.arrays())
    else:
        status = await raw.copy_records_to_table(one.table.name, columns=one.columns, records=one.rows)
    return int(status.rpartition(" ")[2])  # "INSERT 0 32", "COPY 32"


def _processed(rows: Sequence[Row], processors: Processors) -> Iterable[Row]:
    """The rows as the driver takes them, made column by column: so the loops are not Python's."""
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for i, process in processors:
        columns[i] = list(map(process, columns[i]))
    return zip(*columns, strict=True)


def _into(table: Table, columns: tuple[str, ...], dialect: Dialect) -> str:
    names = ", ".join(dialect.identifier_preparer.quote(c) for c in columns)
    return f"INSERT INTO {dialect.identifier_preparer.format_table(table)} ({names})"


@lru_cache(maxsize=64)
def _values(table: Table, columns: tuple[str, ...], dialect: Dialect, new_only: bool) -> tuple[str, Processors]:
    types = [table.c[c].type.dialect_impl(dialect) for c in columns]
    found = [(i, t.bind_processor(dialect)) for i, t in enumerate(types)]
    marks = ", ".join("?" * len(columns))
    return f"{_into(table, columns, dialect)} VALUES ({marks}){_UNLESS_THERE * new_only}", tuple(
        (i, p) for i, p in found if p
    )


@lru_cache(maxsize=64)
def _set_here(
    table: Table, keys: tuple[str, ...], columns: tuple[str, ...], dialect: Dialect
) -> tuple[str, Processors]:
    quote = dialect.identifier_preparer.quote
    types = [table.c[c].type.dialect_impl(dialect) for c in (*columns, *keys)]
    found = [(i, t.bind_processor(dialect)) for i, t in enumerate(types)]
    changes = ", ".join(f"{quote(c)} = ?" for c in columns)
    where = " AND ".join(f"{quote(k)} = ?" for k in keys)
    name = dialect.identifier_preparer.format_table(table)
    return f"UPDATE {name} SET {changes} WHERE {where}", tuple((i, p) for i, p in found if p)  # noqa: S608


@lru_cache(maxsize=64)
def _set_there(table: Table, keys: tuple[str, ...], columns: tuple[str, ...], dialect: Dialect) -> str:
    quote = dialect.identifier_preparer.quote
    types = [table.c[c].type.dialect_impl(dialect) for c in (*keys, *columns)]
    arrays = ", ".join(f"${i}::{_array_type(t.compile(dialect))}[]" for i, t in enumerate(types, 1))
    names = ", ".join(quote(c) for c in (*keys, *columns))
    changes = ", ".join(f"{quote(c)} = its.{quote(c)}" for c in columns)
    name = dialect.identifier_preparer.format_table(table)
    where = " AND ".join(f"{name}.{quote(k)} = its.{quote(k)}" for k in keys)
    return f"UPDATE {name} SET {changes} FROM unnest({arrays}) AS its({names}) WHERE {where}"  # noqa: S608


@lru_cache(maxsize=64)
def _unnest(table: Table, columns: tuple[str, ...], dialect: Dialect, new_only: bool) -> str:
    types = [table.c[c].type.dialect_impl(dialect) for c in columns]
    arrays = ", ".join(f"${i}::{_array_type(t.compile(dialect))}[]" for i, t in enumerate(types, 1))
    return f"{_into(table, columns, dialect)} SELECT * FROM unnest({arrays}){_UNLESS_THERE * new_only}"  # noqa: S608


def _array_type(compiled: str) -> str:
    """`VARCHAR(36)` as `text`: a length in the array's type would cut values in silence; the column's own refuses."""
    return "text" if compiled.startswith("VARCHAR") else compiled
