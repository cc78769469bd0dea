"""From when a matter that was reported several times counts

Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from shared.db import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clock", sa.Column("governs_from", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("clock", "governs_from")
