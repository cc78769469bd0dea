"""What a migration does to a table that is in use, so that nobody who uses it waits.

Each of these commits by itself, together with all that stands before it in the migration, and finds out when it is
called again that it has been done: a migration that is broken off begins anew. So they stand first in `upgrade`, and
what `op` does in the migration's own transaction stands after them. On SQLite, where one process is the desk and
migrates before it serves, they do the same plainly.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from alembic import op
from sqlalchemy import Column, TextClause, text
from sqlalchemy import inspect as look_at

from shared.migrations import running

AT_ONCE = 5000  # rows changed in one transaction


def index(
    name: str, table: str, columns: Sequence[str | TextClause], *, unique: bool = False, where: TextClause | None = None
) -> None:
    """Build an index while the table is read and written: on PostgreSQL CONCURRENTLY. One that an earlier attempt left
    unfinished is invalid and built anew."""
    if not _on_postgres():
        op.create_index(name, table, list(columns), unique=unique, sqlite_where=where, if_not_exists=True)
        return
    with _patiently():
        if _is_invalid(name):
            op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)
        op.create_index(
            name,
            table,
            list(columns),
            unique=unique,
            postgresql_where=where,
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def drop_index(name: str, table: str) -> None:
    """Drop an index that no version in use needs."""
    if not _on_postgres():
        op.drop_index(name, table_name=table, if_exists=True)
        return
    with _patiently():
        op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)


def column(table: str, added: "Column[object]") -> None:
    """Add a column, whose lock on the table is gone at once. It may be empty or has a `server_default`."""
    if added.name in {one["name"] for one in look_at(op.get_bind()).get_columns(table)}:
        return
    with op.get_context().autocommit_block() if _on_postgres() else _plainly():
        op.add_column(table, added)


def fill(table: str, key: str, assignment: str, *, where: str) -> None:
    """`UPDATE table SET assignment WHERE where`, a few thousand rows in a transaction, in the order of `key`, a unique
    text column. `where` must not hold any more for a row that is done."""
    portion = f"SELECT {key} FROM {table} WHERE {key} > :last ORDER BY {key} LIMIT {AT_ONCE}"  # noqa: S608 - no input
    span = text(f"SELECT max({key}) FROM ({portion}) AS portion")  # noqa: S608
    change = text(f"UPDATE {table} SET {assignment} WHERE {key} > :last AND {key} <= :end AND ({where})")  # noqa: S608
    last = ""
    with op.get_context().autocommit_block() if _on_postgres() else _plainly():
        while (end := op.get_bind().scalar(span, {"last": last})) is not None:
            op.get_bind().execute(change, {"last": last, "end": end})
            last = end


def _on_postgres() -> bool:
    return op.get_context().dialect.name == "postgresql"


@contextmanager
def _plainly() -> Iterator[None]:
    yield


@contextmanager
def _patiently() -> Iterator[None]:
    """Outside a transaction, and waiting for others as long as need be: a concurrent statement waits until those have
    ended who began before it, and holds up neither readers nor writers meanwhile."""
    with op.get_context().autocommit_block():
        op.execute(f"SET lock_timeout = '{running.PATIENCE:.0f}s'")
        try:
            yield
        finally:
            op.execute(f"SET lock_timeout = '{running.LOCK_SECONDS * 1000:.0f}ms'")


def _is_invalid(name: str) -> bool:
    query = text("SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    return bool(op.get_bind().scalar(query, {"name": name}))
