"""Statements about uploads: objects that a caller PUT, to be named as inputs of jobs."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Insert, Select, select

from jobs.schema.tables import uploads


def add_upload(upload_id: str, tenant: str, key: str) -> Insert:
    """A place in the store that the caller may write to; returns its id."""
    return uploads.insert().values(id=upload_id, tenant=tenant, key=key).returning(uploads.c.id)


def find_uploads(upload_ids: Collection[str], tenant: str) -> Select[Any]:
    """Id and key of those of the uploads that belong to the tenant; whether anything was PUT, only the store knows."""
    return select(uploads.c.id, uploads.c.key).where(uploads.c.id.in_(upload_ids), uploads.c.tenant == tenant)
