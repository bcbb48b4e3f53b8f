"""The webhook formats, by the dialect of a job's origin; a dialect that is not here has the native format."""

from collections.abc import Mapping

from jobs.wire.dialects import imagepipeline, whaletools
from workers.webhooks.dialects.facts import WebhookFormat
from workers.webhooks.dialects.imagepipeline import imagepipeline_webhook
from workers.webhooks.dialects.whaletools import whaletools_webhook

CALLBACK_FORMATS: Mapping[str, WebhookFormat] = {
    imagepipeline.NAME: imagepipeline_webhook,
    whaletools.NAME: whaletools_webhook,
}
"""Of the `callback_url` of a job. An endpoint of /webhooks/v1 gets the native format of every job."""
