"""Indexes for those who head a department: open cases by officer, what waits for a person's word, transfers

Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from shared import migrations

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OPEN = sa.text("state NOT IN ('closed', 'resolved')")
_PERSONS_TURN = sa.text("state = 'triage' OR state = 'proposed'")
_MOVED = sa.text("kind = 'transfer'")


def upgrade() -> None:
    load = ["assignee", "department", "state"]
    migrations.index("complaint_case_load", "complaint_case", load, where=_OPEN)
    migrations.index("complaint_case_turn", "complaint_case", ["state", "sort_key"], where=_PERSONS_TURN)
    migrations.index("case_entry_transfer", "case_entry", ["at"], where=_MOVED)


def downgrade() -> None:
    op.drop_index("case_entry_transfer", table_name="case_entry")
    op.drop_index("complaint_case_turn", table_name="complaint_case")
    op.drop_index("complaint_case_load", table_name="complaint_case")
