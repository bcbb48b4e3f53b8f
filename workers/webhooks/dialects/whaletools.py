"""WhaleTools' callback: an envelope about the generation, signed as a whole in headers of its own."""

import hashlib
import hmac

import msgspec

from jobs.wire.dialects.whaletools import callback_body
from workers.webhooks.dialects.facts import DialectWebhook, WebhookFacts


def whaletools_webhook(facts: WebhookFacts) -> DialectWebhook:
    """Return the callback of a job that has ended.

    The signature is the hexadecimal HMAC-SHA256 of the body by the secret as it is shown (`whsec_…`), the newest one:
    the header has room for one.
    """
    shown = callback_body(facts.message_id, facts.happened_at, facts.job, facts.settings)
    body = msgspec.json.encode(shown)
    signature = hmac.digest(facts.secrets[0].encode(), body, hashlib.sha256).hex()
    return DialectWebhook(
        body=body,
        headers={
            "X-Webhook-Signature": f"sha256={signature}",
            "X-Webhook-Timestamp": str(int(facts.now.timestamp())),
            "X-Webhook-Event": shown.type,
            "X-Webhook-Delivery-Id": facts.message_id,
        },
    )
