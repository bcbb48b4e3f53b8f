"""The indexes that a claim walks, built while the queue is in use.

Each is built concurrently, which blocks no statement, outlasts every transaction that is open, and leaves an invalid
index when it is stopped. So this migration may be run again from its beginning. The index of the earlier claim goes
last.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Indexes = dict[str, tuple[list[Any], str]]
"""Columns and condition of each index, by name."""

OPEN = "status = 'queued' AND (server_id IS NULL OR spill_at IS NOT NULL)"
OPEN_SINCE = sa.text("greatest(available_at, spill_at)")
OWN = "status = 'queued' AND server_id IS NOT NULL"
GROUP = ("priority", "tenant", "model", sa.text("least(fence, 1)"))
INDEXES: Indexes = {
    "ix_jobs_open": ([*GROUP, OPEN_SINCE, "id", "deadline_at"], OPEN),
    "ix_jobs_open_model": (["model", OPEN_SINCE], OPEN),
    "ix_jobs_own": (["server_id", *GROUP, "available_at", "id", "deadline_at"], OWN),
    "ix_jobs_own_model": ([sa.text("coalesce(server_id, '')"), "model", "available_at"], OWN),
    "ix_jobs_running": (["tenant"], "status = 'processing'"),
    "ix_jobs_served": (["tenant", "started_at"], "started_at IS NOT NULL"),
}
EARLIER: Indexes = {"ix_jobs_claim": (["model", sa.text("priority DESC"), "created_at"], "status = 'queued'")}


def upgrade() -> None:
    _exchange(EARLIER, INDEXES)


def downgrade() -> None:
    _exchange(INDEXES, EARLIER)


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
