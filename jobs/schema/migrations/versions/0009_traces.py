"""The trace that a job belongs to, as a W3C traceparent."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("traceparent", sa.Text(), nullable=True), if_not_exists=True)


def downgrade() -> None:
    op.drop_column("jobs", "traceparent")
