"""Previews of steps on their way from the worker to followers: a channel of each job in Redis, which stores nothing.

Subscribing to the channel is what asks for previews. The worker reads how many subscribers there are, and makes none
without one.
"""

import logging

import msgspec
import redis

from core.broker.clients import broker_client
from core.circuit_breaker import CircuitBreaker
from core.settings import Settings

log = logging.getLogger(__name__)


class StepPreview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an image or a film looks after `step` of `of` steps: a sketch, and not a small copy of what it will be.

    `image` is a `data:` URL of at most 12,000 characters, a WebP of at most 256 pixels on its longer side. Of a text it
    is left out, and `text` is all that is written after token `step`, of at most `of`.
    """

    step: int
    of: int
    image: str = ""
    text: str | None = None


def preview_channel(job_id: str) -> str:
    """Return the name of a job's channel."""
    return f"atelier:previews:{job_id}"


def decode_preview(data: bytes) -> StepPreview:
    """Return the preview of a message. Raises `msgspec.MsgspecError`."""
    return msgspec.msgpack.decode(data, type=StepPreview)


class PreviewPublisher:
    """The publisher of previews; a server that is away costs one timeout per breaker period, and no error."""

    def __init__(self, settings: Settings) -> None:
        self._client = broker_client(settings)
        self._breaker = CircuitBreaker(settings.breaker_seconds)

    def is_asked_for(self, job_id: str) -> bool:
        """Return whether there are subscribers; False while Redis is away."""
        channel = preview_channel(job_id)
        counts = self._send("PUBSUB", "NUMSUB", channel)
        return bool(counts) and int(counts[1]) > 0

    def publish(self, job_id: str, preview: StepPreview) -> None:
        """Send a preview to the subscribers there are now."""
        self._send("PUBLISH", preview_channel(job_id), msgspec.msgpack.encode(preview))

    def _send(self, *command: str | bytes) -> list[bytes | int]:
        if self._breaker.open:
            return []
        try:
            answer = self._client.execute_command(*command)  # type: ignore[no-untyped-call]
        except (redis.RedisError, OSError) as error:
            self._breaker.fail()
            log.warning("previews: broker not reached error=%r", str(error))
            return []
        return answer if isinstance(answer, list) else []
