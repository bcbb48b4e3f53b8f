"""Remote backends: which one made a job and why, the state of each, and tenants whose jobs stay here.

Safe while the service runs: the columns are changes of the catalog only. A worker of the version before leaves the
column of a job as it is; its API shows backends as servers.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("backend", JSONB(), nullable=True))
    op.add_column("servers", sa.Column("backend", JSONB(), nullable=True))
    op.add_column("tenants", sa.Column("local_only", sa.Boolean(), nullable=False, server_default="false"))


def downgrade() -> None:
    op.drop_column("tenants", "local_only")
    op.drop_column("servers", "backend")
    op.drop_column("jobs", "backend")
