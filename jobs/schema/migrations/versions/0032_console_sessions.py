"""Sessions of the console.

Safe while the service runs: a table of its own, which no process of the version before reads.
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    clock = sa.text("clock_timestamp()")
    time = sa.DateTime(timezone=True)
    op.create_table(
        "console_sessions",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False, server_default=""),
        sa.Column("created_at", time, nullable=False, server_default=clock),
        sa.Column("seen_at", time, nullable=False, server_default=clock),
        sa.Column("expires_at", time, nullable=False),
    )
    op.create_index("ix_console_sessions_expires_at", "console_sessions", ["expires_at"])


def downgrade() -> None:
    op.drop_table("console_sessions")
