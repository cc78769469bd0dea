"""The versions between which an upgrade is made: each is a folder with its code, from which processes are run."""

import os
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

from alembic.script import ScriptDirectory

from shared import migrations

ROOT = Path(__file__).resolve().parents[2]
_CODE = ("deploy", "services", "shared")
_MIGRATIONS = "services/*/migrations/versions/*.py"
_STEPS = 10
_BUSY = {
    "intake": ("complaint", "id"),
    "routing": ("complaint_case", "complaint_id"),
    "sla": ("complaint", "complaint_id"),
    "reporting": ("fact", "complaint_id"),
}
_NEXT = '''"""What a later version might want: columns, filled and indexed, of a table in use, and a table"""

import sqlalchemy as sa
from alembic import op

from shared import migrations

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    migrations.column("{table}", sa.Column("of_tomorrow", sa.String(20), nullable=True))
    migrations.column("{table}", sa.Column("told", sa.String(20), nullable=False, server_default="later"))
    migrations.fill("{table}", "{key}", "of_tomorrow = 'filled'", where="of_tomorrow IS NULL")
    migrations.index("{table}_of_tomorrow", "{table}", ["of_tomorrow", "{key}"])
    op.create_table("tomorrow", sa.Column("id", sa.String(36), primary_key=True), sa.Column("at", sa.Integer()))
    op.create_index("tomorrow_at", "tomorrow", ["at"])
'''


def before_the_newest_migrations() -> str | None:
    """The commit before the one that brought the newest migrations, as the main line has it. None where nothing is
    known of it: a checkout without git, or without that part of its history."""
    log = ("log", "--first-parent", "-m", "--no-renames", "--diff-filter=A", "-n1", "--format=%H")
    newest = (_git(*log, "--", _MIGRATIONS) or b"").decode().strip()
    found = _git("rev-parse", "--verify", "--quiet", f"{newest}^1") if newest else None
    return found.decode().strip() if found else None


def previous(commit: str, into: Path) -> Path:
    """The code as it was at `commit`, in a folder of `into`; where that was a step half-way, which cannot even be
    loaded, as it was at the last commit before that could."""
    for one in (_git("rev-list", "--first-parent", f"-n{_STEPS}", commit) or b"").decode().split():
        packed = _git("archive", one, *_CODE)
        assert packed is not None
        folder = into / "previous"
        shutil.rmtree(folder, ignore_errors=True)
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        load = [sys.executable, "-c", "import deploy.registry"]
        alone = {**os.environ, "PYTHONPATH": str(folder)}
        if not subprocess.run(load, cwd=folder, env=alone, capture_output=True, check=False).returncode:
            print(f"the old version is {one}")
            return folder
    raise LookupError(f"none of the {_STEPS} commits up to {commit} can be loaded")


def following(into: Path) -> Path:
    """The code as it is with one more migration a service, and a field more in every event, in a folder of `into`."""
    folder = into / "next"
    for name in _CODE:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for service, (table, key) in _BUSY.items():
        versions = folder / "services" / service / "migrations"
        before = ScriptDirectory.from_config(migrations.config(versions, "")).get_current_head()
        assert before is not None
        revision = f"{int(before) + 1:04}"
        source = _NEXT.format(revision=revision, before=before, table=table, key=key)
        (versions / "versions" / f"{revision}_tomorrow.py").write_text(source)
    events = folder / "shared" / "events.py"
    before_it, field = events.read_text(), "    complaint_id: str\n"
    assert field in before_it
    events.write_text(before_it.replace(field, f'{field}    of_tomorrow: str = "nobody knows it yet"\n', 1))
    return folder


def drains(source: Path) -> bool:
    """Whether this version's HTTP processes say that they leave before they do."""
    return (source / "shared" / "web" / "leaving.py").exists()


def _git(*arguments: str) -> bytes | None:
    """What git answers; None where it cannot, or is not there."""
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
