"""`jobs.seq`, the order of submit, and the indexes of the claim with it in place of the random id.

Safe while the service runs, and to run again after a stop. The column and its default are a change of the catalog
only. Rows of before get their numbers in batches: microseconds of `created_at`, counted to be negative, so that every
number of the sequence is higher. A column that a validated constraint has shown to be free of nulls is declared so
without another scan. The indexes are built beside the old ones, as in 0006.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

Indexes = dict[str, tuple[list[Any], str]]
"""Columns and condition of each index, by name."""

BATCH = 1000
OPEN = "status = 'queued' AND (server_id IS NULL OR spill_at IS NOT NULL)"
OWN = "status = 'queued' AND server_id IS NOT NULL"
GROUP = ("priority", "tenant", "model", sa.text("least(fence, 1)"))
OPEN_SINCE = sa.text("greatest(available_at, spill_at)")
BY_SEQ: Indexes = {
    "ix_jobs_open_seq": ([*GROUP, OPEN_SINCE, "seq", "deadline_at"], OPEN),
    "ix_jobs_own_seq": (["server_id", *GROUP, "available_at", "seq", "deadline_at"], OWN),
}
BY_ID: Indexes = {
    "ix_jobs_open": ([*GROUP, OPEN_SINCE, "id", "deadline_at"], OPEN),
    "ix_jobs_own": (["server_id", *GROUP, "available_at", "id", "deadline_at"], OWN),
}
NUMBER = sa.text("""
    WITH batch AS (SELECT id FROM jobs WHERE id > :after ORDER BY id LIMIT :batch),
    numbered AS (
        UPDATE jobs SET seq = 1000000 * extract(epoch FROM created_at - '2100-01-01 00:00:00+00')
        FROM batch WHERE jobs.id = batch.id AND jobs.seq IS NULL
    )
    SELECT max(id) FROM batch
""")
"""Numbers the next rows by id; returns the last id, or null after the end."""


def upgrade() -> None:
    op.execute("CREATE SEQUENCE IF NOT EXISTS jobs_seq")
    op.execute("ALTER TABLE jobs ADD COLUMN IF NOT EXISTS seq bigint")
    op.execute("ALTER TABLE jobs ALTER COLUMN seq SET DEFAULT nextval('jobs_seq')")
    op.execute("ALTER SEQUENCE jobs_seq OWNED BY jobs.seq")
    with op.get_context().autocommit_block():
        _number_rows()
    # Outside of the block again, where the time to wait for the table's lock is bounded (env.py).
    op.execute("ALTER TABLE jobs DROP CONSTRAINT IF EXISTS seq_known")
    op.execute("ALTER TABLE jobs ADD CONSTRAINT seq_known CHECK (seq IS NOT NULL) NOT VALID")
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE jobs VALIDATE CONSTRAINT seq_known")
    op.execute("ALTER TABLE jobs ALTER COLUMN seq SET NOT NULL")
    op.execute("ALTER TABLE jobs DROP CONSTRAINT seq_known")
    _exchange(BY_ID, BY_SEQ)


def downgrade() -> None:
    _exchange(BY_SEQ, BY_ID)
    op.drop_column("jobs", "seq")  # and with it the sequence


def _number_rows() -> None:
    connection, after = op.get_bind(), ""
    while after is not None:
        after = connection.scalar(NUMBER, {"after": after, "batch": BATCH})


def _exchange(old: Indexes, new: Indexes) -> None:
    """Build the new indexes beside the old ones, then drop those."""
    with op.get_context().autocommit_block():
        for name, (columns, condition) in new.items():
            _drop(name)
            op.create_index(name, "jobs", columns, postgresql_where=sa.text(condition), postgresql_concurrently=True)
        for name in old:
            _drop(name)


def _drop(name: str) -> None:
    op.drop_index(name, table_name="jobs", if_exists=True, postgresql_concurrently=True)
