"""The listener for bells: other processes name the task that they have committed work for."""

import asyncio
import logging
from typing import Any

from redis.exceptions import RedisError

from core.broker.clients import async_broker_client
from core.retry import Backoff
from core.settings import Settings
from jobs.cpu_bell import LIST
from workers.cpu.due_watch import DueWatch

log = logging.getLogger(__name__)

BLOCK_SECONDS = 1.0
BACKOFF = Backoff(first=0.1, longest=5.0, jitter=0.2)


async def hear_bells(settings: Settings, watch: DueWatch, stop: asyncio.Event) -> None:
    """Wake the tasks that bells name, until `stop`. While the broker is away, the watch looks more often.

    It may be cancelled for a quicker end; but the client can lose a cancellation, so that `stop` must be set too.
    """
    client = async_broker_client(settings, timeout=BLOCK_SECONDS + settings.broker_timeout)
    failures = 0
    try:
        while not stop.is_set():
            try:
                bell: Any = await client.brpop([LIST], timeout=BLOCK_SECONDS)
            except (RedisError, OSError, TimeoutError) as error:
                log.log(logging.DEBUG if failures else logging.WARNING, "bells: not heard reason=%s", error)
                failures += 1
                watch.hears_bells = False
                await client.connection_pool.disconnect()
                await asyncio.sleep(BACKOFF.pause(failures))
                continue
            failures = 0
            watch.hears_bells = True
            if bell is not None:
                watch.ring(bell[1].decode(errors="replace"))
    finally:
        await client.aclose()
