"""/webhooks/v1: endpoints that receive the events of a tenant's jobs and chains."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta
from sqlalchemy import Row

from api.http.auth import Caller, needs
from api.http.database import Database
from api.http.strict_json import BODY_ERRORS
from api.openapi.documents import error_responses
from api.operations.webhooks import WebhookOperations
from core.errors.conflicts import WebhookDisabled
from core.errors.fields import ForbiddenUrl
from core.errors.limits import TooManyWebhooks
from core.errors.unknown import MalformedId, UnknownWebhook
from jobs.params.base import Url
from jobs.statements.webhooks.endpoints import list_webhooks
from jobs.wire.webhooks import (
    EVENTS,
    Delivery,
    EventType,
    Webhook,
    WebhookList,
    WebhookWithSecret,
    delivery_of,
    webhook_of,
)

FOUND = (MalformedId, UnknownWebhook)

Events = Annotated[
    list[EventType], Meta(min_length=1, max_length=len(EVENTS), description="The events that it receives.")
]


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint for the events of your jobs and chains; it receives all of them, unless you list `events`."""

    url: Url
    events: Events = msgspec.field(default_factory=lambda: list(EVENTS))


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change; others stay. `enabled: true` enables an endpoint that was disabled."""

    url: Url | None = None
    events: Events | None = None
    enabled: bool | None = None


class WebhookRoutes(Controller):
    """Routes that add, list, show, change, rotate, test and remove endpoints."""

    path = "/webhooks/v1"
    tags = ("Webhooks",)
    opt = needs("webhooks")

    @post(
        status_code=201,
        responses=error_responses(*BODY_ERRORS, ForbiddenUrl, TooManyWebhooks),
        summary="Add an endpoint",
    )
    async def create(
        self, data: JSONBody[NewWebhook], caller: NamedDependency[Caller], webhooks: NamedDependency[WebhookOperations]
    ) -> WebhookWithSecret:
        """Send the events of your jobs and chains to `url` from now on, signed as Standard Webhooks describe.

        The `secret` of the signatures is shown only here and when it is rotated.
        """
        return _with_secret(await webhooks.add(caller.tenant, data.url, data.events), webhooks)

    @get(responses=error_responses(), summary="Your endpoints")
    async def index(self, caller: NamedDependency[Caller], database: NamedDependency[Database]) -> WebhookList:
        """Return your endpoints, newest first."""
        return WebhookList([webhook_of(row) for row in await database.rows(list_webhooks(caller.tenant))])

    @get("/{webhook_id:str}", responses=error_responses(*FOUND), summary="One endpoint")
    async def show(
        self, webhook_id: FromPath[str], caller: NamedDependency[Caller], webhooks: NamedDependency[WebhookOperations]
    ) -> Webhook:
        """Return the endpoint as it is now."""
        return webhook_of(await webhooks.find(caller.tenant, webhook_id))

    @patch(
        "/{webhook_id:str}", responses=error_responses(*FOUND, *BODY_ERRORS, ForbiddenUrl), summary="Change an endpoint"
    )
    async def change(
        self,
        webhook_id: FromPath[str],
        data: JSONBody[WebhookChange],
        caller: NamedDependency[Caller],
        webhooks: NamedDependency[WebhookOperations],
    ) -> Webhook:
        """Change the fields that you send.

        Pending deliveries go to a new `url`; `enabled: false` gives them up, and events of the time while an endpoint
        is disabled are not stored for it.
        """
        change: dict[str, Any] = msgspec.structs.asdict(data)
        return webhook_of(await webhooks.change(caller.tenant, webhook_id, **change))

    @post("/{webhook_id:str}/rotate", status_code=200, responses=error_responses(*FOUND), summary="Rotate the secret")
    async def rotate(
        self, webhook_id: FromPath[str], caller: NamedDependency[Caller], webhooks: NamedDependency[WebhookOperations]
    ) -> WebhookWithSecret:
        """Change to a new secret. For a day every delivery has two signatures, with the new one and the one before."""
        return _with_secret(await webhooks.rotate(caller.tenant, webhook_id), webhooks)

    @post(
        "/{webhook_id:str}/test",
        status_code=202,
        responses=error_responses(*FOUND, WebhookDisabled),
        summary="Send a test event",
    )
    async def test(
        self, webhook_id: FromPath[str], caller: NamedDependency[Caller], webhooks: NamedDependency[WebhookOperations]
    ) -> Delivery:
        """Send `webhook.test`; the log of deliveries has its outcome."""
        return delivery_of(await webhooks.test(caller.tenant, webhook_id))

    @delete("/{webhook_id:str}", responses=error_responses(*FOUND), summary="Remove an endpoint")
    async def remove(
        self, webhook_id: FromPath[str], caller: NamedDependency[Caller], webhooks: NamedDependency[WebhookOperations]
    ) -> None:
        """Remove the endpoint and its pending deliveries."""
        await webhooks.remove(caller.tenant, webhook_id)


def _with_secret(row: Row[Any], webhooks: WebhookOperations) -> WebhookWithSecret:
    fields = msgspec.structs.asdict(webhook_of(row))
    return WebhookWithSecret(**fields, secret=webhooks.secret(row))
