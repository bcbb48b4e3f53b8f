"""The endpoints that a tenant has: making, changing, removing and testing them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from api.http.database import Database
from api.submit.validation import check_url
from core.errors import TooManyWebhooks, UnknownWebhook, WebhookDisabled
from core.ids import check_id, new_id
from core.settings import Settings
from core.signing import webhook_secret
from jobs.statements.queue.submit import lock_quota
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
    """Every method that names an endpoint raises `MalformedId` or `UnknownWebhook` when the tenant has none of it."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    async def add(self, tenant: str, url: str, events: Sequence[str]) -> Row[Any]:
        """Make an endpoint. Raises `TooManyWebhooks`, and what `check_url` raises."""
        check_url(url, "$.url", self._settings)
        most = self._settings.max_webhooks

        async def insert(connection: AsyncConnection) -> Row[Any]:
            await connection.execute(lock_quota(tenant))
            if (await connection.execute(count_webhooks(tenant))).scalar_one() >= most:
                raise TooManyWebhooks(
                    f"You have {most} webhook endpoints, as many as you may. {TooManyWebhooks.advice}"
                )
            made = add_webhook(new_id(PREFIX), tenant, url=url, events=events)
            return (await connection.execute(made)).one()

        return await self._database.transaction(insert)

    async def find(self, tenant: str, webhook_id: str) -> Row[Any]:
        """The tenant's endpoint."""
        return _there(await self._database.row(find_webhook(check_id(PREFIX, webhook_id), tenant)))

    async def change(
        self, tenant: str, webhook_id: str, *, url: str | None, events: Sequence[str] | None, enabled: bool | None
    ) -> Row[Any]:
        """Change what is given, also for what is still to be sent: it goes to the new URL; when the endpoint is
        disabled it is given up. Raises what `check_url` raises.
        """
        check_id(PREFIX, webhook_id)
        if url is not None:
            check_url(url, "$.url", self._settings)

        async def work(connection: AsyncConnection) -> Row[Any]:
            changed = change_webhook(webhook_id, tenant, url=url, events=events, enabled=enabled)
            row = _there((await connection.execute(changed)).one_or_none())
            if url is not None:
                await connection.execute(redirect(webhook_id, url))
            if enabled is False:
                await connection.execute(abandon(webhook_id, BY_OWNER))
            return row

        return await self._database.transaction(work)

    async def rotate(self, tenant: str, webhook_id: str) -> Row[Any]:
        """Move on to the next secret; the one before it signs too for a day."""
        return _there(await self._database.row(rotate_webhook(check_id(PREFIX, webhook_id), tenant)))

    async def remove(self, tenant: str, webhook_id: str) -> None:
        """Remove an endpoint and what was still to be sent to it; its log stays."""
        check_id(PREFIX, webhook_id)

        async def work(connection: AsyncConnection) -> None:
            if (await connection.execute(forget_webhook(webhook_id, tenant))).rowcount == 0:
                raise UnknownWebhook
            await connection.execute(forget_undelivered(webhook_id))

        await self._database.transaction(work)

    async def test(self, tenant: str, webhook_id: str) -> Row[Any]:
        """Put a test event into the outbox; its row in the log. Raises `WebhookDisabled`."""
        await self.find(tenant, webhook_id)
        message = new_id("msg")

        async def work(connection: AsyncConnection) -> Row[Any]:
            if (await connection.execute(add_test(message, webhook_id, tenant))).first() is None:
                raise WebhookDisabled
            row: Row[Any] = (await connection.execute(find_delivery(message, tenant))).one()
            return row

        return await self._database.transaction(work)

    def secret(self, row: Row[Any]) -> str:
        """The newest secret of an endpoint."""
        return webhook_secret(self._settings.secret_key, row.id, row.generation)


def _there(row: Row[Any] | None) -> Row[Any]:
    if row is None:
        raise UnknownWebhook
    return row
