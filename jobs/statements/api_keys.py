"""Statements about tenants and their keys."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Insert,
    Select,
    Text,
    Update,
    and_,
    cast,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from core.ids import new_id
from jobs.schema.tables import Money, api_keys, tenants
from jobs.scopes import ADMIN
from jobs.statements.budget import BALANCE
from jobs.statements.clauses import after, ago, now, tx_now

USE_SECONDS = 60.0
"""How exactly `last_used_at` is known: a key that is in use is written once in so long."""


class ApiKey(msgspec.Struct, frozen=True):
    """A valid key: its tenant, the digest that is stored of it, and what it may do."""

    id: str
    tenant: str
    digest: str
    priority_ceiling: int
    scopes: tuple[str, ...]


def key_json(row: str) -> str:
    """Return the SQL of an `ApiKey` as JSON, of a row of `api_keys`."""
    pairs = ", ".join(f"'{name}', {row}.{name}" for name in ApiKey.__struct_fields__)
    return f"json_build_object({pairs})"


def is_valid(row: str) -> str:
    """Return the SQL of whether a key, a row of `api_keys`, was neither revoked nor has expired."""
    return f"{row}.revoked_at IS NULL AND ({row}.expires_at IS NULL OR {row}.expires_at > now())"


def ensure_tenant(name: str) -> Insert:
    """Make the tenant of that name unless it exists; returns its id in both cases."""
    made = insert(tenants).values(id=new_id("ten"), name=name)
    return made.on_conflict_do_update(index_elements=["name"], set_={"name": made.excluded.name}).returning(
        tenants.c.id
    )


def add_key(
    key_id: str,
    tenant: str,
    *,
    name: str,
    digest: str,
    priority_ceiling: int = 9,
    scopes: Sequence[str] = (),
    expires_in: float | None = None,
    budget_usd: float | None = None,
    most: int | None = None,
) -> Insert:
    """Add a key of a tenant and return its row; only the digest of the key is stored.

    `expires_in` is in seconds. No row where the tenant has `most` valid keys or more; requests at the same moment may
    exceed that by their number.
    """
    valid = select(func.count()).where(api_keys.c.tenant == tenant, _is_valid()).scalar_subquery()
    values = {
        "id": literal(key_id),
        "tenant": literal(tenant),
        "name": literal(name),
        "digest": literal(digest),
        "priority_ceiling": literal(priority_ceiling),
        "scopes": literal(list(scopes), ARRAY(Text)),
        "budget_usd": literal(budget_usd, Money),
        "expires_at": null() if expires_in is None else after(expires_in),
    }
    row = select(*(cast(value, api_keys.c[name].type) for name, value in values.items()))
    if most is not None:
        row = row.where(valid < most)
    return api_keys.insert().from_select(list(values), row).returning(*api_keys.c)


def note_use(key_ids: Collection[str]) -> Update:
    """Note that keys were used, those of which it was not noted in the last `USE_SECONDS`; returns their ids.

    One that another process notes at the same moment is left to it.
    """
    stale = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < ago(USE_SECONDS))
    free = (
        select(api_keys.c.id).where(api_keys.c.id.in_(key_ids), stale).with_for_update(key_share=True, skip_locked=True)
    )
    return update(api_keys).where(api_keys.c.id.in_(free)).values(last_used_at=now).returning(api_keys.c.id)


def make_admin(*digests: str) -> Update:
    """Give the key with one of these digests the admin scope; returns its id, or no row for unknown digests."""
    return update(api_keys).where(api_keys.c.digest.in_(digests)).values(scopes=[ADMIN]).returning(api_keys.c.id)


def renew_digest(key_id: str, digest: str) -> Update:
    """Store the digest of a key by the secret that signs now; returns its id."""
    return update(api_keys).where(api_keys.c.id == key_id).values(digest=digest).returning(api_keys.c.id)


def list_keys() -> Select[Any]:
    """Return every key with its tenant's name as `tenant_name` and whether it is `valid`, oldest first."""
    return _keys().order_by(api_keys.c.created_at)


def keys_page(tenant: str, *, limit: int, before: tuple[datetime, str] | None = None) -> Select[Any]:
    """Return keys of a tenant as `list_keys` does, newest first; `before` is (created_at, id) of the last seen."""
    newest = api_keys.c.created_at.desc(), api_keys.c.id.desc()
    query = _keys().where(api_keys.c.tenant == tenant).order_by(*newest).limit(limit)
    return query if before is None else query.where(tuple_(api_keys.c.created_at, api_keys.c.id) < tuple_(*before))


def find_key(key_id: str, tenant: str | None) -> Select[Any]:
    """Return a key as `list_keys` does; with `tenant` only one of that tenant."""
    query = _keys().where(api_keys.c.id == key_id)
    return query if tenant is None else query.where(api_keys.c.tenant == tenant)


def account(key_id: str) -> Select[Any]:
    """Return a key, and its tenant's budget and limits as `tenant_budget_usd` and so on."""
    shown = (
        "budget_usd",
        "spent_usd",
        "reserved_usd",
        "max_waiting_jobs",
        "max_running_jobs",
        "paused_at",
        "local_only",
    )
    return (
        _keys()
        .add_columns(
            *(tenants.c[name].label(f"tenant_{name}") for name in shown),
            literal_column(BALANCE, Money).label("balance"),
        )
        .where(api_keys.c.id == key_id)
    )


def key_of_tenant(key_id: str) -> Select[Any]:
    """Return the name of a key, and that of its tenant as `tenant`."""
    return (
        select(api_keys.c.name, tenants.c.name.label("tenant"))
        .join(tenants, tenants.c.id == api_keys.c.tenant)
        .where(api_keys.c.id == key_id)
    )


def change_key(key_id: str, tenant: str | None, values: Mapping[str, Any]) -> Update:
    """Change columns of a key, of `tenant` if given; returns its id, or no row."""
    found = update(api_keys).where(api_keys.c.id == key_id)
    if tenant is not None:
        found = found.where(api_keys.c.tenant == tenant)
    return found.values(**values).returning(api_keys.c.id)


def revoke_key(key_id: str, tenant: str | None = None) -> Update:
    """Revoke a key, of `tenant` if given; returns its id, or no row when it is unknown or already revoked."""
    found = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    if tenant is not None:
        found = found.where(api_keys.c.tenant == tenant)
    return found.values(revoked_at=now).returning(api_keys.c.id)


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


def set_waiting_cap(tenant: str, max_waiting_jobs: int | None) -> Update:
    """Give a tenant a cap on its unfinished jobs, 0 or more, or that of the settings."""
    return update(tenants).where(tenants.c.id == tenant).values(max_waiting_jobs=max_waiting_jobs)


def set_local_only(tenant: str, local_only: bool) -> Update:
    """Keep a tenant's jobs from remote backends, or let them have these; returns its id."""
    return update(tenants).where(tenants.c.id == tenant).values(local_only=local_only).returning(tenants.c.id)


def _is_valid() -> ColumnElement[bool]:
    return and_(api_keys.c.revoked_at.is_(None), or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > tx_now))


def _keys() -> Select[Any]:
    shown = tenants.c.name.label("tenant_name"), _is_valid().label("valid")
    return select(*api_keys.c, *shown).join(tenants, tenants.c.id == api_keys.c.tenant)
