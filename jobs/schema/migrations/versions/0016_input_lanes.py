"""Lanes of inputs: what waits of one tenant, from one host, for one model lies together in an index.

Safe while the service runs, and to run again after a stop: the column is a change of the catalog only, and indexes are
built concurrently. Inputs that wait get the model of their job in batches; an API of the version before goes on to
submit some without it, for which a worker reads the job.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BATCH = 1000
LANE = "hashtextextended(host || ' ' || model, 0)"
WAITING = "status NOT IN ('ready', 'failed')"
INDEXES: dict[str, tuple[str, list[Any], str]] = {
    "ix_inputs_lane": ("inputs", ["tenant", sa.text(LANE), "available_at"], WAITING),
    "ix_inputs_leased": ("inputs", ["lease_until"], "lease_until IS NOT NULL"),
    "ix_jobs_cancelled_inputs": (
        "jobs",
        ["finished_at"],
        "status = 'cancelled' AND finished_at IS NOT NULL AND has_inputs IS NOT FALSE",
    ),
}
"""Table, columns and condition of each index, by name."""

FILL = sa.text("""
    WITH batch AS (SELECT DISTINCT job_id FROM inputs WHERE job_id > :after ORDER BY job_id LIMIT :batch),
    filled AS (
        UPDATE inputs SET model = jobs.model FROM batch, jobs
        WHERE inputs.job_id = batch.job_id AND jobs.id = batch.job_id AND inputs.status = 'waiting'
    )
    SELECT max(job_id) FROM batch
""")
"""Fills the next jobs' inputs; returns the last id, or null after the end."""


def upgrade() -> None:
    op.execute("ALTER TABLE inputs ADD COLUMN IF NOT EXISTS model text NOT NULL DEFAULT ''")
    with op.get_context().autocommit_block():
        _fill_models()
        for name, (table, columns, condition) in INDEXES.items():
            _drop(name, table)
            op.create_index(name, table, columns, postgresql_where=sa.text(condition), postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name, (table, _, _) in INDEXES.items():
            _drop(name, table)
    op.drop_column("inputs", "model", if_exists=True)


def _fill_models() -> None:
    connection, after = op.get_bind(), ""
    while after is not None:
        after = connection.scalar(FILL, {"after": after, "batch": BATCH})


def _drop(name: str, table: str) -> None:
    op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
