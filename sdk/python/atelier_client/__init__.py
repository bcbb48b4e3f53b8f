"""A client of Atelier, the self-hosted service for generated media."""

from atelier_client.aio import AsyncAtelier
from atelier_client.client import Atelier
from atelier_client.errors import (
    ApiError,
    ApiUnavailable,
    AtelierError,
    ChainCancelled,
    ChainFailed,
    JobCancelled,
    JobFailed,
    JobTimeout,
    UnreadableAnswer,
    WebhookRefused,
)
from atelier_client.webhooks import verify_webhook

__all__ = [
    "ApiError",
    "ApiUnavailable",
    "AsyncAtelier",
    "Atelier",
    "AtelierError",
    "ChainCancelled",
    "ChainFailed",
    "JobCancelled",
    "JobFailed",
    "JobTimeout",
    "UnreadableAnswer",
    "WebhookRefused",
    "verify_webhook",
]
