"""Database operations of the operator's commands; they need the database URL and the secret, not the API."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row

from core.database import sync_engine
from core.ids import new_id
from core.settings import Settings
from core.signing import key_digest, key_digests, new_key, webhook_secret
from jobs.scopes import ADMIN
from jobs.statements import api_keys

DEFAULT_TENANT = "default"


class UnknownTenant(Exception):
    """A tenant name that the database does not have."""


class SecretMissing(Exception):
    """A secret key that neither the environment nor a running `atelier up` has."""


@contextmanager
def connected(settings: Settings) -> Iterator[Connection]:
    """Open a connection with one transaction."""
    db = sync_engine(settings)
    try:
        with db.begin() as connection:
            yield connection
    finally:
        db.dispose()


def create_key(
    settings: Settings,
    *,
    tenant: str,
    name: str,
    priority_ceiling: int = 9,
    budget_usd: float | None = None,
    max_running_jobs: int | None = None,
    max_waiting_jobs: int | None = None,
    local_only: bool | None = None,
    scopes: Sequence[str] = (),
    expires_in: float | None = None,
) -> tuple[str, str]:
    """Create an API key, and its tenant when it is new; return the id and the key, which cannot be read again.

    `scopes` are those of `jobs.scopes`, and it expires in `expires_in` seconds. `budget_usd` becomes the tenant's
    budget in US dollars, `max_running_jobs` how many of its jobs may run at once, 1 or more, `max_waiting_jobs` how
    many may be unfinished, 0 or more, `local_only` whether they stay on this installation's own servers; None leaves
    each as it is.
    """
    key, key_id = new_key(), new_id("key")
    with connected(settings) as connection:
        owner: str = connection.execute(api_keys.ensure_tenant(tenant)).scalar_one()
        digest = key_digest(_secret(settings), key)
        connection.execute(
            api_keys.add_key(
                key_id,
                owner,
                name=name,
                digest=digest,
                priority_ceiling=priority_ceiling,
                scopes=scopes,
                expires_in=expires_in,
            )
        )
        if budget_usd is not None:
            connection.execute(api_keys.set_budget(owner, budget_usd))
        if max_running_jobs is not None:
            connection.execute(api_keys.set_running_cap(owner, max_running_jobs))
        if max_waiting_jobs is not None:
            connection.execute(api_keys.set_waiting_cap(owner, max_waiting_jobs))
        if local_only is not None:
            connection.execute(api_keys.set_local_only(owner, local_only))
    return key_id, key


def ensure_key(settings: Settings, key: str) -> None:
    """Give the admin key its row and the admin scope; a revoked key stays revoked."""
    digest, *older = key_digests(_secret(settings), key)
    with connected(settings) as connection:
        if connection.execute(api_keys.make_admin(digest, *older)).first() is None:
            owner = connection.execute(api_keys.ensure_tenant(DEFAULT_TENANT)).scalar_one()
            connection.execute(api_keys.add_key(new_id("key"), owner, name="admin", digest=digest, scopes=[ADMIN]))


def tenant_row(connection: Connection, tenant: str) -> Row[Any]:
    """Return the id and the webhook generation of a tenant by its name. Raises `UnknownTenant`."""
    row = connection.execute(api_keys.tenant_by_name(tenant)).first()
    if row is None:
        raise UnknownTenant(
            f"the tenant {tenant!r} does not exist; create it with `atelier keys create --tenant {tenant}`"
        )
    return row


def tenant_secret(settings: Settings, tenant: str, *, rotate: bool) -> str:
    """Return the secret that signs a tenant's callbacks; with `rotate` make a new one first.

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
        raise SecretMissing("ATELIER_SECRET_KEY is not set, and no `atelier up` runs on --data")
    return settings.secret_key
