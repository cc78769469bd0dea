"""Whose law a complaint is under, for what its letters have to say

Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("complaint_case", sa.Column("jurisdiction", sa.String(length=20), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("complaint_case") as case:
        case.drop_column("jurisdiction")
