"""What compliance checks look for: closed cases with something amiss, and those decided by one person alone

Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_AMISS = sa.text("""closed_at IS NOT NULL AND (final_response_at IS NULL OR delivered_at IS NULL OR NOT rights_told
OR outcome IS NULL OR root_cause IS NULL OR approved_by = proposed_by OR about <> '[]')""")
_ALONE = sa.text("closed_at IS NOT NULL AND approved_by IS NULL")


def upgrade() -> None:
    _index("complaint_case_amiss", ["closed_at", "complaint_id"], _AMISS)
    decided = ["outcome", "severity", "redress_currency", "redress_value"]
    _index("complaint_case_alone", ["closed_at", "complaint_id", *decided], _ALONE)


def downgrade() -> None:
    op.drop_index("complaint_case_alone", table_name="complaint_case")
    op.drop_index("complaint_case_amiss", table_name="complaint_case")


def _index(name: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, "complaint_case", columns, sqlite_where=where, postgresql_where=where)
