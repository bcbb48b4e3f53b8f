"""Verification of webhooks: Standard Webhooks 1.0 (https://www.standardwebhooks.com)."""

from collections.abc import Mapping

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError

from atelier_client.errors import WebhookRefused
from atelier_client.models import WebhookEvent


def verify_webhook(body: bytes, headers: Mapping[str, str], secret: str) -> WebhookEvent:
    """Return the event of a request that a webhook endpoint or a `callback_url` received.

    `body` is the request's as it came, `secret` the endpoint's, or the tenant's for a callback. A message may come
    twice, with the same `webhook-id`. Raises `WebhookRefused` for a wrong signature and for a message that is more than
    five minutes old.
    """
    small = {name.lower(): value for name, value in headers.items()}
    try:
        Webhook(secret).verify(body, small)
    except (WebhookVerificationError, ValueError) as error:
        raise WebhookRefused(str(error) or "The signature is wrong.") from None
    return msgspec.json.decode(body, type=WebhookEvent)
