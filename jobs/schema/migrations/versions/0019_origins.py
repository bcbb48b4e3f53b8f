"""Jobs know the wire format that they were submitted in.

Safe while the service runs: the column is a change of the catalog only. A process of the version before submits only
native jobs, for which it is empty.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN IF NOT EXISTS origin jsonb NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    op.drop_column("jobs", "origin")
