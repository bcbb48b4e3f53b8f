"""What the service finds out about items of the media library by jobs of its own: vectors, transcripts.

Safe while the service runs: the columns are null or have constant defaults, and the default of `analyze_at` counts for
later items alone, those that a process of the version before adds among them. Items from before stay as they are.
"""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

INDEXES = (
    "ix_media_unanalyzed ON media (tenant, analyze_at DESC) WHERE status = 'ready' AND look_at IS NULL"
    " AND deleted_at IS NULL AND archived_at IS NULL AND NOT temporary AND analyze_at IS NOT NULL"
    " AND analysis_job IS NULL",
    "ix_media_analyzing ON media (tenant, analyze_at) WHERE analysis_job IS NOT NULL",
)


def upgrade() -> None:
    op.execute(
        "ALTER TABLE media ADD COLUMN IF NOT EXISTS analyze_at timestamptz,"
        " ADD COLUMN IF NOT EXISTS analysis_job text,"
        " ADD COLUMN IF NOT EXISTS analyzed text[] NOT NULL DEFAULT '{}'"
    )
    op.execute("ALTER TABLE media ALTER COLUMN analyze_at SET DEFAULT clock_timestamp()")
    with op.get_context().autocommit_block():
        for index in INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.partition(' ')[0]}")
            op.execute(f"CREATE INDEX CONCURRENTLY {index}")


def downgrade() -> None:
    op.drop_index("ix_media_analyzing", "media")
    op.drop_index("ix_media_unanalyzed", "media")
    for column in ("analyzed", "analysis_job", "analyze_at"):
        op.drop_column("media", column)
