"""The media library, and labels of jobs.

Safe while the service runs, and to run again after a stop: a column with a constant default is a change of the catalog
only, the tables are new, and the index of labels is built concurrently. What is there is
added in batches. Outputs that a worker of the version before commits afterwards are not in the library; their jobs show
them as before.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

BATCH = 500
LISTED = "deleted_at IS NULL AND archived_at IS NULL"
NEWEST = "created_at DESC, id DESC"
JOB_LABELS = "CREATE INDEX CONCURRENTLY ix_jobs_labels ON jobs USING gin (labels jsonb_path_ops) WHERE labels <> '{}'"
INDEXES = (
    f"ix_media_tenant ON media (tenant, {NEWEST}) WHERE {LISTED}",
    f"ix_media_kind ON media (tenant, kind, {NEWEST}) WHERE {LISTED}",
    f"ix_media_updated ON media (tenant, updated_at DESC, id DESC) WHERE {LISTED}",
    "ix_media_tags ON media USING gin (tags) WHERE tags <> '{}'",
    "ix_media_labels ON media USING gin (labels jsonb_path_ops) WHERE labels <> '{}'",
    "ix_media_search ON media USING gin (search)",
    f"ix_media_embedded ON media (tenant, {NEWEST}) WHERE embedding IS NOT NULL",
    "ix_media_uploads ON media (tenant) INCLUDE (bytes) WHERE source <> 'output' AND deleted_at IS NULL",
    "ix_media_look ON media (look_at) WHERE look_at IS NOT NULL",
    "ix_media_expires ON media (expires_at) WHERE expires_at IS NOT NULL",
    "ix_media_links_product ON media_links (tenant, product_id, variant_id, position)",
)
UNIQUE_INDEXES = (
    "ix_media_output ON media (job_id, output_number) WHERE job_id IS NOT NULL",
    "ix_media_public ON media (public_token) WHERE public_token IS NOT NULL",
)
ID = """'med_' || lpad(to_hex(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
    || substr(replace(gen_random_uuid()::text, '-', ''), 14)"""
NUMBER = "output.place::integer - 1"
PROMPT = "coalesce(jobs.params->>'prompt', jobs.params->>'text')"
FACTS = "output.value->'metadata'"
KEEP = sa.text(f"""
    WITH batch AS (
        SELECT id FROM jobs WHERE id > :after AND finished_at IS NOT NULL AND artifacts <> '[]'
        ORDER BY id LIMIT :batch
    ), kept AS (
        INSERT INTO media (
            id, tenant, kind, status, filename, media_type, bytes, sha256, key, width, height, duration_seconds,
            previews, job_id, output_number, prompt, model, seed, source, search, created_at, updated_at
        )
        SELECT {ID}, jobs.tenant,
            CASE split_part(output.value->>'media_type', '/', 1)
                WHEN 'image' THEN 'image' WHEN 'video' THEN 'video' WHEN 'audio' THEN 'audio' WHEN 'model' THEN 'mesh'
                ELSE 'document' END,
            'ready',
            coalesce({FACTS}->>'name', jobs.id || '-' || {NUMBER} || '.'
                || substring(output.value->>'key' FROM '[^.]*$')),
            output.value->>'media_type', (output.value->>'bytes')::bigint, output.value->>'sha256',
            output.value->>'key', ({FACTS}->>'width')::integer, ({FACTS}->>'height')::integer,
            ({FACTS}->>'duration_seconds')::double precision, coalesce(output.value->'previews', '[]'),
            jobs.id, {NUMBER}, {PROMPT}, jobs.model,
            CASE WHEN jobs.modality = 'image' THEN jobs.seed + {NUMBER} ELSE jobs.seed END, 'output',
            to_tsvector('simple', left(concat_ws(' ', {PROMPT}, {FACTS}->>'name'), 100000)),
            jobs.finished_at, jobs.finished_at
        FROM jobs JOIN batch USING (id), jsonb_array_elements(jobs.artifacts) WITH ORDINALITY AS output (value, place)
        WHERE jobs.deleted_at IS NULL
        ON CONFLICT (job_id, output_number) WHERE job_id IS NOT NULL DO NOTHING
    )
    SELECT max(id) FROM batch
""")
"""Adds the outputs of the next jobs to the library; returns the last id, or null after the end."""


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN IF NOT EXISTS labels jsonb NOT NULL DEFAULT '{}'")
    _create_media()
    op.create_table(
        "media_links",
        sa.Column("media_id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), sa.ForeignKey("tenants.id", name=op.f("fk_media_links_tenant")), nullable=False),
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("variant_id", sa.Text(), server_default="", nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        _time("created_at", default=True),
        sa.PrimaryKeyConstraint("media_id", "product_id", "variant_id", name=op.f("pk_media_links")),
        if_not_exists=True,
    )
    for index in INDEXES:
        op.execute(f"CREATE INDEX IF NOT EXISTS {index}")
    for index in UNIQUE_INDEXES:
        op.execute(f"CREATE UNIQUE INDEX IF NOT EXISTS {index}")
    with op.get_context().autocommit_block():
        op.drop_index("ix_jobs_labels", table_name="jobs", if_exists=True, postgresql_concurrently=True)
        op.execute(JOB_LABELS)
        _keep_outputs()


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_jobs_labels", table_name="jobs", if_exists=True, postgresql_concurrently=True)
    op.drop_table("media_links")
    op.drop_table("media")
    op.drop_column("jobs", "labels")


def _create_media() -> None:
    empty_list, empty_object, nothing = "[]", "{}", "{}"
    op.create_table(
        "media",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant", sa.Text(), sa.ForeignKey("tenants.id", name=op.f("fk_media_tenant")), nullable=False),
        sa.Column("kind", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("problem", postgresql.JSONB()),
        sa.Column("filename", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("media_type", sa.Text()),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("sha256", sa.Text()),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("duration_seconds", sa.Double()),
        sa.Column("previews", postgresql.JSONB(), server_default=empty_list, nullable=False),
        sa.Column("job_id", sa.Text()),
        sa.Column("output_number", sa.Integer()),
        sa.Column("prompt", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("seed", sa.BigInteger()),
        sa.Column("transcript", postgresql.JSONB()),
        sa.Column("tags", sa.ARRAY(sa.Text()), server_default=nothing, nullable=False),
        sa.Column("labels", postgresql.JSONB(), server_default=empty_object, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("url", sa.Text()),
        sa.Column("temporary", sa.Boolean(), server_default="false", nullable=False),
        _time("expires_at"),
        sa.Column("public_token", sa.Text()),
        sa.Column("embedding", sa.ARRAY(sa.REAL())),
        sa.Column("embedding_model", sa.Text()),
        sa.Column("search", postgresql.TSVECTOR()),
        _time("look_at"),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        _time("created_at", default=True),
        _time("updated_at", default=True),
        _time("archived_at"),
        _time("deleted_at"),
        sa.CheckConstraint("status IN ('waiting', 'ready', 'failed')", name=op.f("ck_media_status")),
        sa.CheckConstraint("kind IN ('image', 'video', 'audio', 'mesh', 'document')", name=op.f("ck_media_kind")),
        sa.CheckConstraint("source IN ('upload', 'url', 'output')", name=op.f("ck_media_source")),
        if_not_exists=True,
    )


def _time(name: str, *, default: bool = False) -> sa.Column[Any]:
    server_default = sa.text("clock_timestamp()") if default else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=server_default, nullable=not default)


def _keep_outputs() -> None:
    connection, after = op.get_bind(), ""
    while after is not None:
        after = connection.scalar(KEEP, {"after": after, "batch": BATCH})
