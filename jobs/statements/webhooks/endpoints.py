"""Statements about webhook endpoints."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Delete, Insert, Select, Update, case, delete, func, insert, null, select, update

from jobs.params.requests.origin import NATIVE
from jobs.schema.tables import tenants, webhooks
from jobs.statements.clauses import ago, now


def add_webhook(
    webhook_id: str,
    tenant: str,
    *,
    url: str,
    events: Sequence[str],
    dialect: str = NATIVE,
    dialect_events: Sequence[str] = (),
    description: str | None = None,
) -> Insert:
    """Add an endpoint; returns its row. One of a dialect gets the events of the dialect's jobs, in its format.

    Then `events` are those that may be one of `dialect_events`.
    """
    made = insert(webhooks).values(
        id=webhook_id,
        tenant=tenant,
        url=url,
        events=list(events),
        dialect=dialect,
        dialect_events=list(dialect_events),
        description=description,
    )
    return made.returning(*webhooks.c)


def list_webhooks(tenant: str) -> Select[Any]:
    """Return a tenant's endpoints, newest first."""
    return select(webhooks).where(webhooks.c.tenant == tenant).order_by(webhooks.c.created_at.desc(), webhooks.c.id)


def count_webhooks(tenant: str) -> Select[Any]:
    """Return how many endpoints a tenant has."""
    return select(func.count()).select_from(webhooks).where(webhooks.c.tenant == tenant)


def find_webhook(webhook_id: str, tenant: str) -> Select[Any]:
    """Return the tenant's endpoint of this id."""
    return select(webhooks).where(webhooks.c.id == webhook_id, webhooks.c.tenant == tenant)


def change_webhook(
    webhook_id: str,
    tenant: str,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    enabled: bool | None = None,
) -> Update:
    """Change the given fields; returns the row, or none. Enabling an endpoint resets its failures."""
    values: dict[str, Any] = {"url": webhooks.c.url if url is None else url}
    if events is not None:
        values["events"] = list(events)
    if enabled:
        values |= {"disabled_at": None, "disabled_because": None, "failing_since": None}
    elif enabled is not None:
        values |= _disabled("owner")
    return _own(webhook_id, tenant).values(values).returning(*webhooks.c)


def rotate_webhook(webhook_id: str, tenant: str) -> Update:
    """Move an endpoint to its next secret; returns the row, or none."""
    values = {"generation": webhooks.c.generation + 1, "rotated_at": now}
    return _own(webhook_id, tenant).values(values).returning(*webhooks.c)


def forget_webhook(webhook_id: str, tenant: str) -> Delete:
    """Remove an endpoint."""
    return delete(webhooks).where(webhooks.c.id == webhook_id, webhooks.c.tenant == tenant)


def worked(webhook_id: str) -> Update:
    """Record that the endpoint accepted a delivery."""
    failing = webhooks.c.failing_since.is_not(None)
    return update(webhooks).where(webhooks.c.id == webhook_id, failing).values(failing_since=None)


def failed(webhook_id: str, *, gone: bool, disable_seconds: float) -> Update:
    """Record that an enabled endpoint did not accept a delivery; returns `disabled_at`.

    The endpoint is disabled when it answers that it is `gone`, or has accepted nothing for `disable_seconds`.
    """
    spent = webhooks.c.failing_since < ago(disable_seconds)
    disabled = (
        _disabled("gone")
        if gone
        else {name: case((spent, value), else_=null()) for name, value in _disabled("failing").items()}
    )
    return (
        update(webhooks)
        .where(webhooks.c.id == webhook_id, webhooks.c.disabled_at.is_(None))
        .values(failing_since=func.coalesce(webhooks.c.failing_since, now), **disabled)
        .returning(webhooks.c.disabled_at)
    )


def signer(tenant: str, webhook_id: str | None) -> Select[Any]:
    """Return the owner of the secret that signs a delivery: the endpoint, or the tenant for a callback.

    Columns: owner, generation, rotated_at, disabled_at, now. No row for an endpoint that was removed.
    """
    columns: tuple[ColumnElement[Any], ...]
    if webhook_id is None:
        columns = (tenants.c.id, tenants.c.webhook_generation, tenants.c.webhook_rotated_at, null())
        found = tenants.c.id == tenant
    else:
        columns = (webhooks.c.id, webhooks.c.generation, webhooks.c.rotated_at, webhooks.c.disabled_at)
        found = webhooks.c.id == webhook_id
    names = ("owner", "generation", "rotated_at", "disabled_at")
    labeled = [column.label(name) for column, name in zip(columns, names, strict=True)]
    return select(*labeled, now.label("now")).where(found)


def _own(webhook_id: str, tenant: str) -> Update:
    return update(webhooks).where(webhooks.c.id == webhook_id, webhooks.c.tenant == tenant)


def _disabled(because: str) -> dict[str, Any]:
    return {"disabled_at": func.coalesce(webhooks.c.disabled_at, now), "disabled_because": because}
