"""Statements about stored voices: recordings that a tenant keeps, to be named by jobs. Each is bound to a tenant."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Insert, Select, delete, func, select
from sqlalchemy.sql.dml import ReturningDelete

from jobs.schema.tables import voices


def add_voice(voice_id: str, tenant: str, *, name: str, key: str, media_type: str, bytes: int) -> Insert:
    """Add a voice, whose object is stored under `key`; returns its row."""
    facts = {"name": name, "key": key, "media_type": media_type, "bytes": bytes}
    return voices.insert().values(id=voice_id, tenant=tenant, **facts).returning(*voices.c)


def count_voices(tenant: str) -> Select[Any]:
    """Return how many voices a tenant keeps."""
    return select(func.count()).select_from(voices).where(voices.c.tenant == tenant)


def list_voices(tenant: str) -> Select[Any]:
    """Return every voice that a tenant keeps, newest first."""
    return select(*voices.c).where(voices.c.tenant == tenant).order_by(voices.c.created_at.desc(), voices.c.id.desc())


def find_voices(voice_ids: Collection[str], tenant: str) -> Select[Any]:
    """Return the voices that belong to the tenant."""
    return select(*voices.c).where(voices.c.id.in_(voice_ids), voices.c.tenant == tenant)


def forget_voice(voice_id: str, tenant: str) -> ReturningDelete[Any]:
    """Remove a voice; returns its id."""
    return delete(voices).where(voices.c.id == voice_id, voices.c.tenant == tenant).returning(voices.c.id)
