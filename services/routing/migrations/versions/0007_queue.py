"""The officers' queue: what is due next, saved views, what was done to many cases at once

Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from shared import migrations
from shared.db import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OPEN = sa.text("state <> 'closed'")
_WAITS = sa.text("waiting")
_CLOSED = sa.text("state = 'closed'")
_FILTERS = ["state", "category", "severity", "channel", "branch", "language", "vulnerable"]
_INDEXES = {
    "complaint_case_due": (["due_key", *_FILTERS], _OPEN),
    "complaint_case_due_department": (["department", "due_key", *_FILTERS], _OPEN),
    "complaint_case_due_assignee": (["assignee", "due_key"], _OPEN),
    "complaint_case_closed": (["sort_key", *_FILTERS[1:]], _CLOSED),
}


def upgrade() -> None:
    migrations.column("complaint_case", sa.Column("next_due_at", UtcDateTime(), nullable=True))
    migrations.column("complaint_case", sa.Column("next_step", sa.String(length=20), nullable=True))
    migrations.column("complaint_case", sa.Column("due_key", sa.String(length=70), nullable=False, server_default="~"))
    # of cases from before, and of those that the old version opens meanwhile, the next warning or missed deadline
    # tells; until then they stand behind all others
    behind = "due_key = '9999-12-31T23:59:59.000Z|' || complaint_id"
    migrations.fill("complaint_case", "complaint_id", behind, where="due_key = '~'")
    for name, (columns, which) in _INDEXES.items():
        migrations.index(name, "complaint_case", columns, where=which)
    migrations.index("complaint_case_reference", "complaint_case", ["reference"])
    op.create_table(
        "case_clock",
        sa.Column("clock_id", sa.String(length=64), primary_key=True),
        sa.Column("complaint_id", sa.String(length=36), nullable=False),
        sa.Column("primary", sa.Boolean(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("waiting", sa.Boolean(), nullable=False),
        sa.Column("steps", sa.Text(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_case_clock_complaint_id", "case_clock", ["complaint_id"])
    op.create_index("case_clock_changed", "case_clock", ["changed_at"])
    op.create_index("case_clock_waiting", "case_clock", ["complaint_id"], sqlite_where=_WAITS, postgresql_where=_WAITS)
    op.create_table(
        "queue_view",
        sa.Column("id", sa.String(length=36), primary_key=True),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("query", sa.String(length=1000), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_queue_view_owner", "queue_view", ["owner"])
    op.create_table(
        "bulk_action",
        sa.Column("id", sa.String(length=36), primary_key=True),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("verb", sa.String(length=20), nullable=False),
        sa.Column("items", sa.Text(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=False),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
    )
    op.create_index("ix_bulk_action_actor", "bulk_action", ["actor"])


def downgrade() -> None:
    for table in ("bulk_action", "queue_view", "case_clock"):
        op.drop_table(table)
    for name in ("complaint_case_reference", *_INDEXES):
        op.drop_index(name, table_name="complaint_case")
    with op.batch_alter_table("complaint_case") as case:
        for column in ("due_key", "next_step", "next_due_at"):
            case.drop_column(column)
