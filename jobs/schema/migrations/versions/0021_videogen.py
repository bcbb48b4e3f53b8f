"""Webhook endpoints know their wire format, entities, and indexes of jobs that a dialect shows.

Safe while the service runs, and to run again after a stop: columns with a constant default are changes of the catalog
only, the table is new, and indexes are built concurrently. A process of the version before adds native endpoints, for
which the new columns have their defaults.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

NEWEST = "created_at DESC, id DESC"
INDEXES = (
    ("ix_jobs_group", "ON jobs ((origin ->> 'group')) WHERE origin ->> 'group' IS NOT NULL"),
    ("ix_jobs_dialect", f"ON jobs (tenant, (origin ->> 'dialect'), {NEWEST}) WHERE origin ->> 'dialect' IS NOT NULL"),
    ("ix_entities_tenant", f"ON entities (tenant, {NEWEST}) WHERE archived_at IS NULL"),
)


def upgrade() -> None:
    op.execute("ALTER TABLE webhooks ADD COLUMN IF NOT EXISTS dialect text NOT NULL DEFAULT 'native'")
    op.execute("ALTER TABLE webhooks ADD COLUMN IF NOT EXISTS dialect_events text[] NOT NULL DEFAULT '{}'")
    op.execute("ALTER TABLE webhooks ADD COLUMN IF NOT EXISTS description text")
    now = sa.text("clock_timestamp()")
    op.create_table(
        "entities",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant", sa.Text(), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False, server_default=""),
        sa.Column("refs", JSONB(), nullable=False, server_default="[]"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    with op.get_context().autocommit_block():
        for name, rest in INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} {rest}")


def downgrade() -> None:
    op.drop_table("entities")
    with op.get_context().autocommit_block():
        for name, _ in INDEXES[:2]:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    for column in ("description", "dialect_events", "dialect"):
        op.drop_column("webhooks", column)
