"""What compliance checks look for: late answers, misses nobody was told of, extensions and pauses

Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from shared import migrations

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INDEXES = {
    "step_late": (
        "step",
        ["due_at", "clock_id"],
        "name = 'final' AND state IN ('missed', 'met_late') AND extended_to IS NULL AND historic = false",
    ),
    "step_untold": (
        "step",
        ["missed_at", "clock_id", "name"],
        "missed_at IS NOT NULL AND rung = 0 AND historic = false",
    ),
    "entry_extended": ("entry", ["recorded_at", "clock_id", "seq", "reason"], "kind = 'extended'"),
    "entry_paused": ("entry", ["at", "clock_id", "seq"], "kind = 'paused'"),
}


def upgrade() -> None:
    for name, (table, columns, where) in _INDEXES.items():
        migrations.index(name, table, columns, where=sa.text(where))


def downgrade() -> None:
    for name, (table, _, _) in _INDEXES.items():
        op.drop_index(name, table_name=table)
