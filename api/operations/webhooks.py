"""The webhook endpoints of a tenant: adding, changing, removing and testing them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from api.http.database import Database
from api.submit.validation import check_url
from core.errors.conflicts import WebhookDisabled
from core.errors.limits import TooManyWebhooks
from core.errors.unknown import UnknownWebhook
from core.ids import check_id, new_id
from core.settings import Settings
from core.signing import webhook_secret
from jobs.params.requests.origin import NATIVE
from jobs.statements.budget import lock_tenant
from jobs.statements.webhooks.deliveries import abandon, forget_undelivered, redirect
from jobs.statements.webhooks.delivery_log import add_test, find_delivery
from jobs.statements.webhooks.endpoints import (
    add_webhook,
    change_webhook,
    count_webhooks,
    find_webhook,
    forget_webhook,
    rotate_webhook,
)

PREFIX = "whk"
BY_OWNER = "The endpoint was disabled by its owner."


class WebhookOperations:
    """Operations on webhook endpoints.

    Every method with a `webhook_id` raises `MalformedId`, or `UnknownWebhook` when the tenant has no such endpoint.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    async def add(
        self,
        tenant: str,
        url: str,
        events: Sequence[str],
        *,
        dialect: str = NATIVE,
        dialect_events: Sequence[str] = (),
        description: str | None = None,
    ) -> Row[Any]:
        """Add an endpoint, of a dialect as `add_webhook` describes it, and return its row.

        Raises `TooManyWebhooks`, and what `check_url` raises.
        """
        check_url(url, "$.url", self._settings)
        limit = self._settings.max_webhooks

        async def insert(connection: AsyncConnection) -> Row[Any]:
            await connection.execute(lock_tenant(tenant))
            if (await connection.execute(count_webhooks(tenant))).scalar_one() >= limit:
                raise TooManyWebhooks(
                    f"You have reached your limit of {limit} webhook endpoints. {TooManyWebhooks.advice}"
                )
            insertion = add_webhook(
                new_id(PREFIX),
                tenant,
                url=url,
                events=events,
                dialect=dialect,
                dialect_events=dialect_events,
                description=description,
            )
            return (await connection.execute(insertion)).one()

        return await self._database.transaction(insert)

    async def find(self, tenant: str, webhook_id: str) -> Row[Any]:
        """Return the row of the tenant's endpoint."""
        return _require(await self._database.row(find_webhook(check_id(PREFIX, webhook_id), tenant)))

    async def change(
        self, tenant: str, webhook_id: str, *, url: str | None, events: Sequence[str] | None, enabled: bool | None
    ) -> Row[Any]:
        """Change the given fields and return the row. Raises what `check_url` raises.

        Pending deliveries go to a new `url`, and are given up when the endpoint is disabled.
        """
        check_id(PREFIX, webhook_id)
        if url is not None:
            check_url(url, "$.url", self._settings)

        async def work(connection: AsyncConnection) -> Row[Any]:
            changed = change_webhook(webhook_id, tenant, url=url, events=events, enabled=enabled)
            row = _require((await connection.execute(changed)).one_or_none())
            if url is not None:
                await connection.execute(redirect(webhook_id, url))
            if enabled is False:
                await connection.execute(abandon(webhook_id, BY_OWNER))
            return row

        return await self._database.transaction(work)

    async def rotate(self, tenant: str, webhook_id: str) -> Row[Any]:
        """Change to the next secret and return the row; the one before it also signs for a day."""
        return _require(await self._database.row(rotate_webhook(check_id(PREFIX, webhook_id), tenant)))

    async def remove(self, tenant: str, webhook_id: str) -> None:
        """Remove an endpoint and its pending deliveries; the log stays."""
        check_id(PREFIX, webhook_id)

        async def work(connection: AsyncConnection) -> None:
            if (await connection.execute(forget_webhook(webhook_id, tenant))).rowcount == 0:
                raise UnknownWebhook
            await connection.execute(forget_undelivered(webhook_id))

        await self._database.transaction(work)

    async def test(self, tenant: str, webhook_id: str) -> Row[Any]:
        """Add a test event to the outbox and return its row of the log. Raises `WebhookDisabled`."""
        await self.find(tenant, webhook_id)
        message = new_id("msg")

        async def work(connection: AsyncConnection) -> Row[Any]:
            if (await connection.execute(add_test(message, webhook_id, tenant))).first() is None:
                raise WebhookDisabled
            row: Row[Any] = (await connection.execute(find_delivery(message, tenant))).one()
            return row

        return await self._database.transaction(work)

    def secret(self, row: Row[Any]) -> str:
        """Return the newest secret of an endpoint."""
        return webhook_secret(self._settings.secret_key, row.id, row.generation)


def _require(row: Row[Any] | None) -> Row[Any]:
    """Return the row. Raises `UnknownWebhook` when there is none."""
    if row is None:
        raise UnknownWebhook
    return row
