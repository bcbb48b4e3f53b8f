"""How long a tenant's prompts, inputs, outputs and deliveries stay; jobs that are done again; chores of a day.

Indexes are built concurrently, so that this may be run beside a service, and again from its beginning.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CLASSES = ("prompts", "inputs", "outputs", "deliveries")
JOB_COLUMNS: dict[str, Any] = {
    "outputs_removed_at": sa.DateTime(timezone=True),
    "redrive_of": sa.Text(),
    "redriven_as": sa.Text(),
}
INDEXES = {
    "ix_jobs_prompts": "finished_at IS NOT NULL AND params <> '{}'",
    "ix_jobs_outputs": "finished_at IS NOT NULL AND artifacts <> '[]'",
}


def upgrade() -> None:
    for name in CLASSES:
        op.add_column("tenants", sa.Column(f"keep_{name}_seconds", sa.Double(), nullable=True), if_not_exists=True)
    for name, kind in JOB_COLUMNS.items():
        op.add_column("jobs", sa.Column(name, kind, nullable=True), if_not_exists=True)
    op.create_table(
        "chores",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        if_not_exists=True,
    )
    with op.get_context().autocommit_block():
        for name, condition in INDEXES.items():
            _drop(name)
            op.create_index(
                name,
                "jobs",
                ["tenant", "finished_at"],
                postgresql_where=sa.text(condition),
                postgresql_concurrently=True,
            )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name in INDEXES:
            _drop(name)
    op.drop_table("chores")
    for name in JOB_COLUMNS:
        op.drop_column("jobs", name)
    for name in CLASSES:
        op.drop_column("tenants", f"keep_{name}_seconds")


def _drop(name: str) -> None:
    op.drop_index(name, table_name="jobs", if_exists=True, postgresql_concurrently=True)
