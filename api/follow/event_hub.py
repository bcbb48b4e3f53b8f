"""The event hub: one task reads the Redis streams of every job that this process has a subscription for.

Events only shorten the wait. A subscriber also reads the row every few seconds, so that a Redis that is away or was
flushed costs time and no event. A new subscription wakes the blocked read through a stream of this process's own,
which is part of every read, so that no window between two reads can lose it.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from api.follow.subscription import Subscription
from core.broker.clients import async_broker_client
from core.settings import Settings
from jobs.events import FIELD, decode_event, stream_of

log = logging.getLogger(__name__)

BLOCK_SECONDS = 5.0
START = b"0-0"
"""Streams are read from their beginning, so that events between a subscription and its first read are not missed."""


class EventHub:
    """The reader of the streams, and the subscriptions that it distributes events to."""

    def __init__(self, settings: Settings) -> None:
        self.closing = asyncio.Event()
        self._settings = settings
        self._wake_stream = f"atelier:wake:{secrets.token_hex(8)}"
        self._cursors: dict[str, bytes] = {}
        self._subscribers: dict[str, set[Subscription]] = {}
        self._added = self._woken_for = 0
        self._has_streams = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._waking: asyncio.Task[None] | None = None
        self._commands: redis.asyncio.Redis | None = None

    def start(self) -> None:
        """Start reading."""
        self._commands = async_broker_client(self._settings)
        self._task = asyncio.create_task(self._run(), name="event hub")

    async def stop(self) -> None:
        """Stop reading, and wake every subscriber."""
        self.close()
        for task in (self._task, self._waking):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._commands is not None:
            await self._commands.aclose()

    def close(self) -> None:
        """Announce the end of the process, so that streams and waits end too."""
        self.closing.set()
        for subscribers in self._subscribers.values():
            for subscription in subscribers:
                subscription.add(None)

    @contextmanager
    def subscribe(self, job_id: str) -> Iterator[Subscription]:
        """Subscribe to a job: every event that is published from now on arrives, as long as Redis answers."""
        subscription, stream = Subscription(), stream_of(job_id)
        subscribers = self._subscribers.setdefault(stream, set())
        subscribers.add(subscription)
        if stream not in self._cursors:
            self._cursors[stream] = START
            self._wake()
        try:
            yield subscription
        finally:
            subscribers.discard(subscription)
            if not subscribers and self._subscribers.get(stream) is subscribers:
                del self._subscribers[stream]
                self._cursors.pop(stream, None)

    @property
    def following(self) -> int:
        """The number of jobs with a subscription."""
        return len(self._subscribers)

    def _wake(self) -> None:
        self._added += 1
        self._has_streams.set()
        if self._waking is None or self._waking.done():
            self._waking = asyncio.create_task(self._wake_reader(), name="event hub wake-up")

    async def _wake_reader(self) -> None:
        """End the blocked read, so that the next one covers the new streams."""
        assert self._commands is not None
        while self._woken_for != self._added:
            self._woken_for = self._added
            try:
                async with self._commands.pipeline(transaction=False) as pipe:
                    pipe.xadd(self._wake_stream, {b"wake": b""}, maxlen=1, approximate=False)
                    pipe.expire(self._wake_stream, 3600)
                    await pipe.execute()
            except (RedisError, OSError) as error:
                log.debug("event hub: reader not woken error=%s", error)
                return

    async def _run(self) -> None:
        """Read until cancelled, with a growing pause after failures."""
        client = async_broker_client(self._settings, timeout=BLOCK_SECONDS + self._settings.broker_timeout)
        wake_cursor, failures = START, 0
        try:
            while True:
                await self._has_streams.wait()
                if not self._cursors:
                    self._has_streams.clear()
                    continue
                try:
                    wake_cursor = await self._read(client, wake_cursor)
                    failures = 0
                except (RedisError, OSError, TimeoutError) as error:
                    log.log(
                        logging.DEBUG if failures else logging.WARNING, "event hub: events not read error=%s", error
                    )
                    failures += 1
                    await client.connection_pool.disconnect()
                    await asyncio.sleep(0.05 * 2 ** min(failures, 4))
        finally:
            await client.aclose()

    async def _read(self, client: redis.asyncio.Redis, wake_cursor: bytes) -> bytes:
        """Read all streams once, blocking; return the new cursor of the wake-up stream."""
        streams: dict[Any, Any] = {self._wake_stream: wake_cursor, **self._cursors}
        entries_by_stream: Any = await client.xread(streams, block=round(BLOCK_SECONDS * 1000))
        for name, entries in entries_by_stream or ():
            stream = name.decode()
            if stream == self._wake_stream:
                wake_cursor = entries[-1][0]
            elif stream in self._cursors:
                self._cursors[stream] = entries[-1][0]
                for _, fields in entries:
                    self._distribute(stream, fields)
        return wake_cursor

    def _distribute(self, stream: str, fields: dict[bytes, bytes]) -> None:
        try:
            event = decode_event(fields[FIELD])
        except (KeyError, ValueError) as error:
            log.warning("event hub: event malformed stream=%s error=%s", stream, error)
            return
        for subscription in self._subscribers.get(stream, ()):
            subscription.add(event)
