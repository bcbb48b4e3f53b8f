"""The tables. PostgreSQL is the only truth and its clock the only clock."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    DDL,
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    event,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from jobs.schema.functions import FUNCTIONS

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Time = DateTime(timezone=True)
Money = Numeric(14, 6, asdecimal=False)
_now = func.clock_timestamp()
_is_active = "status IN ('pending', 'queued', 'processing')"
_open = "status = 'queued' AND (server_id IS NULL OR spill_at IS NOT NULL)"
_open_since = "greatest(available_at, spill_at)"
has_prompt = "finished_at IS NOT NULL AND params <> '{}'"
has_outputs = "finished_at IS NOT NULL AND artifacts <> '[]'"
is_bare = "finished_at IS NOT NULL AND deleted_at IS NULL AND params = '{}' AND artifacts = '[]'"
may_have_inputs = "finished_at IS NOT NULL AND has_inputs IS NOT FALSE"
cancelled_with_inputs = f"status = 'cancelled' AND {may_have_inputs}"
_own = "status = 'queued' AND server_id IS NOT NULL"
is_open = "coalesce(delivered_at, given_up_at, superseded_at) IS NULL"  # so that only queries that say the same use it
is_waiting = "status NOT IN ('ready', 'failed')"  # not in the words of `ix_inputs_due`, for the same reason
is_listed = "deleted_at IS NULL AND archived_at IS NULL"
has_tags, has_labels = "tags <> '{}'", "labels <> '{}'"
is_upload = "source <> 'output' AND deleted_at IS NULL"
is_of_variant = "variant_id <> ''"
is_unanalyzed = (
    "status = 'ready' AND look_at IS NULL AND deleted_at IS NULL AND archived_at IS NULL AND NOT temporary"
    " AND analyze_at IS NOT NULL AND analysis_job IS NULL"
)
input_lane = (
    "hashtextextended((host || ' ') || model, 0)"  # with the parentheses that PostgreSQL shows: Alembic compares
)


_seq = Sequence("jobs_seq", metadata=metadata)
for _function in FUNCTIONS:
    event.listen(metadata, "before_create", DDL(_function))  # type: ignore[no-untyped-call]
_newest = text("created_at DESC"), text("id DESC")


def _queue_order(since: str) -> tuple[Any, ...]:
    """Return the columns that a group of waiting jobs is sorted by, as `jobs.statements.queue.scan` sorts."""
    return text("least(fence, 1)"), text(since), "seq", "deadline_at"


tenants = Table(
    "tenants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("budget_usd", Money),
    Column("spent_usd", Money, nullable=False, server_default="0"),
    Column("reserved_usd", Money, nullable=False, server_default="0"),  # the prices of its unfinished jobs
    Column("max_waiting_jobs", Integer),
    Column("max_running_jobs", Integer),
    Column("counted_jobs", BigInteger),  # unfinished jobs at the last count of them; null: never counted
    Column("paused_at", Time),  # since when none of its jobs is started
    Column("local_only", Boolean, nullable=False, server_default="false"),  # no remote backend gets its jobs
    Column("counted_at", BigInteger),  # the last `jobs.seq` that was drawn before it
    Column("webhook_generation", Integer, nullable=False, server_default="1"),
    Column("webhook_rotated_at", Time),
    Column("keep_prompts_seconds", Double),
    Column("keep_inputs_seconds", Double),
    Column("keep_outputs_seconds", Double),
    Column("keep_deliveries_seconds", Double),
    Column("keep_jobs_seconds", Double),
    Column("keep_rows_seconds", Double),
    Column("created_at", Time, nullable=False, server_default=_now),
    CheckConstraint("max_running_jobs >= 1", name="max_running_jobs"),
    CheckConstraint("reserved_usd >= 0", name="reserved_usd"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("scopes", ARRAY(Text), nullable=False, server_default="{}"),
    Column("priority_ceiling", SmallInteger, nullable=False, server_default="9"),
    Column("created_at", Time, nullable=False, server_default=_now),
    Column("revoked_at", Time),
    Column("expires_at", Time),
    Column("last_used_at", Time),  # to the minute
    Column("budget_usd", Money),
    Column("spent_usd", Money, nullable=False, server_default="0"),
    Column("reserved_usd", Money, nullable=False, server_default="0"),  # the prices of its unfinished jobs
    CheckConstraint("reserved_usd >= 0", name="reserved_usd"),
)

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("agent", Text, nullable=False, server_default=""),
    Column("created_at", Time, nullable=False, server_default=_now),
    Column("seen_at", Time, nullable=False, server_default=_now),  # to the minute
    Column("expires_at", Time, nullable=False, index=True),  # moves while it is in use
)
"""Browsers that were signed in to the console with a key; only a digest of their cookie is stored."""

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("modality", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("params", JSONB, nullable=False),
    Column("seed", BigInteger),
    Column("status", Text, nullable=False),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("server_id", Text),
    Column("spill_at", Time),
    Column("worker", Text),
    Column("incarnation", BigInteger),
    Column("progress", Double, nullable=False, server_default="0"),
    Column("stage", Text),
    Column("callback_url", Text),
    Column("available_at", Time, nullable=False, server_default=_now),
    Column("deadline_at", Time, nullable=False),
    Column("run_deadline_at", Time),  # of one that must start earlier: `deadline_at` is that until its first claim
    Column("lease_until", Time),
    Column("event_seq", BigInteger, nullable=False, server_default="1"),
    Column("error", JSONB),
    Column("warnings", JSONB, nullable=False, server_default="[]"),
    Column("artifacts", JSONB, nullable=False, server_default="[]"),
    Column("price_usd", Money),  # of the whole job, at submit; null: a version before has submitted it
    Column("cost", Money, nullable=False, server_default="0"),
    Column("gpu_seconds", Double, nullable=False, server_default="0"),  # computing, of all attempts
    Column("load_seconds", Double, nullable=False, server_default="0"),  # loading its model, of all attempts
    Column("run", JSONB),  # of the attempt that completed it: its environment, and the seconds of its phases
    Column("backend", JSONB),  # who has it or made it, and why; null: the model has no order of backends
    Column("key_id", Text),  # no foreign key: a job outlives its key; null: a version before has submitted it
    Column("created_at", Time, nullable=False, server_default=_now),
    Column("queued_at", Time),
    Column("started_at", Time),
    Column("finished_at", Time),
    Column("deleted_at", Time),
    Column("purge_at", Time),
    Column("outputs_removed_at", Time),
    Column("has_inputs", Boolean),  # whether rows or objects of inputs are left; null: not known
    Column("redrive_of", Text),
    Column("redriven_as", Text),
    Column("traceparent", Text),
    Column("origin", JSONB, nullable=False, server_default="{}"),
    Column("labels", JSONB, nullable=False, server_default="{}"),
    Column("seq", BigInteger, nullable=False, server_default=_seq.next_value()),  # the order of submit
    Column("postponed", Integer, nullable=False, server_default="0"),  # how often handed back since the store refused
    Column("store_refused_fence", BigInteger),  # the last claim of which the store refused objects
    CheckConstraint("status IN ('pending', 'queued', 'processing', 'completed', 'failed', 'cancelled')", name="status"),
    Index("ix_jobs_open_seq", "priority", "tenant", "model", *_queue_order(_open_since), postgresql_where=text(_open)),
    Index("ix_jobs_open_model", "model", text(_open_since), postgresql_where=text(_open)),
    Index(
        "ix_jobs_own_seq",
        *("server_id", "priority", "tenant", "model"),
        *_queue_order("available_at"),
        postgresql_where=text(_own),
    ),
    Index(
        "ix_jobs_own_model",
        text("coalesce(server_id, '')"),  # so that only a query that says the same will use it
        *("model", "available_at"),
        postgresql_where=text(_own),
    ),
    Index("ix_jobs_running", "tenant", postgresql_where=text("status = 'processing'")),
    Index("ix_jobs_served", "tenant", "started_at", postgresql_where=text("started_at IS NOT NULL")),
    Index("ix_jobs_lease", "lease_until", postgresql_where=text("status = 'processing'")),
    Index("ix_jobs_deadline", "deadline_at", postgresql_where=text(_is_active)),
    Index("ix_jobs_tenant", "tenant", *_newest),
    Index("ix_jobs_tenant_status", "tenant", "status", *_newest),
    Index("ix_jobs_tenant_model", "tenant", "model", *_newest),
    Index("ix_jobs_tenant_modality", "tenant", "modality", *_newest),
    Index(
        "ix_jobs_labels",
        "labels",
        postgresql_using="gin",
        postgresql_ops={"labels": "jsonb_path_ops"},
        postgresql_where=text(has_labels),
    ),
    Index(
        "ix_jobs_model_finished",
        "model",
        text("finished_at DESC"),
        postgresql_where=text("status = 'completed'"),
    ),
    Index("ix_jobs_ended", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
    Index("ix_jobs_purge", "purge_at", postgresql_where=text("purge_at IS NOT NULL")),
    Index("ix_jobs_group", text("(origin ->> 'group')"), postgresql_where=text("origin ->> 'group' IS NOT NULL")),
    Index(
        "ix_jobs_dialect",
        *("tenant", text("(origin ->> 'dialect')"), *_newest),
        postgresql_where=text("origin ->> 'dialect' IS NOT NULL"),
    ),
    Index("ix_jobs_prompts", "tenant", "finished_at", postgresql_where=text(has_prompt)),
    Index("ix_jobs_outputs", "tenant", "finished_at", postgresql_where=text(has_outputs)),
    Index("ix_jobs_bare", "tenant", "finished_at", postgresql_where=text(is_bare)),
    Index("ix_jobs_inputs", "tenant", "finished_at", postgresql_where=text(may_have_inputs)),
    Index("ix_jobs_cancelled_inputs", "finished_at", postgresql_where=text(cancelled_with_inputs)),
)

environments = Table(
    "environments",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("facts", JSONB, nullable=False),
    Column("created_at", Time, nullable=False, server_default=_now),
)
"""What jobs were made with (`jobs.manifests.environment`); a job's `run` has the digest. Few, and kept for good."""

idempotency = Table(
    "idempotency",
    metadata,
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("body_sha256", Text, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("created_at", Time, nullable=False, server_default=_now),
    PrimaryKeyConstraint("tenant", "key"),
)

inputs = Table(
    "inputs",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("url", Text),
    Column("source_key", Text),
    Column("host", Text, nullable=False, server_default=""),
    Column("model", Text, nullable=False, server_default=""),  # of its job; empty: a version before has submitted it
    Column("min_seconds", Double, nullable=False, server_default="0"),
    Column("max_bytes", BigInteger),  # of the model's entry; null: only the setting's limit
    Column("types", JSONB, nullable=False, server_default="[]"),  # media types; empty: all of its kind
    Column("max_seconds", Double),  # of a film; null: only the service's limit
    Column("min_side", Integer, nullable=False, server_default="0"),  # pixels of a picture
    Column("frame", Text),  # which picture of a film is the input; null: the file itself
    Column("status", Text, nullable=False, server_default="waiting"),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("available_at", Time, nullable=False, server_default=_now),
    Column("lease_until", Time),
    Column("problem", Text),
    Column("key", Text),
    Column("media_type", Text),
    Column("bytes", BigInteger),
    Column("sha256", Text),
    Column("created_at", Time, nullable=False, server_default=_now),
    CheckConstraint("status IN ('waiting', 'ready', 'failed')", name="status"),
    CheckConstraint("(url IS NULL) <> (source_key IS NULL)", name="one_source"),
    PrimaryKeyConstraint("job_id", "name"),
    Index("ix_inputs_due", "available_at", postgresql_where=text("status = 'waiting'")),
    Index("ix_inputs_lane", "tenant", text(input_lane), "available_at", postgresql_where=text(is_waiting)),
    Index("ix_inputs_leased", "lease_until", postgresql_where=text("lease_until IS NOT NULL")),
    Index("ix_inputs_ready", "tenant", postgresql_include=["bytes"], postgresql_where=text("status = 'ready'")),
    Index("ix_inputs_source_key", "source_key", postgresql_where=text("source_key IS NOT NULL")),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("bytes", BigInteger),  # null until its link has expired
    Column("created_at", Time, nullable=False, server_default=_now),
    Index("ix_uploads_created_at", "created_at"),
    Index("ix_uploads_tenant", "tenant"),
    Index("ix_uploads_unmeasured", "created_at", postgresql_where=text("bytes IS NULL")),
)

voices = Table(
    "voices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created_at", Time, nullable=False, server_default=_now),
    Index("ix_voices_tenant", "tenant", text("created_at DESC"), text("id DESC")),
)

media = Table(
    "media",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("kind", Text),  # null while a file is waited for whose kind its sender did not say
    Column("status", Text, nullable=False),
    Column("problem", JSONB),
    Column("filename", Text),
    Column("description", Text),
    Column("media_type", Text),  # while a file is waited for: what its sender says that it will be
    Column("bytes", BigInteger),
    Column("sha256", Text),
    Column("key", Text, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("duration_seconds", Double),
    Column("previews", JSONB, nullable=False, server_default="[]"),
    Column("job_id", Text),  # no foreign key: an item outlives the row of its job
    Column("output_number", Integer),
    Column("prompt", Text),
    Column("model", Text),
    Column("seed", BigInteger),
    Column("transcript", JSONB),
    Column("tags", ARRAY(Text), nullable=False, server_default="{}"),
    Column("labels", JSONB, nullable=False, server_default="{}"),
    Column("source", Text, nullable=False),
    Column("url", Text),
    Column("temporary", Boolean, nullable=False, server_default="false"),
    Column("expires_at", Time),
    Column("public_token", Text),
    Column("embedding", ARRAY(REAL)),
    Column("embedding_model", Text),
    Column("analyze_at", Time, server_default=_now),  # when it is looked for what to find out; null: nothing is left
    Column("analysis_job", Text),  # the job that finds something out; null: none does
    Column("analyzed", ARRAY(Text), nullable=False, server_default="{}"),  # what jobs were made to find out
    Column("search", TSVECTOR),
    Column("look_at", Time),  # when a CPU worker looks at it next; null: there is nothing to do
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("tries", Integer, nullable=False, server_default="0"),  # of its attempts those that had its file
    Column("created_at", Time, nullable=False, server_default=_now),
    Column("updated_at", Time, nullable=False, server_default=_now),
    Column("archived_at", Time),
    Column("deleted_at", Time),
    CheckConstraint("status IN ('waiting', 'ready', 'failed')", name="status"),
    CheckConstraint("kind IN ('image', 'video', 'audio', 'mesh', 'document')", name="kind"),
    CheckConstraint("source IN ('upload', 'url', 'output')", name="source"),
    Index("ix_media_tenant", "tenant", *_newest, postgresql_where=text(is_listed)),
    Index("ix_media_kind", "tenant", "kind", *_newest, postgresql_where=text(is_listed)),
    Index("ix_media_updated", "tenant", text("updated_at DESC"), text("id DESC"), postgresql_where=text(is_listed)),
    Index("ix_media_output", "job_id", "output_number", unique=True, postgresql_where=text("job_id IS NOT NULL")),
    Index("ix_media_tags", "tags", postgresql_using="gin", postgresql_where=text(has_tags)),
    Index(
        "ix_media_labels",
        "labels",
        postgresql_using="gin",
        postgresql_ops={"labels": "jsonb_path_ops"},
        postgresql_where=text(has_labels),
    ),
    Index("ix_media_search", "search", postgresql_using="gin"),
    Index("ix_media_embedded", "tenant", *_newest, postgresql_where=text("embedding IS NOT NULL")),
    Index("ix_media_unanalyzed", "tenant", text("analyze_at DESC"), postgresql_where=text(is_unanalyzed)),
    Index("ix_media_analyzing", "tenant", "analyze_at", postgresql_where=text("analysis_job IS NOT NULL")),
    Index("ix_media_brought", "tenant", postgresql_include=["bytes", "status"], postgresql_where=text(is_upload)),
    Index("ix_media_look", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    Index("ix_media_expires", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    Index("ix_media_public", "public_token", unique=True, postgresql_where=text("public_token IS NOT NULL")),
)
"""The library: every output, and every file that a tenant has brought to keep."""

media_links = Table(
    "media_links",
    metadata,
    Column("media_id", Text, nullable=False),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("product_id", Text, nullable=False),  # empty: of a variant alone
    Column("variant_id", Text, nullable=False, server_default=""),  # empty: of the product itself
    Column("position", Integer, nullable=False, server_default="0"),
    Column("created_at", Time, nullable=False, server_default=_now),
    PrimaryKeyConstraint("media_id", "product_id", "variant_id"),
    Index("ix_media_links_product", "tenant", "product_id", "variant_id", "position"),
    Index("ix_media_links_variant", "tenant", "variant_id", postgresql_where=text(is_of_variant)),
)
"""The products and variants of the tenant's own shop that an item belongs to, under ids which are the shop's."""

profiles = Table(
    "profiles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("snapshot", JSONB, nullable=False),
    Column("created_at", Time, nullable=False, server_default=_now),
    Column("updated_at", Time, nullable=False, server_default=_now),
    Index("ix_profiles_tenant", "tenant", text("created_at DESC"), text("id DESC")),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text), nullable=False),
    Column("generation", Integer, nullable=False, server_default="1"),
    Column("rotated_at", Time),
    Column("failing_since", Time),
    Column("disabled_at", Time),
    Column("disabled_because", Text),
    Column("created_at", Time, nullable=False, server_default=_now),
    Column("dialect", Text, nullable=False, server_default="native"),
    Column("dialect_events", ARRAY(Text), nullable=False, server_default="{}"),  # as they are called there
    Column("description", Text),
    CheckConstraint("disabled_because IN ('owner', 'failing', 'gone')", name="disabled_because"),
    Index("ix_webhooks_tenant", "tenant", text("created_at DESC"), text("id DESC")),
)

entities = Table(
    "entities",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("type", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("refs", JSONB, nullable=False, server_default="[]"),
    Column("created_at", Time, nullable=False, server_default=_now),
    Column("updated_at", Time, nullable=False, server_default=_now),
    Column("archived_at", Time),  # only the version before sets it
    Index("ix_entities_tenant", "tenant", *_newest, postgresql_where=text("archived_at IS NULL")),
)

webhook_hosts = Table(
    "webhook_hosts",
    metadata,
    Column("host", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("open_until", Time),
)
"""Circuit breakers of the version before, by host; only its workers read it."""

webhook_receivers = Table(
    "webhook_receivers",
    metadata,
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("origin", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failed_at", Time, nullable=False),
    Column("open_until", Time),
    PrimaryKeyConstraint("tenant", "origin"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("webhook_id", Text),  # no foreign key: an endpoint that is removed must not make a job's change fail
    Column("job_id", Text, index=True),  # or the item of the media library that the event is about
    Column("event_seq", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("available_at", Time, nullable=False, server_default=_now),
    Column("lease_until", Time),
    Column("answer", Integer),
    Column("problem", Text),
    Column("attempts", JSONB, nullable=False, server_default="[]"),
    Column("attempts_before", Integer, nullable=False, server_default="0"),
    Column("delivered_at", Time),
    Column("given_up_at", Time),
    Column("superseded_at", Time),
    Column("created_at", Time, nullable=False, server_default=_now),
    Index(
        "ix_outbox_open",
        "available_at",
        postgresql_where=text("delivered_at IS NULL AND given_up_at IS NULL AND superseded_at IS NULL"),
    ),
    Index(
        "ix_outbox_lane",
        *("tenant", text("webhook_lane(url)"), "available_at", "event_seq"),
        postgresql_where=text(is_open),
    ),
    Index("ix_outbox_open_job", "job_id", "event_seq", postgresql_where=text(is_open)),
    Index("ix_outbox_leased", "lease_until", postgresql_where=text(f"{is_open} AND lease_until IS NOT NULL")),
    Index("ix_outbox_tenant", "tenant", text("created_at DESC"), text("id DESC")),
    Index(
        "ix_outbox_webhook",
        *("webhook_id", text("created_at DESC"), text("id DESC")),
        postgresql_where=text("webhook_id IS NOT NULL"),
    ),
)

files = Table(
    "files",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("filename", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("created_at", Time, nullable=False, server_default=_now),
    Column("expires_at", Time),
    Index("ix_files_tenant", "tenant", *_newest, postgresql_include=["bytes"]),
    Index("ix_files_expires", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
)
"""Files of lines that batches read and write; media are in `media` and `uploads`."""

batches = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("input_file", Text, nullable=False),  # no foreign key: a file may be deleted before its batch
    Column("output_file", Text),
    Column("error_file", Text),
    Column("total", Integer, nullable=False),
    Column("completed", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("faults", JSONB, nullable=False, server_default="[]"),  # of lines that cannot be read
    Column("labels", JSONB, nullable=False, server_default="{}"),
    Column("body", Text),  # a hash of the key and the request, for its repeats
    Column("look_at", Time),  # when a CPU worker looks at it next; null once it has ended
    Column("created_at", Time, nullable=False, server_default=_now),
    Column("expires_at", Time, nullable=False),
    Column("finalizing_at", Time),
    Column("cancelling_at", Time),
    Column("ended_at", Time),
    CheckConstraint(
        "status IN ('in_progress', 'cancelling', 'expiring', 'finalizing', 'completed', 'failed', 'cancelled', "
        "'expired')",
        name="status",
    ),
    Index("ix_batches_tenant", "tenant", *_newest),
    Index("ix_batches_look", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    Index("ix_batches_ended", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
)

batch_lines = Table(
    "batch_lines",
    metadata,
    Column("batch", ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("custom_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("job_id", Text, nullable=False),  # drawn before the job is there, so that a line has one at most
    Column("job", JSONB),  # what is to be submitted; null once it is, or is not going to be
    Column("answer_format", JSONB, nullable=False, server_default="{}"),  # how its answer is to be written
    Column("problem", JSONB),
    CheckConstraint("status IN ('waiting', 'submitted', 'completed', 'failed')", name="status"),
    PrimaryKeyConstraint("batch", "number"),
    Index("ix_batch_lines_status", "batch", "status", "number"),
)

chains = Table(
    "chains",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("callback_url", Text),
    Column("origin", JSONB, nullable=False, server_default="{}"),
    Column("failed_step", Text),
    Column("error", JSONB),
    Column("look_at", Time),  # when a CPU worker looks at it next; null once it has ended
    Column("changed_at", Time, nullable=False, server_default=_now),  # when a step last got its inputs
    Column("created_at", Time, nullable=False, server_default=_now),
    Column("ended_at", Time),
    CheckConstraint("status IN ('running', 'cancelling', 'completed', 'failed', 'cancelled')", name="status"),
    Index("ix_chains_tenant", "tenant", *_newest),
    Index("ix_chains_look", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    Index("ix_chains_ended", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
)

chain_steps = Table(
    "chain_steps",
    metadata,
    Column("chain", ForeignKey("chains.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("job_id", Text, nullable=False),  # no foreign key: a job may be removed before its chain
    Column("wait", JSONB),  # what its inputs are made of; null once the job has them
    PrimaryKeyConstraint("chain", "number"),
)

chores = Table(
    "chores",
    metadata,
    Column("name", Text, primary_key=True),
    Column("next_at", Time, nullable=False),
)

usage = Table(
    "usage",
    metadata,
    Column("bucket", Time, nullable=False),  # its beginning
    Column("step", Integer, nullable=False),  # its length in seconds: 300, or 3600 once it is old
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("key_id", Text, nullable=False, server_default=""),
    Column("model", Text, nullable=False),
    Column("server", Text, nullable=False, server_default=""),  # empty: it was never started
    Column("completed", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("cancelled", BigInteger, nullable=False),
    Column("gpu_seconds", Double, nullable=False),
    Column("load_seconds", Double, nullable=False),
    Column("cost", Money, nullable=False),
    Column("wait", ARRAY(BigInteger), nullable=False),  # jobs by their wait, as `WAIT_BUCKETS`
    Column("run", ARRAY(BigInteger), nullable=False),  # completed jobs by their time from claim to end
    PrimaryKeyConstraint("step", "bucket", "tenant", "key_id", "model", "server"),
    Index("ix_usage_tenant", "tenant", "bucket"),
)
"""Roll-ups of the jobs that have ended, by the time of their end (`jobs.statements.usage`)."""

measurements = Table(
    "measurements",
    metadata,
    Column("name", Text, primary_key=True),
    Column("objects", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("measured_at", Time, nullable=False),
)
"""How much of each kind of objects rows name (`jobs.statements.maintenance.growth`)."""

servers = Table(
    "servers",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("incarnation", BigInteger, nullable=False),
    Column("lease_until", Time, nullable=False),
    Column("desired", Text, nullable=False, server_default="active"),
    Column("state", Text, nullable=False),
    Column("dedicated", Boolean, nullable=False, server_default="false"),
    Column("device", Text, nullable=False),
    Column("memory_total", BigInteger, nullable=False, server_default="0"),
    Column("memory_used", BigInteger, nullable=False, server_default="0"),
    Column("serves", ARRAY(Text), nullable=False, server_default="{}"),
    Column("resident", ARRAY(Text), nullable=False, server_default="{}"),
    Column("models", JSONB, nullable=False, server_default="[]"),
    Column("current_job", Text),
    Column("versions", JSONB, nullable=False, server_default="{}"),
    Column("problem", Text),
    Column("backend", JSONB),  # of one that stands for a remote backend: its kind and its circuit breaker
    Column("loaded_at", Time),
    Column("started_at", Time, nullable=False, server_default=_now),
    Column("heartbeat_at", Time, nullable=False, server_default=_now),
    Column("removed_at", Time),
    CheckConstraint("desired IN ('active', 'cordoned', 'draining')", name="desired"),
)
