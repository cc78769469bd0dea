"""Other counters than before: narrowed ones of every dimension of what was received, and its state by day

Figures from before are stale where there were any: `redress reporting rebuild` replays the events.

Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(sa.text("UPDATE read_model SET stale = true WHERE EXISTS (SELECT 1 FROM fact)"))


def downgrade() -> None:
    op.execute(sa.text("UPDATE read_model SET stale = true WHERE EXISTS (SELECT 1 FROM fact)"))
