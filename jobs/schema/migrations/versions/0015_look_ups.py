"""Indexes of the sweep of orphans, of old inputs and of filtered lists; retention of job rows; sizes of uploads.

Safe while the service runs, and to run again after a stop: columns are changes of the catalog only, and indexes are
built concurrently. `jobs.has_inputs` is false for rows of before except those whose inputs are still there, which are
marked in batches. It is null, unknown, for a job that an API of before submits.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

Indexes = dict[str, tuple[str, list[Any], str | None]]
"""Table, columns and condition of each index, by name."""

BATCH = 1000
NEWEST = (sa.text("created_at DESC"), sa.text("id DESC"))
NEW: Indexes = {
    "ix_jobs_inputs": ("jobs", ["tenant", "finished_at"], "finished_at IS NOT NULL AND has_inputs IS NOT FALSE"),
    "ix_jobs_tenant_status": ("jobs", ["tenant", "status", *NEWEST], None),
    "ix_jobs_tenant_model": ("jobs", ["tenant", "model", *NEWEST], None),
    "ix_jobs_tenant_modality": ("jobs", ["tenant", "modality", *NEWEST], None),
    "ix_inputs_source_key": ("inputs", ["source_key"], "source_key IS NOT NULL"),
    "ix_uploads_tenant": ("uploads", ["tenant"], None),
    "ix_uploads_unmeasured": ("uploads", ["created_at"], "bytes IS NULL"),
}
OLD: Indexes = {"ix_jobs_tenant_active": ("jobs", ["tenant"], "status IN ('pending', 'queued', 'processing')")}
"""The index by status begins with the same column."""

MARK = sa.text("""
    WITH batch AS (SELECT DISTINCT job_id FROM inputs WHERE job_id > :after ORDER BY job_id LIMIT :batch),
    marked AS (
        UPDATE jobs SET has_inputs = true FROM batch WHERE jobs.id = batch.job_id AND jobs.has_inputs IS FALSE
    )
    SELECT max(job_id) FROM batch
""")
"""Marks the next jobs that have inputs; returns the last id, or null after the end."""


def upgrade() -> None:
    op.execute("ALTER TABLE tenants ADD COLUMN IF NOT EXISTS keep_jobs_seconds double precision")
    op.execute("ALTER TABLE uploads ADD COLUMN IF NOT EXISTS bytes bigint")
    op.execute("ALTER TABLE jobs ADD COLUMN IF NOT EXISTS has_inputs boolean DEFAULT false")
    op.execute("ALTER TABLE jobs ALTER COLUMN has_inputs DROP DEFAULT")
    with op.get_context().autocommit_block():
        _mark_jobs()
    _exchange(OLD, NEW)


def downgrade() -> None:
    _exchange(NEW, OLD)
    op.drop_column("jobs", "has_inputs")
    op.drop_column("uploads", "bytes")
    op.drop_column("tenants", "keep_jobs_seconds")


def _mark_jobs() -> None:
    connection, after = op.get_bind(), ""
    while after is not None:
        after = connection.scalar(MARK, {"after": after, "batch": BATCH})


def _exchange(old: Indexes, new: Indexes) -> None:
    """Build the new indexes beside the old ones, then drop those."""
    with op.get_context().autocommit_block():
        for name, (table, columns, condition) in new.items():
            _drop(name, table)
            where = None if condition is None else sa.text(condition)
            op.create_index(name, table, columns, postgresql_where=where, postgresql_concurrently=True)
        for name, (table, _, _) in old.items():
            _drop(name, table)


def _drop(name: str, table: str) -> None:
    op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
