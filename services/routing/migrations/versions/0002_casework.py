"""Casework: proposals and approvals, delivery, consults, letters, officers, incidents, models

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
    op.create_table(
        "absence",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("officer_id", sa.String(length=100), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("absence_officer", "absence", ["officer_id", "last"], unique=False)
    op.create_table(
        "case_entry",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("complaint_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("case_entry_case", "case_entry", ["complaint_id", "id"], unique=False)
    op.create_table(
        "consult",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("complaint_id", sa.String(length=36), nullable=False),
        sa.Column("department", sa.String(length=40), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(length=100), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.String(length=100), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("consult_case", "consult", ["complaint_id"], unique=False)
    op.create_index("consult_waiting", "consult", ["department", "answered_at"], unique=False)
    op.create_table(
        "correction",
        sa.Column("complaint_id", sa.String(length=36), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("product", sa.String(length=64), nullable=True),
        sa.Column("was", sa.String(length=40), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("complaint_id"),
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("cause", sa.String(length=20), nullable=False),
        sa.Column("department", sa.String(length=40), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=True),
        sa.Column("declared_by", sa.String(length=100), nullable=False),
        sa.Column("declared_at", UtcDateTime(), nullable=False),
        sa.Column("closed_by", sa.String(length=100), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(("ix_incident_state"), "incident", ["state"], unique=False)
    op.create_table(
        "letter",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("complaint_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("template", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("issued_by", sa.String(length=100), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("via", sa.String(length=10), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("letter_case", "letter", ["complaint_id"], unique=False)
    op.create_table(
        "officer",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("department", sa.String(length=40), nullable=False),
        sa.Column("branch", sa.String(length=64), nullable=True),
        sa.Column("languages", sa.Text(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=False),
        sa.Column("products", sa.Text(), nullable=False),
        sa.Column("most_open", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(("ix_officer_department"), "officer", ["department"], unique=False)
    op.create_table(
        "trained_model",
        sa.Column("version", sa.String(length=80), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("compared_with", sa.String(length=80), nullable=False),
        sa.Column("trained_by", sa.String(length=100), nullable=False),
        sa.Column("trained_at", UtcDateTime(), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_index(("ix_trained_model_state"), "trained_model", ["state"], unique=False)
    op.add_column(
        "complaint_case", sa.Column("decided_by", sa.String(length=10), nullable=False, server_default="rules")
    )
    op.add_column("complaint_case", sa.Column("model", sa.String(length=80), nullable=True))
    op.add_column("complaint_case", sa.Column("explanation", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("complaint_case", sa.Column("customer_ref", sa.String(length=80), nullable=True))
    op.add_column("complaint_case", sa.Column("vulnerable", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("complaint_case", sa.Column("about", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("complaint_case", sa.Column("waiting_since", UtcDateTime(), nullable=True))
    op.add_column("complaint_case", sa.Column("proposed", sa.Text(), nullable=True))
    op.add_column("complaint_case", sa.Column("proposed_by", sa.String(length=100), nullable=True))
    op.add_column("complaint_case", sa.Column("proposed_at", UtcDateTime(), nullable=True))
    op.add_column("complaint_case", sa.Column("approved_by", sa.String(length=100), nullable=True))
    op.add_column("complaint_case", sa.Column("approved_at", UtcDateTime(), nullable=True))
    op.add_column("complaint_case", sa.Column("delivered_via", sa.String(length=20), nullable=True))
    op.add_column("complaint_case", sa.Column("delivered_at", UtcDateTime(), nullable=True))
    op.add_column("complaint_case", sa.Column("rights_told", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("complaint_case", sa.Column("reopened", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("complaint_case", sa.Column("withdrawn_at", UtcDateTime(), nullable=True))
    op.add_column("complaint_case", sa.Column("disputed_at", UtcDateTime(), nullable=True))
    op.add_column("complaint_case", sa.Column("incident_id", sa.String(length=36), nullable=True))
    op.create_index("complaint_case_customer", "complaint_case", ["customer_ref"], unique=False)
    op.create_index("complaint_case_incident", "complaint_case", ["incident_id"], unique=False)


def downgrade() -> None:
    op.drop_index("complaint_case_incident", table_name="complaint_case")
    op.drop_index("complaint_case_customer", table_name="complaint_case")
    op.drop_column("complaint_case", "incident_id")
    op.drop_column("complaint_case", "disputed_at")
    op.drop_column("complaint_case", "withdrawn_at")
    op.drop_column("complaint_case", "reopened")
    op.drop_column("complaint_case", "rights_told")
    op.drop_column("complaint_case", "delivered_at")
    op.drop_column("complaint_case", "delivered_via")
    op.drop_column("complaint_case", "approved_at")
    op.drop_column("complaint_case", "approved_by")
    op.drop_column("complaint_case", "proposed_at")
    op.drop_column("complaint_case", "proposed_by")
    op.drop_column("complaint_case", "proposed")
    op.drop_column("complaint_case", "waiting_since")
    op.drop_column("complaint_case", "about")
    op.drop_column("complaint_case", "vulnerable")
    op.drop_column("complaint_case", "customer_ref")
    op.drop_column("complaint_case", "explanation")
    op.drop_column("complaint_case", "model")
    op.drop_column("complaint_case", "decided_by")
    op.drop_index(("ix_trained_model_state"), table_name="trained_model")
    op.drop_table("trained_model")
    op.drop_index(("ix_officer_department"), table_name="officer")
    op.drop_table("officer")
    op.drop_index("letter_case", table_name="letter")
    op.drop_table("letter")
    op.drop_index(("ix_incident_state"), table_name="incident")
    op.drop_table("incident")
    op.drop_table("correction")
    op.drop_index("consult_waiting", table_name="consult")
    op.drop_index("consult_case", table_name="consult")
    op.drop_table("consult")
    op.drop_index("case_entry_case", table_name="case_entry")
    op.drop_table("case_entry")
    op.drop_index("absence_officer", table_name="absence")
    op.drop_table("absence")
