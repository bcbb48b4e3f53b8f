"""Scheduling: servers preferred for a while, and a cap on a tenant's running jobs. Its indexes are made in 0006."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

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
    op.create_check_constraint("max_running_jobs", "tenants", "max_running_jobs >= 1")
    op.add_column("servers", sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(HAS_ROOM)


def downgrade() -> None:
    op.execute("DROP FUNCTION has_room(text, integer)")
    op.drop_column("servers", "loaded_at")
    op.drop_column("tenants", "max_running_jobs")
    op.drop_column("jobs", "spill_at")
