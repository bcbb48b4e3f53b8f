"""What a store that refuses objects does to jobs and servers: columns only, so that older workers go on beside them.

A constant default is a change of the catalog and rewrites no row.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postponed = sa.Column("postponed", sa.Integer(), nullable=False, server_default="0")
    op.add_column("jobs", postponed, if_not_exists=True)
    op.add_column("jobs", sa.Column("store_refused_fence", sa.BigInteger(), nullable=True), if_not_exists=True)
    op.add_column("servers", sa.Column("problem", sa.Text(), nullable=True), if_not_exists=True)


def downgrade() -> None:
    op.drop_column("servers", "problem")
    op.drop_column("jobs", "store_refused_fence")
    op.drop_column("jobs", "postponed")
