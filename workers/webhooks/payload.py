"""The body of a webhook and its signature: Standard Webhooks 1.0 (https://www.standardwebhooks.com)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from standardwebhooks import Webhook

from jobs.job import Job
from jobs.wire.status import QueueEstimate, status_answer
from jobs.wire.webhooks import WebhookEvent, WebhookTest
from workers.webhooks.dialects.facts import DialectWebhook, WebhookFacts

BOTH_SECRETS = timedelta(hours=24)
"""How long after a rotation the old secret also signs."""


class WebhookMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook ready to be sent; `job` is its subject, None for a test. `composed_at` is the database's time."""

    body: bytes
    headers: dict[str, str]
    composed_at: datetime
    job: Job | None = None


def encode(payload: WebhookEvent | WebhookTest) -> bytes:
    """Return the body as JSON, its timestamp in UTC."""
    return msgspec.json.encode(msgspec.structs.replace(payload, timestamp=payload.timestamp.astimezone(UTC)))


def native_webhook(facts: WebhookFacts) -> DialectWebhook:
    """Return the webhook of a job in the native format: what its status route answers now, as `data`."""
    data = status_answer(facts.job, facts.settings, QueueEstimate(balance_remaining_usd=facts.balance))
    return DialectWebhook(body=encode(WebhookEvent(facts.event, facts.happened_at, data)))


def signing_generations(generation: int, rotated_at: datetime | None, now: datetime) -> list[int]:
    """Return the generations of the secrets that sign now: the newest, for a day also the one before."""
    if rotated_at is not None and generation > 1 and now - rotated_at < BOTH_SECRETS:
        return [generation, generation - 1]
    return [generation]


def sign(message_id: str, now: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers of Standard Webhooks 1.0; `now` is the time of this attempt."""
    now = now.astimezone(UTC)  # the library reads the fields of any other zone as if they were UTC
    signatures = [Webhook(secret).sign(message_id, now, body.decode()) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
