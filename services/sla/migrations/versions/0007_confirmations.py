"""What the bank has confirmed of packs and calendars, and open steps in the order in which they fall due

People look for what falls due next; `step_open` is in the order in which work must begin.

Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from shared import migrations
from shared.db import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_open = "met_at IS NULL AND historic IS {0} AND ended IS {0}"
    is_open = is_open.format("false" if op.get_context().dialect.name == "postgresql" else "0")
    migrations.index("step_due", "step", ["due_at", "clock_id", "name"], where=sa.text(is_open))
    op.create_table(
        "confirmation",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("edition", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "edition"),
    )


def downgrade() -> None:
    op.drop_index("step_due", "step")
    op.drop_table("confirmation")
