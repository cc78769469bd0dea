"""Complaints are found by the name of a person; the log of a webhook is read in order

Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from shared import migrations

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
_AT_ONCE = 5000


def upgrade() -> None:
    migrations.index("delivery_log", "delivery", ["webhook_id", "id"])
    migrations.drop_index("ix_delivery_webhook_id", "delivery")
    parts = op.create_table(
        "name_part",
        sa.Column("part_key", sa.String(length=32), nullable=False),
        sa.Column("complaint_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("part_key", "complaint_id"),
    )
    _keep_names(parts)
    op.create_index("ix_name_part_complaint_id", "name_part", ["complaint_id"])


def _keep_names(parts: sa.Table) -> None:
    """Of the complaints that are there, as far as `trait` knows their names: those without phone, e-mail and customer
    number have none, and a migration holds no keys to open them."""
    trait = sa.table("trait", sa.column("complaint_id", sa.String), sa.column("name_keys", sa.Text))
    connection, last = op.get_bind(), ""
    while True:
        query = sa.select(trait).where(trait.c.complaint_id > last).order_by(trait.c.complaint_id).limit(_AT_ONCE)
        rows = connection.execute(query).all()
        found = [{"part_key": key, "complaint_id": row[0]} for row in rows for key in set(row[1].split())]
        if found:
            connection.execute(parts.insert(), found)
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1][0]


def downgrade() -> None:
    op.create_index("ix_delivery_webhook_id", "delivery", ["webhook_id"])
    op.drop_index("delivery_log", table_name="delivery")
    op.drop_table("name_part")
