"""Servers: what each model takes of a server's memory, and servers that are gone for good."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("servers", sa.Column("models", postgresql.JSONB(), server_default="[]", nullable=False))
    op.add_column("servers", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("servers", "removed_at")
    op.drop_column("servers", "models")
