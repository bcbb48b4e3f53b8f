"""Chains of jobs, and their steps.

Safe while the service runs: tables of their own, which no process of the version before reads. Its CPU workers leave
chains as they are, and drop deliveries of their ends.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

STATES = "'running', 'cancelling', 'completed', 'failed', 'cancelled'"


def upgrade() -> None:
    clock = sa.text("clock_timestamp()")
    time = sa.DateTime(timezone=True)
    newest: list[str | sa.TextClause] = ["tenant", sa.text("created_at DESC"), sa.text("id DESC")]
    op.create_table(
        "chains",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant", sa.Text(), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("callback_url", sa.Text()),
        sa.Column("origin", JSONB(), nullable=False, server_default="{}"),
        sa.Column("failed_step", sa.Text()),
        sa.Column("error", JSONB()),
        sa.Column("look_at", time),
        sa.Column("changed_at", time, nullable=False, server_default=clock),
        sa.Column("created_at", time, nullable=False, server_default=clock),
        sa.Column("ended_at", time),
        sa.CheckConstraint(f"status IN ({STATES})", name="status"),
    )
    op.create_index("ix_chains_tenant", "chains", newest)
    for name, column in (("ix_chains_look", "look_at"), ("ix_chains_ended", "ended_at")):
        op.create_index(name, "chains", [column], postgresql_where=sa.text(f"{column} IS NOT NULL"))
    op.create_table(
        "chain_steps",
        sa.Column("chain", sa.Text(), sa.ForeignKey("chains.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("wait", JSONB()),
        sa.PrimaryKeyConstraint("chain", "number"),
    )


def downgrade() -> None:
    op.drop_table("chain_steps")
    op.drop_table("chains")
