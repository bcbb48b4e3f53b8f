"""What completed jobs were made with: the run of each, and the environments of all.

Safe while the service runs: the column is a change of the catalog only. A worker of the version before completes jobs
without a run; their manifests have what their rows know.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("run", JSONB(), nullable=True))
    op.create_table(
        "environments",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("facts", JSONB(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("clock_timestamp()")
        ),
    )


def downgrade() -> None:
    op.drop_table("environments")
    op.drop_column("jobs", "run")
