"""Token buckets: exact over all API processes through Redis, of this process alone while Redis is away.

A bucket is one number, the time at which it will be full again (generic cell rate algorithm). A request moves that time
on by 1/rate seconds, and is refused when it would then lie more than burst/rate seconds ahead.
"""

import logging
import time
from asyncio import Semaphore

import msgspec
import redis.asyncio
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from core.broker.clients import async_broker_client
from core.circuit_breaker import CircuitBreaker
from core.settings import Settings

log = logging.getLogger(__name__)

PREFIX = "atelier:limit:"
CONNECTIONS = 16
"""Most requests of this process that ask Redis at the same time; the others wait their turn."""

MOST_LOCAL = 100_000
"""Buckets of this process beyond which those that are full are forgotten, and all where that leaves more than half."""

SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local interval, depth = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local after = full + interval
if after - now > depth then
    return {0, 0, after - now - depth, full - now}
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return {1, math.floor((depth - (after - now)) / interval), 0, after - now}
"""
"""Takes a token at the server's own clock. Times are whole microseconds, which a double holds exactly."""


class Rate(msgspec.Struct, frozen=True):
    """Tokens per second, and how many a full bucket has."""

    per_second: float
    burst: int

    @property
    def interval(self) -> int:
        """Microseconds for one token."""
        return max(1, round(1e6 / self.per_second))

    @property
    def depth(self) -> int:
        """Microseconds for a full bucket."""
        return self.interval * max(1, self.burst)


class BucketAnswer(msgspec.Struct, frozen=True):
    """The answer of a bucket: whether it had a token, whole tokens left, seconds to the next and to a full bucket."""

    allowed: bool
    remaining: int
    retry_after: float
    reset_after: float


class LocalBuckets:
    """Buckets of this process alone, by name."""

    def __init__(self) -> None:
        self._full_at: dict[str, int] = {}

    def take(self, name: str, rate: Rate, *, look_only: bool = False) -> BucketAnswer:
        """Take a token, or with `look_only` ask whether there is one."""
        now = time.monotonic_ns() // 1000
        full = max(self._full_at.get(name, 0), now)
        after = full + rate.interval
        if after - now > rate.depth:
            return BucketAnswer(False, 0, (after - now - rate.depth) / 1e6, (full - now) / 1e6)
        if not look_only:
            self._make_room(now)
            self._full_at[name] = full = after
        return BucketAnswer(True, (rate.depth - (full - now)) // rate.interval, 0.0, (full - now) / 1e6)

    def _make_room(self, now: int) -> None:
        if len(self._full_at) < MOST_LOCAL:
            return
        self._full_at = {name: full for name, full in self._full_at.items() if full > now}
        if len(self._full_at) > MOST_LOCAL // 2:  # else nearly every take would look through all of them
            self._full_at.clear()


class TokenBuckets:
    """Buckets that all processes share; a Redis that is away costs one timeout per breaker period, and no error."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._breaker = CircuitBreaker(settings.breaker_seconds)
        self._slots = Semaphore(CONNECTIONS)
        self._client: redis.asyncio.Redis | None = None
        self._script: AsyncScript | None = None
        self._local = LocalBuckets()

    async def take(self, name: str, rate: Rate) -> BucketAnswer:
        """Take a token if there is one."""
        async with self._slots:
            if not self._breaker.open:
                try:
                    return await self._take_in_redis(name, rate)
                except (RedisError, OSError, TimeoutError) as error:
                    self._breaker.fail()
                    log.warning("rate limit: counted by this process alone error=%r", str(error))
        return self._local.take(name, rate)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _take_in_redis(self, name: str, rate: Rate) -> BucketAnswer:
        if self._script is None:
            self._client = async_broker_client(self._settings)
            self._script = self._client.register_script(SCRIPT)
        allowed, remaining, retry, reset = await self._script(keys=[PREFIX + name], args=[rate.interval, rate.depth])
        return BucketAnswer(bool(allowed), remaining, retry / 1e6, reset / 1e6)
