"""Many rows in one statement, past the ORM: `unnest` on PostgreSQL, `executemany` in one hop on SQLite."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Table
from sqlalchemy.ext.asyncio import AsyncConnection

Row = tuple[Any, ...]


async def bulk_insert(connection: AsyncConnection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert `rows`, each with the values of `columns` in order, in the open transaction. All or none."""
    if not rows:
        return
    dialect = connection.dialect
    sql, processors = _plan(table, columns, dialect)
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if dialect.name == "sqlite":
        if processors:
            rows = [_processed(row, processors) for row in rows]
        await connection.exec_driver_sql(sql, rows)  # executemany
    else:
        await driver.execute(sql, *zip(*rows, strict=True))


def _processed(row: Row, processors: tuple[tuple[int, Callable[[Any], Any]], ...]) -> Row:
    values = list(row)
    for i, process in processors:
        values[i] = process(values[i])
    return tuple(values)


@lru_cache(maxsize=64)
def _plan(
    table: Table, columns: tuple[str, ...], dialect: Dialect
) -> tuple[str, tuple[tuple[int, Callable[[Any], Any]], ...]]:
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
