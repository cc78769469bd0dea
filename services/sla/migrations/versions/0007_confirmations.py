"""What the bank has confirmed of packs and calendars, and open steps in the order in which they fall due

People look for what falls due next; `step_open` is in the order in which work must begin.

Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from shared.db import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
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
    is_open = sa.text("met_at IS NULL AND historic IS false AND ended IS false")
    on_sqlite = sa.text("met_at IS NULL AND historic IS 0 AND ended IS 0")
    op.create_index(
        "step_due", "step", ["due_at", "clock_id", "name"], postgresql_where=is_open, sqlite_where=on_sqlite
    )


def downgrade() -> None:
    op.drop_index("step_due", "step")
    op.drop_table("confirmation")
