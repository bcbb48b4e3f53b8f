"""Pictures that show a job's first output, as the waveform of a recording does, are archived items of the library.

Safe while the service runs, and to run again after a stop: items are archived in batches. Those that their owner has
published, linked, tagged or described stay in lists, and so do those that a worker of the version before adds
afterwards.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

BATCH = 5000
ARCHIVE = sa.text("""
    WITH batch AS (
        SELECT id FROM media WHERE id > :after ORDER BY id LIMIT :batch
    ), archived AS (
        UPDATE media SET archived_at = media.created_at
        FROM batch, media AS shown
        WHERE media.id = batch.id AND media.kind = 'image' AND media.output_number > 0
            AND media.archived_at IS NULL AND media.deleted_at IS NULL
            AND shown.job_id = media.job_id AND shown.output_number = 0 AND shown.kind <> 'image'
            AND media.public_token IS NULL AND media.tags = '{}' AND media.description IS NULL
            AND NOT EXISTS (SELECT FROM media_links WHERE media_id = media.id)
    )
    SELECT max(id) FROM batch
""")
"""Archives the pictures among the next items; returns the last id, or null after the end."""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        connection, after = op.get_bind(), ""
        while after is not None:
            after = connection.scalar(ARCHIVE, {"after": after, "batch": BATCH})


def downgrade() -> None:
    pass  # an archived item is one for the version before, too
