"""Periodic work that outlives outages: call, pause, call again, and wait longer after errors."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from core.database import is_unreachable
from core.retry import Backoff

log = logging.getLogger(__name__)

LONGEST_PAUSE = 15.0


async def wait(stop: asyncio.Event, seconds: float) -> None:
    """Sleep `seconds`, or until `stop`."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


async def repeat(
    name: str,
    turn: Callable[[], Awaitable[bool]],
    *,
    seconds: float,
    stop: asyncio.Event,
    sleep: Callable[[asyncio.Event, float], Awaitable[None]] = wait,
) -> None:
    """Call `turn` every `seconds` (jittered) until `stop`, and without a pause while it returns that more is waiting.

    An error is logged and the pause doubles with each in a row, up to `LONGEST_PAUSE` (or `seconds`, if longer).
    """
    backoff = Backoff(first=2.0 * seconds, longest=max(LONGEST_PAUSE, seconds), jitter=0.2)
    errors = 0
    while not stop.is_set():
        try:
            pause = 0.0 if await turn() else seconds * random.uniform(0.8, 1.2)
            if errors:
                log.info("%s: working again", name)
            errors = 0
        except Exception as error:
            errors += 1
            pause = backoff.pause(errors)
            if is_unreachable(error):
                log.warning("%s: the database does not answer retry_in=%.1f", name, pause)
            else:
                log.exception("%s: failed retry_in=%.1f", name, pause)
        await sleep(stop, pause)
