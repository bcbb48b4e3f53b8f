"""What the webhook of a job is made of, and what a dialect makes of it."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from core.settings import Settings
from jobs.job import Job


class LeasedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """What a row of the outbox said when this worker leased it; `attempt` is the one that the lease begins."""

    id: str
    tenant: str
    webhook_id: str | None
    job_id: str | None
    type: str
    url: str
    attempt: int
    attempts_before: int
    created_at: datetime


class WebhookFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a job, for the receiver of one attempt.

    `event` is the type (`job.completed`), `happened_at` its time, and `now` the time of this attempt, both of the
    database. `secrets` are those that sign, the newest first, as Standard Webhooks writes them (`whsec_…`).
    """

    message_id: str
    event: str
    happened_at: datetime
    now: datetime
    job: Job
    balance: float | None
    secrets: Sequence[str]
    settings: Settings


class DialectWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """A body, and the headers that a dialect has beside those of Standard Webhooks, which every webhook has."""

    body: bytes
    headers: dict[str, str] = {}


WebhookFormat = Callable[[WebhookFacts], DialectWebhook]
"""Makes the webhook of an event in one dialect."""
