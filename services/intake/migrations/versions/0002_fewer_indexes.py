"""Two indexes that no query uses, which every complaint paid for

Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_complaint_key_id", table_name="complaint")
    op.drop_index("ix_complaint_received_at", table_name="complaint")


def downgrade() -> None:
    op.create_index("ix_complaint_received_at", "complaint", ["received_at"])
    op.create_index("ix_complaint_key_id", "complaint", ["key_id"])
