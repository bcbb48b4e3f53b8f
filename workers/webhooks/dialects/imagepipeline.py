"""ImagePipeline's callback: a flat object, without a header of its own."""

import msgspec

from jobs.wire.dialects.imagepipeline import callback_body
from workers.webhooks.dialects.facts import DialectWebhook, WebhookFacts


def imagepipeline_webhook(facts: WebhookFacts) -> DialectWebhook:
    """Return the callback of a job that has ended."""
    return DialectWebhook(body=msgspec.json.encode(callback_body(facts.job, facts.settings)))
