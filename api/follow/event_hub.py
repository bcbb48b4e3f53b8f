"""The event hub: one task reads the stream of all jobs' events and distributes those that have a subscription.

Each read names the one stream, however many jobs are followed. Events only shorten the wait: a subscriber also reads
the row every few seconds, so that a Redis that is away or was flushed costs time and no event.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from api.follow.subscription import Subscription
from core.broker.clients import async_broker_client
from core.settings import Settings
from jobs.events import FIELD, STREAM, decode_event

log = logging.getLogger(__name__)

BLOCK_SECONDS = 5.0
COUNT = 512
"""Events of one read, at most: decoding them holds the event loop."""

START = b"0-0"
"""The stream's beginning. It is short, and subscribers leave out what is older than their row."""


class EventHub:
    """The reader of the stream, and the subscriptions that it distributes events to.

    It reads only while a job is followed. It then goes on where it stopped, so that an event after the subscription
    cannot be missed.
    """

    def __init__(self, settings: Settings) -> None:
        self.closing = asyncio.Event()
        self._settings = settings
        self._cursor = START
        self._subscribers: dict[str, set[Subscription]] = {}
        self._followed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start reading."""
        self._task = asyncio.create_task(self._run(), name="event hub")

    async def stop(self) -> None:
        """Stop reading, and wake every subscriber."""
        self.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def close(self) -> None:
        """Announce the end of the process, so that streams and waits end too."""
        self.closing.set()
        for subscribers in self._subscribers.values():
            for subscription in subscribers:
                subscription.add(None)

    @contextmanager
    def subscribe(self, job_id: str) -> Iterator[Subscription]:
        """Subscribe to a job: every event that is published from now on arrives, as long as Redis answers."""
        subscription = Subscription()
        subscribers = self._subscribers.setdefault(job_id, set())
        subscribers.add(subscription)
        self._followed.set()
        try:
            yield subscription
        finally:
            subscribers.discard(subscription)
            if not subscribers and self._subscribers.get(job_id) is subscribers:
                del self._subscribers[job_id]

    @property
    def following(self) -> int:
        """The number of jobs with a subscription."""
        return len(self._subscribers)

    async def _run(self) -> None:
        """Read until cancelled, with a growing pause after failures."""
        client = async_broker_client(self._settings, timeout=BLOCK_SECONDS + self._settings.broker_timeout)
        failures = 0
        try:
            while True:
                await self._followed.wait()
                try:
                    await self._read(client)
                    failures = 0
                except (RedisError, OSError, TimeoutError) as error:
                    log.log(
                        logging.DEBUG if failures else logging.WARNING, "event hub: events not read error=%s", error
                    )
                    failures += 1
                    self._cursor = START  # another server may number its entries from an earlier time
                    await client.connection_pool.disconnect()
                    await asyncio.sleep(0.05 * 2 ** min(failures, 4))
                if not self._subscribers:
                    self._followed.clear()
        finally:
            await client.aclose()

    async def _read(self, client: redis.asyncio.Redis) -> None:
        """Read the stream once, blocking."""
        reply: Any = await client.xread({STREAM: self._cursor}, count=COUNT, block=round(BLOCK_SECONDS * 1000))
        for _, entries in reply or ():
            self._cursor = entries[-1][0]
            for _, fields in entries:
                self._distribute(fields)

    def _distribute(self, fields: dict[bytes, bytes]) -> None:
        try:
            event = decode_event(fields[FIELD])
        except (KeyError, ValueError) as error:
            log.warning("event hub: event malformed error=%s", error)
            return
        for subscription in self._subscribers.get(event.job_id, ()):
            subscription.add(event)
