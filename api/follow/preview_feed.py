"""The feed of previews of steps: from a job's channel in Redis to the streams that ask for them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from redis.exceptions import RedisError

from api.follow.subscription import Subscription
from core.broker.clients import async_broker_client
from core.settings import Settings
from jobs.step_previews import decode_preview, preview_channel

log = logging.getLogger(__name__)

WAIT_SECONDS = 5.0
"""How long one read waits for a message."""
PAUSE_SECONDS = 1.0
"""Between two tries to subscribe while Redis is away."""


class PreviewFeed:
    """The subscriptions of this process to previews: a connection for each stream that asks, as long as it is open.

    Being subscribed is what makes the worker draw, so the feed ends with the stream, however that ends.
    """

    def __init__(self, settings: Settings) -> None:
        self._client = async_broker_client(settings, timeout=WAIT_SECONDS + settings.broker_timeout)

    @asynccontextmanager
    async def forward(self, job_id: str, subscription: Subscription) -> AsyncIterator[None]:
        """Show a job's previews to a subscription as long as the block lasts."""
        task = asyncio.create_task(self._forward(job_id, subscription), name="previews")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _forward(self, job_id: str, subscription: Subscription) -> None:
        """Read until cancelled; a Redis that is away costs previews, and nothing else."""
        while True:
            try:
                await self._read(job_id, subscription)
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("previews: not read job=%s error=%s", job_id, error)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self, job_id: str, subscription: Subscription) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(preview_channel(job_id))
            while True:
                message: Any = await channel.get_message(timeout=WAIT_SECONDS)
                if message is None:
                    continue
                try:
                    subscription.show(decode_preview(message["data"]))
                except msgspec.MsgspecError as error:
                    log.warning("previews: malformed job=%s error=%s", job_id, error)
