"""What compliance checks look for: closed cases with something amiss, and those decided by one person alone

Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from shared import migrations

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_AMISS = sa.text("""closed_at IS NOT NULL AND (final_response_at IS NULL OR delivered_at IS NULL OR NOT rights_told
OR outcome IS NULL OR root_cause IS NULL OR approved_by = proposed_by OR about <> '[]')""")
_ALONE = sa.text("closed_at IS NOT NULL AND approved_by IS NULL")


def upgrade() -> None:
    migrations.index("complaint_case_amiss", "complaint_case", ["closed_at", "complaint_id"], where=_AMISS)
    decided = ["closed_at", "complaint_id", "outcome", "severity", "redress_currency", "redress_value"]
    migrations.index("complaint_case_alone", "complaint_case", decided, where=_ALONE)


def downgrade() -> None:
    op.drop_index("complaint_case_alone", table_name="complaint_case")
    op.drop_index("complaint_case_amiss", table_name="complaint_case")
