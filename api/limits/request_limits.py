"""The limits that a request meets before the database is asked about its key.

A key has a bucket of requests, which all API processes share. An address has a bucket of unknown keys in each process,
so that by default no request waits for Redis; a key that was valid here in the last minutes does not depend on it.
"""

import logging
import time
from typing import Any

from litestar.connection import ASGIConnection
from litestar.types import Scope

from api.limits.client_address import FORWARDED, client_address, parse_proxies
from api.limits.token_buckets import LocalBuckets, Rate, TokenBuckets
from core.errors.limits import RateLimited, TooManyUnknownKeys
from core.settings import Settings

log = logging.getLogger(__name__)

KNOWN_SECONDS = 300.0
MOST_KNOWN = 100_000
"""Valid keys that are remembered; beyond that, all are forgotten at once, which costs each a look at its address."""

_STATE = "rate_limit"


class RequestLimits:
    """The limits of `ATELIER_RATE_LIMIT` and `ATELIER_UNKNOWN_KEY_LIMIT`; 0 means unlimited.

    Raises `ValueError` for proxies of another form than addresses and ranges.
    """

    def __init__(self, settings: Settings) -> None:
        self._keys = TokenBuckets(settings)
        self._addresses = LocalBuckets()
        self._proxies = parse_proxies(settings.trusted_proxies)
        self._of_key = _rate(settings.rate_limit, settings.rate_burst)
        self._of_address = _rate(settings.unknown_key_limit, settings.unknown_key_burst)
        self._known: dict[str, float] = {}
        self._warned = False

    async def admit(self, connection: ASGIConnection[Any, Any, Any, Any], digest: str) -> None:
        """Count a request of the key with this digest. Raises `RateLimited` or `TooManyUnknownKeys`."""
        self.check_address(connection, digest)
        await self.count(connection, digest)

    def check_address(self, connection: ASGIConnection[Any, Any, Any, Any], digest: str) -> None:
        """Raise `TooManyUnknownKeys` for a key or a session that is not known, of an address that sent many such."""
        if self._of_address and self._known.get(digest, 0.0) < time.monotonic():
            address = client_address(connection, self._proxies)
            taken = self._addresses.take(address, self._of_address, look_only=True)
            if not taken.allowed:
                self._warn_of_proxy(connection, address)
                raise TooManyUnknownKeys(retry_after=taken.retry_after)

    async def count(self, connection: ASGIConnection[Any, Any, Any, Any], digest: str) -> None:
        """Count a request of a valid key. Raises `RateLimited`."""
        if self._of_key:
            taken = await self._keys.take(digest, self._of_key)
            connection.scope["state"][_STATE] = (self._of_key, taken)
            if not taken.allowed:
                raise RateLimited(retry_after=taken.retry_after)

    def remember(self, digest: str) -> None:
        """Note that the key or the session with this digest is valid."""
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[digest] = time.monotonic() + KNOWN_SECONDS

    def count_unknown(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        """Note that the address of this request has sent an unknown key."""
        if self._of_address:
            self._addresses.take(client_address(connection, self._proxies), self._of_address)

    async def close(self) -> None:
        """Close the connections."""
        await self._keys.close()

    def _warn_of_proxy(self, connection: ASGIConnection[Any, Any, Any, Any], address: str) -> None:
        if FORWARDED in connection.headers and not self._proxies and not self._warned:
            self._warned = True
            log.warning(
                "rate limit: too many unknown keys address=%s; it forwards requests: if it is your proxy, name it in "
                "ATELIER_TRUSTED_PROXIES, since callers behind it share one limit",
                address,
            )


def rate_limit_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return what is left of the key's bucket, where its requests are limited.

    That is how many requests may come at once, how many still may, and the seconds until all may again.
    """
    if _STATE not in scope["state"]:
        return []
    rate, taken = scope["state"][_STATE]
    return [
        (b"x-ratelimit-limit", b"%d" % rate.burst),
        (b"x-ratelimit-remaining", b"%d" % taken.remaining),
        (b"x-ratelimit-reset", b"%d" % -int(-taken.reset_after // 1)),
    ]


def _rate(per_second: float, burst: int) -> Rate | None:
    return Rate(per_second, max(1, burst)) if per_second > 0 else None
