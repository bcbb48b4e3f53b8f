"""/webhooks/v1: endpoints that are told of a tenant's jobs."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta
from sqlalchemy import Row

from api.http.auth import Caller
from api.http.database import Database
from api.openapi.documents import error_responses
from api.operations.webhooks import WebhookOperations
from core.errors import (
    BodyTooLarge,
    ForbiddenUrl,
    InvalidJson,
    InvalidRequest,
    MalformedId,
    MissingField,
    OutOfRange,
    TooManyWebhooks,
    UnknownField,
    UnknownWebhook,
    WebhookDisabled,
    WrongType,
)
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
BODY = (InvalidJson, BodyTooLarge, UnknownField, WrongType, OutOfRange, InvalidRequest, ForbiddenUrl)

Events = Annotated[list[EventType], Meta(min_length=1, max_length=len(EVENTS), description="What it is told of.")]


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint to be told of your jobs: of everything, unless you name `events`."""

    url: Url
    events: Events = msgspec.field(default_factory=lambda: list(EVENTS))


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; what is left out stays. `enabled: true` brings back an endpoint that was disabled."""

    url: Url | None = None
    events: Events | None = None
    enabled: bool | None = None


class WebhookRoutes(Controller):
    """Make, list, look, change, rotate, test, remove."""

    path = "/webhooks/v1"
    tags = ("WebhookOperations",)

    @post(status_code=201, responses=error_responses(*BODY, MissingField, TooManyWebhooks), summary="Make an endpoint")
    async def create(
        self, data: JSONBody[NewWebhook], caller: NamedDependency[Caller], webhooks: NamedDependency[WebhookOperations]
    ) -> WebhookWithSecret:
        """Your jobs' events are posted to `url` from now on, signed after Standard Webhooks with `secret`, which is
        shown only here and when it is rotated.
        """
        return _with_secret(await webhooks.add(caller.tenant, data.url, data.events), webhooks)

    @get(responses=error_responses(), summary="Your endpoints")
    async def index(self, caller: NamedDependency[Caller], database: NamedDependency[Database]) -> WebhookList:
        """Your endpoints, newest first."""
        return WebhookList([webhook_of(row) for row in await database.rows(list_webhooks(caller.tenant))])

    @get("/{webhook_id:str}", responses=error_responses(*FOUND), summary="One endpoint")
    async def show(
        self, webhook_id: FromPath[str], caller: NamedDependency[Caller], webhooks: NamedDependency[WebhookOperations]
    ) -> Webhook:
        """The endpoint as it is now."""
        return webhook_of(await webhooks.find(caller.tenant, webhook_id))

    @patch("/{webhook_id:str}", responses=error_responses(*FOUND, *BODY), summary="Change an endpoint")
    async def change(
        self,
        webhook_id: FromPath[str],
        data: JSONBody[WebhookChange],
        caller: NamedDependency[Caller],
        webhooks: NamedDependency[WebhookOperations],
    ) -> Webhook:
        """Changes what you send. What is still to be delivered goes to the new `url`; `enabled: false` gives it up, and
        what happens while an endpoint is disabled is not kept for it.
        """
        change: dict[str, Any] = msgspec.structs.asdict(data)
        return webhook_of(await webhooks.change(caller.tenant, webhook_id, **change))

    @post("/{webhook_id:str}/rotate", status_code=200, responses=error_responses(*FOUND), summary="Rotate the secret")
    async def rotate(
        self, webhook_id: FromPath[str], caller: NamedDependency[Caller], webhooks: NamedDependency[WebhookOperations]
    ) -> WebhookWithSecret:
        """Makes a new secret. For a day every delivery carries both signatures, of the new one and of the one before
        it.
        """
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
        """Sends `webhook.test`; what becomes of it is in the log of deliveries."""
        return delivery_of(await webhooks.test(caller.tenant, webhook_id))

    @delete("/{webhook_id:str}", responses=error_responses(*FOUND), summary="Remove an endpoint")
    async def remove(
        self, webhook_id: FromPath[str], caller: NamedDependency[Caller], webhooks: NamedDependency[WebhookOperations]
    ) -> None:
        """Removes the endpoint and what was still to be delivered to it."""
        await webhooks.remove(caller.tenant, webhook_id)


def _with_secret(row: Row[Any], webhooks: WebhookOperations) -> WebhookWithSecret:
    shown = msgspec.structs.asdict(webhook_of(row))
    return WebhookWithSecret(**shown, secret=webhooks.secret(row))
