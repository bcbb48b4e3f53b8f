"""What the operator's commands do in the database directly; they need its URL and the secret, not the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row

from core.database import sync_engine
from core.ids import new_id
from core.settings import Settings
from core.signing import key_digest, new_key, webhook_secret
from jobs.statements import api_keys

DEFAULT_TENANT = "default"


class UnknownTenant(Exception):
    """No tenant has this name."""


class SecretMissing(Exception):
    """Neither the environment nor a running `atelier up` says what the service signs with."""


@contextmanager
def connected(settings: Settings) -> Iterator[Connection]:
    """One transaction."""
    engine = sync_engine(settings)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def create_key(
    settings: Settings,
    *,
    tenant: str,
    name: str,
    priority_ceiling: int = 9,
    budget_usd: float | None = None,
    max_running_jobs: int | None = None,
    admin: bool = False,
) -> tuple[str, str]:
    """A new key of a tenant, who is made when there is none of that name: its id, and the key itself, once.

    An `admin` may order servers about. `budget_usd` becomes the tenant's budget in US dollars, `max_running_jobs` how
    many of its jobs may run at once, 1 or more; None leaves either as it is.
    """
    key, key_id = new_key(), new_id("key")
    with connected(settings) as connection:
        owner: str = connection.execute(api_keys.ensure_tenant(tenant)).scalar_one()
        digest, scopes = key_digest(_secret(settings), key), [api_keys.ADMIN] if admin else []
        connection.execute(
            api_keys.add_key(key_id, owner, name=name, digest=digest, priority_ceiling=priority_ceiling, scopes=scopes)
        )
        if budget_usd is not None:
            connection.execute(api_keys.set_budget(owner, budget_usd))
        if max_running_jobs is not None:
            connection.execute(api_keys.set_running_cap(owner, max_running_jobs))
    return key_id, key


def ensure_key(settings: Settings, key: str) -> None:
    """Make the admin key known, and an admin's; one that was revoked stays revoked."""
    digest = key_digest(_secret(settings), key)
    with connected(settings) as connection:
        if connection.execute(api_keys.make_admin(digest)).first() is None:
            owner = connection.execute(api_keys.ensure_tenant(DEFAULT_TENANT)).scalar_one()
            connection.execute(
                api_keys.add_key(new_id("key"), owner, name="admin", digest=digest, scopes=[api_keys.ADMIN])
            )


def tenant_row(connection: Connection, tenant: str) -> Row[Any]:
    """Id and webhook generation of the tenant of that name. Raises `UnknownTenant`."""
    row = connection.execute(api_keys.tenant_by_name(tenant)).first()
    if row is None:
        raise UnknownTenant(f"there is no tenant {tenant!r}; `atelier keys create --tenant {tenant}` makes one")
    return row


def tenant_secret(settings: Settings, tenant: str, *, rotate: bool) -> str:
    """The secret that a tenant's webhooks are signed with, after moving to the next one if `rotate`.

    Raises `UnknownTenant`.
    """
    with connected(settings) as connection:
        row = tenant_row(connection, tenant)
        generation = row.webhook_generation
        if rotate:
            generation = connection.execute(api_keys.rotate_webhook_secret(row.id)).scalar_one()
    return webhook_secret(_secret(settings), row.id, generation)


def _secret(settings: Settings) -> str:
    if not settings.secret_key:
        raise SecretMissing("ATELIER_SECRET_KEY is not set, and no `atelier up` runs on the data folder")
    return settings.secret_key
