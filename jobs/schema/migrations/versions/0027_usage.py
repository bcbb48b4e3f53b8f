"""Roll-ups of ended jobs, and the index that they are made by.

Safe while the service runs, and to run again after a stop: the table is new, and the index is built concurrently. A CPU
worker adds what has ended before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

ENDED = "CREATE INDEX CONCURRENTLY ix_jobs_ended ON jobs (finished_at) WHERE finished_at IS NOT NULL"


def upgrade() -> None:
    op.create_table(
        "usage",
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.Text(), sa.ForeignKey("tenants.id", name=op.f("fk_usage_tenant")), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False, server_default=""),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False, server_default=""),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("completed", "failed", "cancelled")),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("gpu_seconds", "load_seconds")),
        sa.Column("cost", sa.Numeric(14, 6), nullable=False),
        *(sa.Column(name, sa.ARRAY(sa.BigInteger()), nullable=False) for name in ("wait", "run")),
        sa.PrimaryKeyConstraint("step", "bucket", "tenant", "key_id", "model", "server", name=op.f("pk_usage")),
        if_not_exists=True,
    )
    op.execute("CREATE INDEX IF NOT EXISTS ix_usage_tenant ON usage (tenant, bucket)")
    with op.get_context().autocommit_block():
        op.drop_index("ix_jobs_ended", table_name="jobs", if_exists=True, postgresql_concurrently=True)
        op.execute(ENDED)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_jobs_ended", table_name="jobs", if_exists=True, postgresql_concurrently=True)
    op.drop_table("usage")
