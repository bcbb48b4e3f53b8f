"""Scheduling: servers preferred for a while, a cap on a tenant's running jobs, and the indexes that a claim walks.

The indexes are made in the migration's transaction, which keeps writers of `jobs` out for as long as they take: some
seconds for a million rows. Only waiting jobs are in four of them; `ix_jobs_served` has every job that ever started.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OPEN = sa.text("status = 'queued' AND (server_id IS NULL OR spill_at IS NOT NULL)")
OPEN_SINCE = sa.text("greatest(available_at, spill_at)")
OWN = sa.text("status = 'queued' AND server_id IS NOT NULL")
BEGUN = sa.text("least(fence, 1)")
GROUP = ("priority", "tenant", "model", BEGUN)

HAS_ROOM = """
CREATE FUNCTION has_room(a_tenant text, cap integer) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    -- One claimer at a time; another one goes on to the next tenant.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('atelier.room.' || a_tenant, 0)) THEN
        RETURN false;
    END IF;
    -- A statement of its own, so that it sees what the last claimer has committed since the claim began.
    RETURN (SELECT count(*) < cap FROM jobs WHERE tenant = a_tenant AND status = 'processing');
END
$$
"""


def upgrade() -> None:
    op.add_column("jobs", sa.Column("spill_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tenants", sa.Column("max_running_jobs", sa.Integer(), nullable=True))
    op.add_column("servers", sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("ix_jobs_claim", table_name="jobs")
    op.create_index("ix_jobs_open", "jobs", [*GROUP, OPEN_SINCE, "id", "deadline_at"], postgresql_where=OPEN)
    op.create_index("ix_jobs_open_model", "jobs", ["model", OPEN_SINCE], postgresql_where=OPEN)
    op.create_index(
        "ix_jobs_own", "jobs", ["server_id", *GROUP, "available_at", "id", "deadline_at"], postgresql_where=OWN
    )
    op.create_index(
        "ix_jobs_own_model",
        "jobs",
        [sa.text("coalesce(server_id, '')"), "model", "available_at"],
        postgresql_where=OWN,
    )
    op.create_index("ix_jobs_running", "jobs", ["tenant"], postgresql_where=sa.text("status = 'processing'"))
    op.create_index(
        "ix_jobs_served", "jobs", ["tenant", "started_at"], postgresql_where=sa.text("started_at IS NOT NULL")
    )
    op.execute(HAS_ROOM)


def downgrade() -> None:
    op.execute("DROP FUNCTION has_room(text, integer)")
    for name in ("served", "running", "own_model", "own", "open_model", "open"):
        op.drop_index(f"ix_jobs_{name}", table_name="jobs")
    op.create_index(
        "ix_jobs_claim",
        "jobs",
        ["model", sa.literal_column("priority DESC"), "created_at"],
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.drop_column("servers", "loaded_at")
    op.drop_column("tenants", "max_running_jobs")
    op.drop_column("jobs", "spill_at")
