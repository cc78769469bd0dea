"""The series of complaints that an incident is about, so that it is declared once

Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    op.add_column("incident", sa.Column("series", sa.String(length=300), nullable=True))
    op.create_index("incident_series", "incident", ["series"], unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN)


def downgrade() -> None:
    op.drop_index("incident_series", table_name="incident")
    with op.batch_alter_table("incident") as incident:
        incident.drop_column("series")
