"""/webhooks/v1/deliveries: the log of deliveries, and sending them again."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from api.http.auth import Caller, needs
from api.http.database import Database
from api.http.pagination import pack, require_zone, unpack
from api.http.strict_json import BODY_ERRORS
from api.openapi.documents import error_responses
from api.operations.webhooks import PREFIX
from core.errors.conflicts import WebhookDisabled
from core.errors.fields import InvalidRequest, OutOfRange, WrongType
from core.errors.unknown import MalformedId, UnknownDelivery
from core.ids import check_id
from jobs.statements.webhooks.delivery_log import REPLAYED, find_delivery, list_deliveries, replay_one, replay_range
from jobs.wire.webhooks import Delivery, DeliveryPage, DeliveryState, Ended, Replayed, delivery_of

FOUND = (MalformedId, UnknownDelivery)

Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Deliveries on a page.")]
Time = Annotated[datetime, Meta(tz=True, description="A time with its zone, e.g. 2026-01-31T12:00:00Z.")]
State = Annotated[DeliveryState | None, QueryParameter(name="state", description="Only those in this state.")]
Since = Annotated[datetime | None, QueryParameter(description="Only those created at this time or later.")]
Until = Annotated[datetime | None, QueryParameter(description="Only those created before this time.")]


class Replay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The deliveries to send again: the failed ones created from `since` on and before `until`.

    `state` selects another state, and `webhook_id` one endpoint.
    """

    since: Time
    until: Time
    webhook_id: str | None = None
    state: Ended = "failed"


class DeliveryRoutes(Controller):
    """Routes that list, show and repeat deliveries."""

    path = "/webhooks/v1"
    tags = ("Webhooks",)
    opt = needs("webhooks")

    @get(
        "/deliveries",
        responses=error_responses(InvalidRequest, OutOfRange, WrongType, MalformedId),
        summary="Deliveries",
    )
    async def index(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        limit: Limit = 20,
        cursor: FromQuery[str | None] = None,
        webhook_id: FromQuery[str | None] = None,
        job_id: FromQuery[str | None] = None,
        state_: State = None,  # Litestar keeps `state` for itself
        since: Since = None,
        until: Until = None,
    ) -> DeliveryPage:
        """Return the deliveries to your endpoints and callbacks, newest first, with every attempt.

        Pass `next_cursor` as `cursor` for the next page.
        """
        rows = await database.rows(
            list_deliveries(
                caller.tenant,
                limit=limit + 1,
                webhook_id=None if webhook_id is None else check_id(PREFIX, webhook_id),
                job_id=None if job_id is None else check_id("job", job_id),
                state=state_,
                since=require_zone(since, "since"),
                until=require_zone(until, "until"),
                before=unpack(cursor) if cursor else None,
            )
        )
        next_cursor = pack(rows[limit - 1]) if len(rows) > limit else None
        return DeliveryPage([delivery_of(row) for row in rows[:limit]], next_cursor)

    @get("/deliveries/{delivery_id:str}", responses=error_responses(*FOUND), summary="One delivery")
    async def show(
        self, delivery_id: FromPath[str], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> Delivery:
        """Return the delivery as it is now."""
        return await _find_delivery(database, caller, delivery_id)

    @post(
        "/deliveries/{delivery_id:str}/replay",
        status_code=202,
        responses=error_responses(*FOUND, WebhookDisabled),
        summary="Send a delivery again",
    )
    async def replay(
        self, delivery_id: FromPath[str], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> Delivery:
        """Send a delivery again under the same `webhook-id`, with all attempts of the schedule.

        A pending delivery stays as it is.
        """
        delivery = await _find_delivery(database, caller, delivery_id)
        if await database.row(replay_one(delivery_id, caller.tenant)) is None and delivery.state != "pending":
            raise WebhookDisabled
        return await _find_delivery(database, caller, delivery_id)

    @post(
        "/replay",
        status_code=202,
        responses=error_responses(*BODY_ERRORS, MalformedId),
        summary="Send a range of time again",
    )
    async def replay_range(
        self, data: JSONBody[Replay], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> Replayed:
        """Send the deliveries of a range of time again, each under its own `webhook-id`.

        Of one job and endpoint only the newest event and the terminal event are sent. Disabled endpoints get nothing.
        """
        if data.webhook_id is not None:
            check_id(PREFIX, data.webhook_id)
        statement = replay_range(
            caller.tenant, since=data.since, until=data.until, webhook_id=data.webhook_id, state=data.state
        )
        created = [row.created_at for row in await database.rows(statement)]
        return Replayed(replayed=len(created), next_since=max(created) if len(created) == REPLAYED else None)


async def _find_delivery(database: Database, caller: Caller, delivery_id: str) -> Delivery:
    row = await database.row(find_delivery(check_id("msg", delivery_id), caller.tenant))
    if row is None:
        raise UnknownDelivery
    return delivery_of(row)
