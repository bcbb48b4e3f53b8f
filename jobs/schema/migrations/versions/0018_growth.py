"""How much is stored, and how long the row of a job is kept of which nothing else is left.

Tenants that are there keep such rows for good, as before: an upgrade deletes nothing that was kept. Indexes are built
concurrently, so that this may be run beside a service, and again from its beginning.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

INDEX = "ix_jobs_bare"
BARE = "finished_at IS NOT NULL AND deleted_at IS NULL AND params = '{}' AND artifacts = '[]'"


def upgrade() -> None:
    op.create_table(
        "measurements",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("objects", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        if_not_exists=True,
    )
    op.add_column("tenants", sa.Column("keep_rows_seconds", sa.Double(), nullable=True), if_not_exists=True)
    op.execute("UPDATE tenants SET keep_rows_seconds = -1 WHERE keep_rows_seconds IS NULL")
    with op.get_context().autocommit_block():
        op.drop_index(INDEX, table_name="jobs", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            INDEX, "jobs", ["tenant", "finished_at"], postgresql_where=sa.text(BARE), postgresql_concurrently=True
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(INDEX, table_name="jobs", if_exists=True, postgresql_concurrently=True)
    op.drop_column("tenants", "keep_rows_seconds")
    op.drop_table("measurements")
