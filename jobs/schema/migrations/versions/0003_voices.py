"""Voices: recordings that a tenant keeps; and how long the recordings of jobs have to be."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "voices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_voices_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voices")),
    )
    op.create_index("ix_voices_tenant", "voices", ["tenant", sa.text("created_at DESC"), sa.text("id DESC")])
    op.add_column("inputs", sa.Column("min_seconds", sa.Double(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("inputs", "min_seconds")
    op.drop_table("voices")
