"""Who looked at personal data and when, for compliance checks

Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from shared import migrations

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_READS = sa.text("""action IN ('complaint.read', 'messages.read', 'letters.read', 'letter.read', 'letter.printed',
'files.read', 'vulnerability.read', 'subject_access.exported', 'dispatch.read')""")


def upgrade() -> None:
    migrations.index("audit_reads", "audit", ["at", "actor"], where=_READS)


def downgrade() -> None:
    op.drop_index("audit_reads", table_name="audit")
