"""Files of lines, and batches of them.

Safe while the service runs: tables of their own, which no process of the version before reads.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

STATES = "'in_progress', 'cancelling', 'expiring', 'finalizing', 'completed', 'failed', 'cancelled', 'expired'"


def upgrade() -> None:
    clock = sa.text("clock_timestamp()")
    time = sa.DateTime(timezone=True)
    newest: list[str | sa.TextClause] = ["tenant", sa.text("created_at DESC"), sa.text("id DESC")]
    op.create_table(
        "files",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant", sa.Text(), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created_at", time, nullable=False, server_default=clock),
        sa.Column("expires_at", time),
        if_not_exists=True,
    )
    op.create_index("ix_files_tenant", "files", newest, postgresql_include=["bytes"], if_not_exists=True)
    op.create_index(
        "ix_files_expires",
        "files",
        ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL"),
        if_not_exists=True,
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant", sa.Text(), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("input_file", sa.Text(), nullable=False),
        sa.Column("output_file", sa.Text()),
        sa.Column("error_file", sa.Text()),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("failed", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("faults", JSONB(), nullable=False, server_default="[]"),
        sa.Column("labels", JSONB(), nullable=False, server_default="{}"),
        sa.Column("body", sa.Text()),
        sa.Column("look_at", time),
        sa.Column("created_at", time, nullable=False, server_default=clock),
        sa.Column("expires_at", time, nullable=False),
        sa.Column("finalizing_at", time),
        sa.Column("cancelling_at", time),
        sa.Column("ended_at", time),
        sa.CheckConstraint(f"status IN ({STATES})", name="status"),
        if_not_exists=True,
    )
    op.create_index("ix_batches_tenant", "batches", newest, if_not_exists=True)
    for name, column in (("ix_batches_look", "look_at"), ("ix_batches_ended", "ended_at")):
        op.create_index(
            name, "batches", [column], postgresql_where=sa.text(f"{column} IS NOT NULL"), if_not_exists=True
        )
    op.create_table(
        "batch_lines",
        sa.Column("batch", sa.Text(), sa.ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("custom_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("job", JSONB()),
        sa.Column("answer_format", JSONB(), nullable=False, server_default="{}"),
        sa.Column("problem", JSONB()),
        sa.CheckConstraint("status IN ('waiting', 'submitted', 'completed', 'failed')", name="status"),
        sa.PrimaryKeyConstraint("batch", "number"),
        if_not_exists=True,
    )
    op.create_index("ix_batch_lines_status", "batch_lines", ["batch", "status", "number"], if_not_exists=True)


def downgrade() -> None:
    op.drop_table("batch_lines")
    op.drop_table("batches")
    op.drop_table("files")
