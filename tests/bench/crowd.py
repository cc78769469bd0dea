"""A home with many complaints, made out of one with some: each row of a complaint is copied under other ids.

Every table of a copied complaint has the same new id for the same old one, so what belongs together stays together.
What is of the desk and not of a complaint (keys, officers, webhooks) is left as it is. The copies are for reading
pages; as evidence they are worthless, and the audit chain over them does not hold.
"""

import hashlib
import re
import sqlite3
from pathlib import Path

_WHOLE = frozenset(("complaint", "audit"))
_PARTS = frozenset(
    ("complaint_id", "clock_id", "earlier_id", "notice_id")
)  # a table with one of these is of complaints
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def multiply(path: Path, times: int) -> None:
    """Have `times` of everything in the SQLite database `path` that belongs to a complaint."""
    with sqlite3.connect(path, isolation_level=None) as db:
        db.create_function("twin", 3, _twin, deterministic=True)
        db.execute("PRAGMA synchronous=OFF")
        db.execute("BEGIN")
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall():
            columns = {row[1] for row in db.execute(f'PRAGMA table_info("{table}")').fetchall()}
            if table in _WHOLE or columns & _PARTS:
                _copy(db, table, times)
        db.execute(
            "UPDATE audit_head SET seq = (SELECT max(seq) FROM audit)"
        )  # or the next entry finds its place taken
        db.execute("COMMIT")
        db.execute("ANALYZE")


def count(path: Path, table: str) -> int:
    """How many rows a table of the SQLite database `path` has."""
    with sqlite3.connect(path) as db:
        found: int = db.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
        return found


def _copy(db: sqlite3.Connection, table: str, times: int) -> None:
    columns = db.execute(f'PRAGMA table_info("{table}")').fetchall()
    indexes = [row[1] for row in db.execute(f'PRAGMA index_list("{table}")').fetchall() if row[2]]
    of_each = [[row[2] for row in db.execute(f'PRAGMA index_info("{name}")').fetchall()] for name in indexes]
    unique = {of_one[0] for of_one in of_each if len(of_one) == 1}
    taken = [
        "NULL" if kind == "INTEGER" and key == 1 else _value(name, kind, name in unique)
        for _, name, kind, _, _, key in columns
    ]
    names = ", ".join(f'"{column[1]}"' for column in columns)
    query = (
        f"WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < {times - 1})"
        f' INSERT INTO "{table}" ({names}) SELECT {", ".join(taken)} FROM (SELECT * FROM "{table}"), k'
    )
    if times > 1:
        db.execute(query)


def _value(name: str, kind: str, unique: bool) -> str:
    if kind.startswith(("INT", "DATE", "BOOL")):
        return f'"{name}"'
    ours = name == "id" or name.endswith("_id") or name in ("reference", "subject")
    return f'twin("{name}", n, {int(unique)})' if ours or unique else f'"{name}"'


def _twin(value: str | bytes | None, n: int, unique: int) -> str | bytes | None:
    """The n-th other value of the same shape; always the same for the same value. What has none of our shapes, such as
    an officer's id, changes only where it must be `unique`."""
    if value is None or value == "":
        return value
    if isinstance(value, bytes):
        return hashlib.sha256(value + b"%d" % n).digest()[: len(value)]
    if _UUID.match(value):  # the first half is the time of a UUIDv7, by which rows lie beside one another
        digest = hashlib.sha256(f"{value}{n}".encode()).hexdigest()
        return f"{value[:19]}{digest[:4]}-{digest[4:16]}"
    if re.fullmatch(r"\d{6}-[0-9A-Z]{4}-[0-9A-Z]{6}", value):
        digest = hashlib.sha256(f"{value}{n}".encode()).digest()
        letters = "".join(_LETTERS[byte % 32] for byte in digest[:10])
        return f"{value[:7]}{letters[:4]}-{letters[4:]}"
    return hashlib.sha256(f"{value}{n}".encode()).hexdigest()[: len(value)] if unique else value
