"""Lanes of the outbox: what is open for one tenant and one origin (scheme, host and port) lies together in an index.

The origin of a row is computed by the index from its URL, so no row is filled or rewritten, and rows that a worker of
the version before inserts are in their lanes too. Nothing that such a worker reads is changed: it goes on with
`webhook_hosts` and `ix_outbox_open`. Indexes are built concurrently, as in 0006, so that this may be run beside a
service, and again from its beginning.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

AUTHORITY = "lower(split_part(split_part(split_part(split_part(url, '/', 3), '?', 1), '#', 1), '@', -1))"
ORIGIN = f"""
CREATE OR REPLACE FUNCTION webhook_origin(url text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    lower(split_part(url, ':', 1)) || '://' || rtrim(regexp_replace({AUTHORITY}, ':[0-9]*$', ''), '.') || ':'
    || coalesce(
        nullif(ltrim(substring({AUTHORITY} FROM ':([0-9]*)$'), '0'), ''),
        CASE lower(split_part(url, ':', 1)) WHEN 'https' THEN '443' ELSE '80' END
    )
"""
"""One expression, which the planner puts in place of the call; it raises no error, whatever the text is."""
LANE = """
CREATE OR REPLACE FUNCTION webhook_lane(url text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    hashtextextended(webhook_origin(url), 0)
"""
OPEN = "coalesce(delivered_at, given_up_at, superseded_at) IS NULL"
INDEXES: dict[str, tuple[list[Any], str]] = {
    "ix_outbox_lane": (["tenant", sa.text("webhook_lane(url)"), "available_at", "event_seq"], OPEN),
    "ix_outbox_open_job": (["job_id", "event_seq"], OPEN),
    "ix_outbox_leased": (["lease_until"], f"{OPEN} AND lease_until IS NOT NULL"),
}
"""Columns and condition of each index, by name."""


def upgrade() -> None:
    op.execute(ORIGIN)
    op.execute(LANE)
    op.create_table(
        "webhook_receivers",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_webhook_receivers_tenant")),
        sa.PrimaryKeyConstraint("tenant", "origin", name=op.f("pk_webhook_receivers")),
        if_not_exists=True,
    )
    with op.get_context().autocommit_block():
        for name, (columns, condition) in INDEXES.items():
            _drop(name)
            op.create_index(name, "outbox", columns, postgresql_where=sa.text(condition), postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name in INDEXES:
            _drop(name)
    op.drop_table("webhook_receivers", if_exists=True)
    op.execute("DROP FUNCTION IF EXISTS webhook_lane(text)")
    op.execute("DROP FUNCTION IF EXISTS webhook_origin(text)")


def _drop(name: str) -> None:
    op.drop_index(name, table_name="outbox", if_exists=True, postgresql_concurrently=True)
