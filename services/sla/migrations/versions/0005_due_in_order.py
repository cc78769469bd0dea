"""What is due, in the order in which it is claimed

Thousands of deadlines end with the same business day. By `next_at` alone, claiming some of them sorted all of them.

Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _index("next_at", "complaint_id", "due_at")


def downgrade() -> None:
    _index("next_at")


def _index(*columns: str) -> None:
    acts = sa.text("next_at IS NOT NULL")
    op.drop_index("step_next", "step")
    op.create_index("step_next", "step", list(columns), postgresql_where=acts, sqlite_where=acts)
