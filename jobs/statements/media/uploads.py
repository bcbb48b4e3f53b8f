"""Statements about uploads: objects that a caller sends by PUT, to be inputs of jobs."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Insert, Select, select

from jobs.schema.tables import uploads


def add_upload(upload_id: str, tenant: str, key: str) -> Insert:
    """Add an upload, whose object the caller may write; returns its id."""
    return uploads.insert().values(id=upload_id, tenant=tenant, key=key).returning(uploads.c.id)


def find_uploads(upload_ids: Collection[str], tenant: str) -> Select[Any]:
    """Return id and key of the uploads that belong to the tenant; only the store knows whether an object is there."""
    return select(uploads.c.id, uploads.c.key).where(uploads.c.id.in_(upload_ids), uploads.c.tenant == tenant)
