"""A time by which a job must start, and a queue that its tenant has paused.

Safe while the service runs: the columns are changes of the catalog only. A worker of the version before starts jobs of
a paused queue, and ends a job that had to start early at its earlier deadline.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tenants", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("run_deadline_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "run_deadline_at")
    op.drop_column("tenants", "paused_at")
