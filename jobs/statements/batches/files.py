"""Statements about files of lines."""

from datetime import datetime
from typing import Any

from sqlalchemy import Delete, Insert, Select, cast, delete, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from jobs.schema.tables import files
from jobs.statements.clauses import after, tx_now

EXPIRED_AT_ONCE = 500


def add_file(
    file_id: str,
    tenant: str,
    *,
    filename: str,
    purpose: str,
    bytes: int,
    key: str,
    keep_seconds: float,
    max_files: int,
    max_bytes: int,
) -> Insert:
    """Add a file whose content is stored, and return its row.

    No row, and nothing is written, when the tenant has as many or as large files as it may.
    """
    present = (
        select(func.count().label("number"), func.coalesce(func.sum(files.c.bytes), 0).label("bytes"))
        .where(files.c.tenant == tenant)
        .subquery()
    )
    row = select(
        literal(file_id),
        literal(tenant),
        literal(filename),
        literal(purpose),
        cast(literal(bytes), files.c.bytes.type),
        literal(key),
        after(keep_seconds),
    ).where(present.c.number < max_files, present.c.bytes + bytes <= max_bytes)
    columns = ["id", "tenant", "filename", "purpose", "bytes", "key", "expires_at"]
    return files.insert().from_select(columns, row).returning(*files.c)


def add_result_file(file_id: str, tenant: str, *, filename: str, bytes: int, key: str, keep_seconds: float) -> Insert:
    """Add the file of a batch's answers, which no limit counts; it may be added again."""
    values = {"id": file_id, "tenant": tenant, "filename": filename, "bytes": bytes, "key": key}
    added = insert(files).values(purpose="batch_output", expires_at=after(keep_seconds), **values)
    return added.on_conflict_do_nothing(index_elements=["id"])


def find_file(file_id: str, tenant: str) -> Select[Any]:
    """Return the tenant's file of this id."""
    return select(*files.c).where(files.c.id == file_id, files.c.tenant == tenant)


def list_files(
    tenant: str, *, limit: int, purpose: str | None, after_file: tuple[datetime, str] | None, oldest_first: bool
) -> Select[Any]:
    """Return a tenant's files; `after_file` is (created_at, id) of the last seen."""
    query = select(*files.c).where(files.c.tenant == tenant)
    if purpose is not None:
        query = query.where(files.c.purpose == purpose)
    position = tuple_(files.c.created_at, files.c.id)
    if after_file is not None:
        query = query.where(position > tuple_(*after_file) if oldest_first else position < tuple_(*after_file))
    if oldest_first:
        return query.order_by(files.c.created_at, files.c.id).limit(limit)
    return query.order_by(files.c.created_at.desc(), files.c.id.desc()).limit(limit)


def forget_file(file_id: str) -> Delete:
    """Remove a file, after its content."""
    return delete(files).where(files.c.id == file_id)


def expired_files() -> Select[Any]:
    """Return id and key of files whose time is over, those of the longest past first."""
    return (
        select(files.c.id, files.c.key)
        .where(files.c.expires_at < tx_now)
        .order_by(files.c.expires_at)
        .limit(EXPIRED_AT_ONCE)
    )
