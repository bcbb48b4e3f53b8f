"""Webhook endpoints in VideoGen's shape; `workers/webhooks/dialects/videogen.py` makes what they receive."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta
from sqlalchemy import Row

from api.dialects.videogen.ids import from_native, to_native
from api.dialects.videogen.paging import Limit, page_of
from api.http.auth import Caller, needs
from api.http.database import Database
from api.operations.webhooks import WebhookOperations
from core.errors.fields import NulInText, OutOfRange
from jobs.params.base import Url
from jobs.statements.webhooks.endpoints import list_webhooks
from jobs.wire.dialects.videogen import NAME
from jobs.wire.dialects.videogen_events import EVENT_NAMES, job_events

PREFIX = "ep"


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A new endpoint and the events that it is for."""

    url: Url
    events: Annotated[tuple[str, ...], Meta(min_length=1, max_length=100)]
    description: Annotated[str, Meta(max_length=1000)] | None = None


class Endpoint(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An endpoint; `signingSecret` is shown once, when it is made."""

    endpoint_id: str
    url: str
    events: tuple[str, ...]
    description: str | None
    created_at: int
    signing_secret_last4: str


class NewEndpointAnswer(Endpoint, frozen=True, rename="camel", kw_only=True):
    """A new endpoint."""

    signing_secret: str


class EndpointPage(msgspec.Struct, frozen=True, rename="camel"):
    """Endpoints, newest first."""

    endpoints: list[Endpoint]
    has_more: bool
    next_cursor: str | None


class EndpointRoutes(Controller):
    """Routes that list, add and remove endpoints."""

    path = "/webhooks/endpoints"
    opt = needs("webhooks")

    @get()
    async def index(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        webhooks: NamedDependency[WebhookOperations],
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
    ) -> EndpointPage:
        """Return your endpoints of this wire format; GET /webhooks/v1 lists all."""
        rows = [row for row in await database.rows(list_webhooks(caller.tenant)) if row.dialect == NAME]
        page, following = page_of(rows, lambda row: str(row.id), limit, cursor)
        shown = [Endpoint(**_facts(row, webhooks)) for row in page]
        return EndpointPage(shown, following is not None, following)

    @post(status_code=201)
    async def create(
        self,
        data: JSONBody[NewEndpoint],
        caller: NamedDependency[Caller],
        webhooks: NamedDependency[WebhookOperations],
    ) -> NewEndpointAnswer:
        """Send the events to `url` from now on."""
        for number, event in enumerate(data.events):
            if event not in EVENT_NAMES:
                raise OutOfRange(
                    f"`events[{number}]` {event[:80]!r} is unknown; the events are {', '.join(EVENT_NAMES)}.",
                    field=f"$.events[{number}]",
                )
        if data.description is not None and "\0" in data.description:
            raise NulInText(field="$.description")
        row = await webhooks.add(
            caller.tenant,
            data.url,
            job_events(data.events),
            dialect=NAME,
            dialect_events=tuple(dict.fromkeys(data.events)),
            description=data.description,
        )
        return NewEndpointAnswer(**_facts(row, webhooks), signing_secret=webhooks.secret(row))

    @delete("/{endpoint:str}")
    async def remove(
        self, endpoint: FromPath[str], caller: NamedDependency[Caller], webhooks: NamedDependency[WebhookOperations]
    ) -> None:
        """Remove an endpoint and its pending deliveries."""
        await webhooks.remove(caller.tenant, to_native(PREFIX, endpoint))


def _facts(row: Row[Any], webhooks: WebhookOperations) -> dict[str, Any]:
    return {
        "endpoint_id": from_native(PREFIX, row.id),
        "url": row.url,
        "events": tuple(row.dialect_events),
        "description": row.description,
        "created_at": int(row.created_at.timestamp()),
        "signing_secret_last4": webhooks.secret(row)[-4:],
    }
