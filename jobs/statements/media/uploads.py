"""Statements about uploads: objects that a caller sends by PUT, to be inputs of jobs."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Delete, Insert, Select, Update, delete, func, literal, select, update

from jobs.job import JobStatus
from jobs.schema.tables import inputs, jobs, uploads
from jobs.statements.clauses import ago

BATCH = 500


def add_upload(upload_id: str, tenant: str, key: str) -> Insert:
    """Add an upload, whose object the caller may write; returns its id."""
    return uploads.insert().values(id=upload_id, tenant=tenant, key=key).returning(uploads.c.id)


def open_upload(upload_id: str, tenant: str, key: str, *, max_uploads: int, max_bytes: int, bytes_each: int) -> Insert:
    """Add an upload as `add_upload` does, or return no row when the tenant has as many or as large ones as it may.

    An upload of unknown size counts as `bytes_each`, and so does the new one. Requests at the same moment may exceed
    the limits by their number.
    """
    size = func.coalesce(func.sum(func.coalesce(uploads.c.bytes, bytes_each)), 0)
    present = select(func.count().label("number"), size.label("bytes")).where(uploads.c.tenant == tenant).subquery()
    row = select(literal(upload_id), literal(tenant), literal(key)).where(
        present.c.number < max_uploads, present.c.bytes + bytes_each <= max_bytes
    )
    return uploads.insert().from_select(["id", "tenant", "key"], row).returning(uploads.c.id)


def unmeasured(seconds: float) -> Select[Any]:
    """Return uploads older than `seconds` whose size is not known, oldest first."""
    return (
        select(uploads.c.id, uploads.c.key)
        .where(uploads.c.bytes.is_(None), uploads.c.created_at < ago(seconds))
        .order_by(uploads.c.created_at)
        .limit(BATCH)
    )


def measured(upload_id: str, bytes: int) -> Update:
    """Record the size of an upload."""
    return update(uploads).where(uploads.c.id == upload_id).values(bytes=bytes)


def find_uploads(upload_ids: Collection[str], tenant: str) -> Select[Any]:
    """Return id and key of the uploads that belong to the tenant; only the store knows whether an object is there."""
    return select(uploads.c.id, uploads.c.key).where(uploads.c.id.in_(upload_ids), uploads.c.tenant == tenant)


def old_uploads(seconds: float) -> Select[Any]:
    """Return uploads older than `seconds` that no job waits for, locked, as (id, key), in random order."""
    waited_for = (
        select(inputs.c.name)
        .join(jobs, jobs.c.id == inputs.c.job_id)
        .where(inputs.c.source_key == uploads.c.key, inputs.c.status == "waiting", jobs.c.status == JobStatus.PENDING)
    )
    return (
        select(uploads.c.id, uploads.c.key)
        .where(uploads.c.created_at < ago(seconds), ~waited_for.exists())
        .order_by(func.random())
        .limit(BATCH)
        .with_for_update(of=uploads, skip_locked=True)
    )


def forget_upload(upload_id: str) -> Delete:
    """Remove an upload, after its object."""
    return delete(uploads).where(uploads.c.id == upload_id)
