"""Answers about webhook endpoints and deliveries."""

from typing import Annotated, Any, Literal, get_args

import msgspec

from core.ids import is_id
from jobs.media import PREFIX as MEDIA
from jobs.params.requests.origin import CHAIN
from jobs.wire.status import StatusAnswer
from jobs.wire.values import UtcTime, documented

JobEventType = Literal["job.queued", "job.started", "job.completed", "job.failed", "job.cancelled"]
ChainEventType = Literal["chain.completed", "chain.failed", "chain.cancelled"]
EventType = Literal[JobEventType, ChainEventType]
EVENTS: tuple[EventType, ...] = get_args(EventType)
DeliveryState = Literal["pending", "delivered", "failed", "superseded"]
Ended = Literal["delivered", "failed", "superseded"]


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint.

    `failing_since` is the time since which it has accepted nothing. An endpoint is disabled by its `owner`, after
    `failing` for five days, or by an answer of 410 (`gone`).
    """

    webhook_id: str
    url: str
    events: tuple[EventType, ...]
    enabled: bool
    disabled_because: Literal["owner", "failing", "gone"] | None
    failing_since: UtcTime | None
    created_at: UtcTime


class WebhookWithSecret(Webhook, frozen=True, kw_only=True):
    """An endpoint with the secret that signs its deliveries; the secret is shown only now."""

    secret: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt: its number, its start, the HTTP status if any, the problem if any, and its duration."""

    attempt: int
    at: UtcTime
    status: int | None
    problem: str | None
    milliseconds: int


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message to one receiver; its id is the `webhook-id` of every attempt.

    `webhook_id` is null for a `callback_url`. `job_id`, `media_id` or `chain_id` names the job, the file or the chain
    that it is about, and is null otherwise. A `superseded` delivery was not sent, because of a newer event of its job.
    `next_attempt_at` is null unless it is `pending`.
    """

    delivery_id: str
    webhook_id: str | None
    job_id: str | None
    media_id: str | None
    chain_id: str | None = None
    type: str
    url: str
    state: Annotated[str, documented(DeliveryState)]
    problem: str | None
    attempts: tuple[Attempt, ...]
    next_attempt_at: UtcTime | None
    created_at: UtcTime


class WebhookEvent(msgspec.Struct, frozen=True):
    """The body of a webhook about a job, which is sent to its `callback_url` and to endpoints.

    `timestamp` is the time of the event, `data` what the job's status route answers now.
    """

    type: Annotated[str, documented(JobEventType)]
    timestamp: UtcTime
    data: StatusAnswer


class WebhookTestData(msgspec.Struct, frozen=True):
    """The data of a test event."""

    webhook_id: str


class WebhookTest(msgspec.Struct, frozen=True):
    """The body of the test event of an endpoint."""

    type: str
    timestamp: UtcTime
    data: WebhookTestData


class WebhookList(msgspec.Struct, frozen=True):
    """Your endpoints, newest first, all on one page."""

    webhooks: list[Webhook]


class DeliveryPage(msgspec.Struct, frozen=True):
    """Deliveries, newest first; `next_cursor` is null on the last page."""

    deliveries: list[Delivery]
    next_cursor: str | None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """The number of deliveries that are sent again, at most 10,000, the oldest first.

    Unless `next_since` is null there may be more: repeat the call with it as `since`.
    """

    replayed: int
    next_since: UtcTime | None


def webhook_of(row: Any) -> Webhook:
    """Return a row of `webhooks` as its owner sees it."""
    return Webhook(
        webhook_id=row.id,
        url=row.url,
        events=tuple(row.events),
        enabled=row.disabled_at is None,
        disabled_because=row.disabled_because,
        failing_since=row.failing_since,
        created_at=row.created_at,
    )


def delivery_of(row: Any) -> Delivery:
    """Return a row of `jobs.statements.webhooks.delivery_log` as its owner sees it."""
    subject = row.job_id or ""
    is_file, is_chain = is_id(MEDIA, subject), is_id(CHAIN, subject)
    return Delivery(
        delivery_id=row.id,
        webhook_id=row.webhook_id,
        job_id=None if is_file or is_chain else row.job_id,
        media_id=row.job_id if is_file else None,
        chain_id=row.job_id if is_chain else None,
        type=row.type,
        url=row.url,
        state=row.state,
        problem=row.problem,
        attempts=msgspec.convert(row.attempts, tuple[Attempt, ...]),
        next_attempt_at=row.next_attempt_at,
        created_at=row.created_at,
    )
