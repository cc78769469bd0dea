"""Many rows in one statement, past the ORM: `unnest` on PostgreSQL, `executemany` on SQLite.

SQLite runs in a thread of its own, and going there and back costs more than most statements do. So what belongs
together goes there together (`in_one_hop`).
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from sqlalchemy import Dialect, Table, exc
from sqlalchemy.ext.asyncio import AsyncConnection

Row = tuple[Any, ...]
T = TypeVar("T")
Processors = tuple[tuple[int, Callable[[Any], Any]], ...]


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows for `table`, each with the values of `columns` in order."""

    table: Table
    columns: tuple[str, ...]
    rows: Sequence[Row]


async def bulk_insert(connection: AsyncConnection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert `rows`, each with the values of `columns` in order, in the open transaction. All or none."""
    if not rows:
        return
    one = Insert(table, columns, rows)
    if connection.dialect.name == "sqlite":
        await in_one_hop(connection, lambda raw: insert_here(raw, connection.dialect, [one]))
    else:
        await insert_there(await driver(connection), connection.dialect, [one])


async def any_known(connection: AsyncConnection, table: Table, wanted: Mapping[str, Collection[str]]) -> bool:
    """Whether `table` has a row with one of the `wanted` values in the column under which they stand."""
    asked = {column: list(values) for column, values in wanted.items() if values}
    if not asked:
        return False
    if connection.dialect.name == "sqlite":
        sql, lists = _exists(table, tuple(asked), "sqlite"), [orjson.dumps(v).decode() for v in asked.values()]
        return bool(await in_one_hop(connection, lambda raw: raw.execute(sql, lists).fetchone()[0]))
    raw = await driver(connection)
    return bool(await raw.fetchval(_exists(table, tuple(asked), "postgresql"), *asked.values()))


async def driver(connection: AsyncConnection) -> Any:
    """The driver's own connection, inside the transaction: on PostgreSQL, SQLAlchemy begins one only with the first
    statement that goes through it, and what went past it before would be committed by itself."""
    found: Any = (await connection.get_raw_connection()).driver_connection
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


def insert_here(raw: sqlite3.Connection, dialect: Dialect, inserts: Iterable[Insert]) -> None:
    """Write `inserts` by the bare connection of SQLite, in its thread."""
    for one in inserts:
        sql, processors = _plan(one.table, one.columns, dialect)
        raw.executemany(sql, [_processed(row, processors) for row in one.rows])


async def insert_there(raw: Any, dialect: Dialect, inserts: Iterable[Insert]) -> None:
    """Write `inserts` by the bare connection of PostgreSQL."""
    for one in inserts:
        await raw.execute(_plan(one.table, one.columns, dialect)[0], *zip(*one.rows, strict=True))


def _processed(row: Row, processors: Processors) -> Row:
    values = list(row)
    for i, process in processors:
        values[i] = process(values[i])
    return tuple(values)


@lru_cache(maxsize=64)
def _plan(table: Table, columns: tuple[str, ...], dialect: Dialect) -> tuple[str, Processors]:
    names = ", ".join(dialect.identifier_preparer.quote(c) for c in columns)
    target = dialect.identifier_preparer.format_table(table)
    types = [table.c[c].type.dialect_impl(dialect) for c in columns]
    if dialect.name == "sqlite":
        found = [(i, t.bind_processor(dialect)) for i, t in enumerate(types)]
        marks = ", ".join("?" * len(columns))
        return f"INSERT INTO {target} ({names}) VALUES ({marks})", tuple((i, p) for i, p in found if p)  # noqa: S608
    arrays = ", ".join(f"${i}::{_array_type(t.compile(dialect))}[]" for i, t in enumerate(types, 1))
    return f"INSERT INTO {target} ({names}) SELECT * FROM unnest({arrays})", ()  # noqa: S608


def _array_type(compiled: str) -> str:
    """`VARCHAR(36)` as `text`: a length in the array's type would cut values in silence; the column's own refuses."""
    return "text" if compiled.startswith("VARCHAR") else compiled


@lru_cache(maxsize=64)
def _exists(table: Table, columns: tuple[str, ...], dialect: str) -> str:
    """One look-up by index for each column; an OR inside a single query would leave that to the planner."""
    one = "SELECT 1 FROM {} WHERE {} = ANY(${}::text[])"
    if dialect == "sqlite":
        one = "SELECT 1 FROM {} WHERE {} IN (SELECT value FROM json_each(?{}))"
    return "SELECT " + " OR ".join(f"EXISTS ({one.format(table.name, c, i)})" for i, c in enumerate(columns, 1))
