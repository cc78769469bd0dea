"""A migration runs while the version before it still works: it may add, and take away only what nobody uses any more.

Read from the source, without a database: each call on `op`, a batch or `migrations` in `upgrade`. The version before
must be able to go on reading and writing: it runs beside the new one during an upgrade (CONTRIBUTING, "Migrations").
Nor may it wait: what is done to a table in use is done by the helpers of `shared.migrations`, and they stand first.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SERVICES = Path(__file__).resolve().parents[2] / "services"
# The last revision of the version before this rule: up to here there was nothing in use to break.
RULED_AFTER = {"intake": "0003", "routing": "0004", "sla": "0005", "reporting": "0005"}

_BREAKS = {
    "drop_table": "drops a table",
    "drop_column": "drops a column",
    "rename_table": "renames a table",
    "create_check_constraint": "adds a check that old rows may not pass",
    "create_foreign_key": "adds a foreign key that old rows may not keep",
    "create_primary_key": "changes a primary key",
}
_LOCKS = {
    "create_index": "locks out those who write while an index is built (migrations.index does not)",
    "drop_index": "locks out everybody who comes while it waits (migrations.drop_index does not)",
}
_ASKS = {"f", "get_bind", "get_context"}  # what `op` is asked without doing anything
_UPDATE = re.compile(r"^\s*update\b", re.IGNORECASE)
_SQL = re.compile(r"\b(drop|rename|truncate)\b|\bset\s+not\s+null\b|\balter\s+column\b", re.IGNORECASE)


@dataclass
class Migration:
    """`contracts` is the reason, in the module's `CONTRACTS`, why what it takes away is used by nobody any more."""

    name: str
    revision: str = ""
    contracts: str = ""
    problems: list[str] = field(default_factory=list)


def inspect(name: str, source: str) -> Migration:
    found = Migration(name)
    made: set[str] = set()
    added: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id in ("revision", "CONTRACTS"):
                    setattr(found, target.id.lower(), str(node.value.value))
        if isinstance(node, ast.FunctionDef) and node.name != "downgrade":
            calls = [one for one in ast.walk(node) if isinstance(one, ast.Call)]
            calls.sort(key=lambda one: (one.lineno, one.col_offset))
            batches = dict(_batches(node))
            for call in calls:
                _judge(found, call, batches, made, added)
            _order(found, calls)
    return found


def _batches(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """`with op.batch_alter_table("table") as name`: what each name stands for."""
    for node in ast.walk(function):
        if isinstance(node, ast.With):
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name) and isinstance(item.context_expr, ast.Call):
                    yield item.optional_vars.id, _text(item.context_expr, 0)


def _order(found: Migration, calls: list[ast.Call]) -> None:
    """A helper commits what stands before it, and a migration that is broken off after that begins anew."""
    changed = ""
    for owner, verb in (_named(call) for call in calls):
        if owner == "op" and verb not in _ASKS:
            changed = verb
        elif owner == "migrations" and changed:
            found.problems.append(f"commits op.{changed} half-way: migrations.{verb} belongs before it")
            return


def _named(call: ast.Call) -> tuple[str, str]:
    """`op.create_table(...)`: ("op", "create_table"); for anything but a name's attribute, two empty texts."""
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        return call.func.value.id, call.func.attr
    return "", ""


def _judge(found: Migration, call: ast.Call, batches: dict[str, str], made: set[str], added: set[str]) -> None:
    owner, verb = _named(call)
    if owner not in ("op", "migrations") and owner not in batches:
        return
    table = batches.get(owner) or _text(call, 1 if "index" in verb or "constraint" in verb else 0)
    given = {word.arg: word.value for word in call.keywords}
    if verb == "create_table":
        made.add(_text(call, 0))
    elif table in made:
        return
    elif verb in _BREAKS:
        found.problems.append(f"{_BREAKS[verb]}: {_text(call, 0)}")
    elif verb in ("add_column", "column"):
        column = call.args[-1]
        assert isinstance(column, ast.Call), "a column is written out where it is added"
        told = {word.arg: word.value for word in column.keywords}
        added.add(_text(column, 0))
        if _is(told.get("nullable"), False) and "server_default" not in told:
            found.problems.append(f"adds a column that the old version does not fill: {_text(column, 0)}")
    elif verb == "alter_column":
        if _is(given.get("nullable"), False) or given.keys() & {"new_column_name", "type_"}:
            found.problems.append(f"changes a column: {_text(call, 0 if owner in batches else 1)}")
    elif verb in _LOCKS and owner != "migrations":
        found.problems.append(f"{_LOCKS[verb]}: {_text(call, 0)}")
    elif verb == "create_unique_constraint" or (verb == "index" and _is(given.get("unique"), True)):
        columns = {c.value for arg in call.args for c in ast.walk(arg) if isinstance(c, ast.Constant)}
        if not columns & added:  # of a column that the old version leaves empty, nothing is equal
            found.problems.append(f"demands of the old version what it does not know is unique: {_text(call, 0)}")
    elif verb == "execute":
        sql = " ".join(str(c.value) for c in ast.walk(call) if isinstance(c, ast.Constant))
        if _SQL.search(sql):
            found.problems.append(f"executes {sql[:60]}")
        elif _UPDATE.search(sql):
            found.problems.append(f"keeps rows locked until all are changed (migrations.fill does not): {sql[:60]}")


def _text(call: ast.Call, place: int) -> str:
    """The text that is the argument at `place`; `?` where it is none."""
    one = call.args[place] if place < len(call.args) else None
    if isinstance(one, ast.Call):  # op.f("name")
        return _text(one, 0)
    return str(one.value) if isinstance(one, ast.Constant) else "?"


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


MIGRATIONS = [
    pytest.param(service, path, id=f"{service}-{path.stem}")
    for service in RULED_AFTER
    for path in sorted((SERVICES / service / "migrations" / "versions").glob("*.py"))
    if path.stem[:4] > RULED_AFTER[service]
]


@pytest.mark.parametrize(("service", "path"), MIGRATIONS or [pytest.param(None, None, id="none-yet")])
def test_a_migration_leaves_the_version_before_it_working(service: str | None, path: Path | None) -> None:
    if path is None:
        return
    found = inspect(path.name, path.read_text())
    assert found.revision == path.stem[:4], "files are named by their revision: that is how the newer ones are known"
    assert not found.problems or found.contracts, (
        f"{service} {path.name} breaks the version before it: {found.problems}. Split it in two releases, or say in "
        "CONTRACTS since which version nobody uses what it takes away."
    )


def test_the_recorded_revisions_are_there() -> None:
    for service, revision in RULED_AFTER.items():
        assert list((SERVICES / service / "migrations" / "versions").glob(f"{revision}_*.py"))


@pytest.mark.parametrize(
    "line",
    [
        'op.drop_table("link")',
        'op.drop_column("complaint", "branch")',
        'op.rename_table("link", "tie")',
        'op.add_column("link", sa.Column("why", sa.String(), nullable=False))',
        'op.alter_column("link", "why", nullable=False)',
        'op.alter_column("link", "why", new_column_name="reason")',
        'op.create_index("one", "link", ["why"])',
        'op.create_index("one", "link", ["why"], unique=True)',
        'op.create_index(name, table, ["why"])',
        'op.drop_index("one", table_name="link")',
        'with op.batch_alter_table("link") as link:\n        link.create_index("one", ["why"])',
        'migrations.index("one", "link", ["why"], unique=True)',
        'migrations.column("link", sa.Column("why", sa.String(), nullable=False))',
        'op.execute("UPDATE link SET why = how")',
        'op.create_table("tie")\n    migrations.index("one", "link", ["why"])',
        'op.add_column("link", sa.Column("a", sa.Text()))\n    migrations.fill("link", "id", "a = b", where="a <> b")',
        'op.execute("ALTER TABLE link DROP COLUMN why")',
        'op.execute(sa.text("alter table link alter column why set not null"))',
        'with op.batch_alter_table("link") as link:\n        link.drop_column("why")',
        'with op.batch_alter_table("link") as link:\n        link.alter_column("why", type_=sa.Text())',
        'with op.batch_alter_table("link") as link:\n        link.create_unique_constraint("one", ["why"])',
    ],
)
def test_what_would_break_it_is_found(line: str) -> None:
    source = f'revision = "0009"\n\n\ndef upgrade():\n    {line}\n\n\ndef downgrade():\n    pass\n'
    assert len(inspect("x", source).problems) == 1
    assert inspect("x", f'CONTRACTS = "unused since 0008"\n{source}').contracts


def test_what_only_adds_is_let_through() -> None:
    source = """
revision = "0009"


def upgrade():
    migrations.column("link", sa.Column("why", sa.String(), nullable=True))
    migrations.column("link", sa.Column("how", sa.String(), nullable=False, server_default="hand"))
    migrations.fill("link", "id", "how = 'machine'", where="score > 0 AND how = 'hand'")
    migrations.index("link_why", "link", ["why"], unique=True)
    migrations.index("link_how", "link", ["how"])
    migrations.drop_index("link_old", "link")
    op.create_table("tie", sa.Column("id", sa.Integer(), nullable=False))
    op.create_index("tie_how", "tie", ["how"])
    with op.batch_alter_table("tie") as tie:
        tie.create_index("tie_id", ["id"], unique=True)
    op.add_column("link", sa.Column("when", sa.String(), nullable=True))
    op.alter_column("link", "score", nullable=True)


def downgrade():
    op.drop_table("tie")
"""
    assert inspect("x", source).problems == []
