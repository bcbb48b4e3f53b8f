"""Profiles: named defaults of image jobs.

Safe while the service runs: a table of its own, which no process of the version before reads.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    clock = sa.text("clock_timestamp()")
    op.create_table(
        "profiles",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant", sa.Text(), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("snapshot", JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=clock),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=clock),
        if_not_exists=True,
    )
    newest_first: list[str | sa.TextClause] = ["tenant", sa.text("created_at DESC"), sa.text("id DESC")]
    op.create_index("ix_profiles_tenant", "profiles", newest_first, if_not_exists=True)


def downgrade() -> None:
    op.drop_table("profiles")
