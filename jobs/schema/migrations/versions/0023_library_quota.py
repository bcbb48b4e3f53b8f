"""What is waited for counts in the library, tries at drawing are counted, and variants are found by themselves.

Safe while the service runs, and to run again after a stop: a column with a constant default is a change of the catalog
only, and indexes are built concurrently. A process of the version before reads the new index of uploads as it read the
old one.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

UPLOADS = "ON media (tenant) INCLUDE (bytes{}) WHERE source <> 'output' AND deleted_at IS NULL"
INDEXES = {
    "ix_media_brought": UPLOADS.format(", status"),
    "ix_media_links_variant": "ON media_links (tenant, variant_id) WHERE variant_id <> ''",
}
OLD = {"ix_media_uploads": UPLOADS.format("")}


def upgrade() -> None:
    op.execute("ALTER TABLE media ADD COLUMN IF NOT EXISTS tries integer NOT NULL DEFAULT 0")
    _exchange(OLD, INDEXES)


def downgrade() -> None:
    _exchange(INDEXES, OLD)
    op.execute("ALTER TABLE media DROP COLUMN IF EXISTS tries")


def _exchange(old: dict[str, str], new: dict[str, str]) -> None:
    with op.get_context().autocommit_block():
        for name, rest in new.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} {rest}")
        for name in old:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
