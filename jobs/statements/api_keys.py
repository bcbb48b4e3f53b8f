"""Statements about tenants and their keys."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Insert, Select, Update, select, update
from sqlalchemy.dialects.postgresql import insert

from core.ids import new_id
from jobs.schema.tables import api_keys, tenants
from jobs.statements.clauses import now

ADMIN = "admin"
"""The scope of an operator's key."""
UNMARKED = "unmarked"
"""The scope of a key that may make pictures and films without the visible mark where it is usual."""


class ApiKey(msgspec.Struct, frozen=True):
    """A key that is not revoked: its tenant, the digest that is stored of it, and what it may do."""

    id: str
    tenant: str
    digest: str
    priority_ceiling: int
    scopes: tuple[str, ...]


def key_json(row: str) -> str:
    """Return the SQL of an `ApiKey` as JSON, of a row of `api_keys`."""
    pairs = ", ".join(f"'{name}', {row}.{name}" for name in ApiKey.__struct_fields__)
    return f"json_build_object({pairs})"


def ensure_tenant(name: str) -> Insert:
    """Make the tenant of that name unless it exists; returns its id in both cases."""
    made = insert(tenants).values(id=new_id("ten"), name=name)
    return made.on_conflict_do_update(index_elements=["name"], set_={"name": made.excluded.name}).returning(
        tenants.c.id
    )


def add_key(
    key_id: str, tenant: str, *, name: str, digest: str, priority_ceiling: int = 9, scopes: Sequence[str] = ()
) -> Insert:
    """Add a key of a tenant; only the digest of the key is stored."""
    return api_keys.insert().values(
        id=key_id, tenant=tenant, name=name, digest=digest, priority_ceiling=priority_ceiling, scopes=list(scopes)
    )


def make_admin(*digests: str) -> Update:
    """Give the key with one of these digests the admin scope; returns its id, or no row for unknown digests."""
    return update(api_keys).where(api_keys.c.digest.in_(digests)).values(scopes=[ADMIN]).returning(api_keys.c.id)


def renew_digest(key_id: str, digest: str) -> Update:
    """Store the digest of a key by the secret that signs now; returns its id."""
    return update(api_keys).where(api_keys.c.id == key_id).values(digest=digest).returning(api_keys.c.id)


def list_keys() -> Select[Any]:
    """Return every key and its tenant's name, oldest first."""
    return (
        select(
            api_keys.c.id,
            api_keys.c.name,
            tenants.c.name.label("tenant"),
            api_keys.c.scopes,
            api_keys.c.created_at,
            api_keys.c.revoked_at,
        )
        .join(tenants, tenants.c.id == api_keys.c.tenant)
        .order_by(api_keys.c.created_at)
    )


def key_of_tenant(key_id: str) -> Select[Any]:
    """Return the name of a key, and that of its tenant as `tenant`."""
    return (
        select(api_keys.c.name, tenants.c.name.label("tenant"))
        .join(tenants, tenants.c.id == api_keys.c.tenant)
        .where(api_keys.c.id == key_id)
    )


def revoke_key(key_id: str) -> Update:
    """Revoke a key; returns its id, or no row when it is unknown or already revoked."""
    return (
        update(api_keys)
        .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(api_keys.c.id)
    )


def tenant_by_name(name: str) -> Select[Any]:
    """Return a tenant's id and webhook generation."""
    return select(tenants.c.id, tenants.c.webhook_generation).where(tenants.c.name == name)


def tenant_name(tenant: str) -> Select[tuple[str]]:
    """Return the name of a tenant."""
    return select(tenants.c.name).where(tenants.c.id == tenant)


def rotate_webhook_secret(tenant: str) -> Update:
    """Move a tenant to its next webhook secret; returns the new generation."""
    return (
        update(tenants)
        .where(tenants.c.id == tenant)
        .values(webhook_generation=tenants.c.webhook_generation + 1, webhook_rotated_at=now)
        .returning(tenants.c.webhook_generation)
    )


def set_budget(tenant: str, budget_usd: float | None) -> Update:
    """Give a tenant a budget in US dollars, or none."""
    return update(tenants).where(tenants.c.id == tenant).values(budget_usd=budget_usd)


def set_running_cap(tenant: str, max_running_jobs: int | None) -> Update:
    """Give a tenant a cap on its jobs that run at once, 1 or more, or none."""
    return update(tenants).where(tenants.c.id == tenant).values(max_running_jobs=max_running_jobs)
