"""Webhooks: endpoints of tenants, hosts that are left alone for a while, and the log of deliveries.

The indexes of the outbox are built concurrently, as in 0006, which commits what came before; so every step can be taken
again.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

Indexes = dict[str, tuple[list[Any], str]]
"""Columns and condition of each index, by name."""

NEWEST = [sa.text("created_at DESC"), sa.text("id DESC")]
INDEXES: Indexes = {
    "ix_outbox_open": (["available_at"], "delivered_at IS NULL AND given_up_at IS NULL AND superseded_at IS NULL"),
    "ix_outbox_tenant": (["tenant", *NEWEST], ""),
    "ix_outbox_webhook": (["webhook_id", *NEWEST], "webhook_id IS NOT NULL"),
}
EARLIER: Indexes = {"ix_outbox_due": (["available_at"], "delivered_at IS NULL AND given_up_at IS NULL")}


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_because", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("disabled_because IN ('owner', 'failing', 'gone')", name="disabled_because"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_webhooks_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        if_not_exists=True,
    )
    op.create_index("ix_webhooks_tenant", "webhooks", ["tenant", *NEWEST], if_not_exists=True)
    op.create_table(
        "webhook_hosts",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_webhook_hosts")),
        if_not_exists=True,
    )
    for column in (
        sa.Column("webhook_id", sa.Text(), nullable=True),
        sa.Column("attempts", postgresql.JSONB(), server_default="[]", nullable=False),
        sa.Column("attempts_before", sa.Integer(), server_default="0", nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("outbox", column, if_not_exists=True)
    op.alter_column("outbox", "job_id", nullable=True)
    _exchange(EARLIER, INDEXES)


def downgrade() -> None:
    _exchange(INDEXES, EARLIER)
    op.execute("DELETE FROM outbox WHERE job_id IS NULL")
    op.alter_column("outbox", "job_id", nullable=False)
    for name in ("superseded_at", "attempts_before", "attempts", "webhook_id"):
        op.drop_column("outbox", name, if_exists=True)
    op.drop_table("webhook_hosts", if_exists=True)
    op.drop_table("webhooks", if_exists=True)


def _exchange(old: Indexes, new: Indexes) -> None:
    """Build the new indexes beside the old ones, then drop those."""
    with op.get_context().autocommit_block():
        for name, (columns, condition) in new.items():
            _drop(name)
            where = sa.text(condition) if condition else None
            op.create_index(name, "outbox", columns, postgresql_where=where, postgresql_concurrently=True)
        for name in old:
            _drop(name)


def _drop(name: str) -> None:
    op.drop_index(name, table_name="outbox", if_exists=True, postgresql_concurrently=True)
