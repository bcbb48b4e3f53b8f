"""/webhooks/v1/deliveries: what became of every webhook, and sending again."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from api.http.auth import Caller
from api.http.database import Database
from api.http.pagination import pack, unpack
from api.openapi.documents import error_responses
from api.operations.webhooks import PREFIX
from core.errors import (
    BodyTooLarge,
    InvalidJson,
    InvalidRequest,
    MalformedId,
    MissingField,
    OutOfRange,
    UnknownDelivery,
    UnknownField,
    WebhookDisabled,
    WrongType,
)
from core.ids import check_id
from jobs.statements.webhooks.delivery_log import REPLAYED, find_delivery, list_deliveries, replay_one, replay_range
from jobs.wire.webhooks import Delivery, DeliveryPage, DeliveryState, Ended, Replayed, delivery_of

FOUND = (MalformedId, UnknownDelivery)
BODY = (InvalidJson, BodyTooLarge, MissingField, UnknownField, WrongType, OutOfRange, InvalidRequest)

Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Deliveries on a page.")]
Time = Annotated[datetime, Meta(tz=True, description="A time with its zone, e.g. 2026-01-31T12:00:00Z.")]
State = Annotated[DeliveryState | None, QueryParameter(name="state", description="Only those in this state.")]
Since = Annotated[datetime | None, QueryParameter(description="Only those made at this time or later.")]
Until = Annotated[datetime | None, QueryParameter(description="Only those made before this time.")]


class Replay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries to send again: of those made from `since` on and before `until` the failed ones, or those of
    another `state`; all, or those of one endpoint.
    """

    since: Time
    until: Time
    webhook_id: str | None = None
    state: Ended = "failed"


class DeliveryRoutes(Controller):
    """List, look, send again."""

    path = "/webhooks/v1"
    tags = ("Webhooks",)

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
        """What was sent or is to be sent to your endpoints and callbacks, newest first, with every attempt. Pass
        `next_cursor` as `cursor` for the next page.
        """
        found = await database.rows(
            list_deliveries(
                caller.tenant,
                limit=limit + 1,
                webhook_id=None if webhook_id is None else check_id(PREFIX, webhook_id),
                job_id=None if job_id is None else check_id("job", job_id),
                state=state_,
                since=_zoned(since, "since"),
                until=_zoned(until, "until"),
                before=unpack(cursor) if cursor else None,
            )
        )
        more = pack(found[limit - 1]) if len(found) > limit else None
        return DeliveryPage([delivery_of(row) for row in found[:limit]], more)

    @get("/deliveries/{delivery_id:str}", responses=error_responses(*FOUND), summary="One delivery")
    async def show(
        self, delivery_id: FromPath[str], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> Delivery:
        """The delivery as it is now."""
        return await _found(database, caller, delivery_id)

    @post(
        "/deliveries/{delivery_id:str}/replay",
        status_code=202,
        responses=error_responses(*FOUND, WebhookDisabled),
        summary="Send a delivery again",
    )
    async def replay(
        self, delivery_id: FromPath[str], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> Delivery:
        """Sends it again under the same `webhook-id`, with the schedule of attempts from its beginning. One that is
        under way is left as it is.
        """
        delivery = await _found(database, caller, delivery_id)
        if await database.row(replay_one(delivery_id, caller.tenant)) is None and delivery.state != "pending":
            raise WebhookDisabled
        return await _found(database, caller, delivery_id)

    @post(
        "/replay", status_code=202, responses=error_responses(*BODY, MalformedId), summary="Send a range of time again"
    )
    async def replay_range(
        self, data: JSONBody[Replay], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> Replayed:
        """Sends what was made in a range of time again, each under its own `webhook-id`. Of one job and endpoint only
        the newest event and how the job ended are sent, as always. Endpoints that are disabled get nothing.
        """
        if data.webhook_id is not None:
            check_id(PREFIX, data.webhook_id)
        again = replay_range(
            caller.tenant, since=data.since, until=data.until, webhook_id=data.webhook_id, state=data.state
        )
        made = [row.created_at for row in await database.rows(again)]
        return Replayed(replayed=len(made), next_since=max(made) if len(made) == REPLAYED else None)


async def _found(database: Database, caller: Caller, delivery_id: str) -> Delivery:
    row = await database.row(find_delivery(check_id("msg", delivery_id), caller.tenant))
    if row is None:
        raise UnknownDelivery
    return delivery_of(row)


def _zoned(moment: datetime | None, name: str) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise InvalidRequest(f"`{name}` needs a time zone, e.g. 2026-01-31T12:00:00Z.", field=f"query.{name}")
    return moment
