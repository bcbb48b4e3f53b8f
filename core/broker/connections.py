"""Connections of an event loop to Redis that lose no cancel.

redis-py sends commands by `asyncio.wait_for`. Until Python 3.12 that returns when a cancel comes at the moment at which
what it waits for ends (python/cpython#86296), and a task that has lost its cancel goes on, for ever where it is a loop.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import redis.asyncio
import redis.asyncio.sentinel
from redis.asyncio.connection import AbstractConnection

if TYPE_CHECKING:
    Base = AbstractConnection
else:
    Base = object


class Cancellable(Base):
    """Raises the cancel that came while a command was sent."""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send a command; raises what redis-py raises, and `CancelledError`, after which the connection is closed."""
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        await super().send_packed_command(command, check_health)
        if task and task.cancelling() > before:
            await self.disconnect(nowait=True)  # nothing will read the reply
            raise asyncio.CancelledError


class TcpConnection(Cancellable, redis.asyncio.Connection):
    """A connection by TCP."""


class TlsConnection(Cancellable, redis.asyncio.SSLConnection):
    """A connection by TLS."""


class SocketConnection(Cancellable, redis.asyncio.UnixDomainSocketConnection):
    """A connection by a Unix socket."""


class SentinelConnection(Cancellable, redis.asyncio.sentinel.SentinelManagedConnection):
    """A connection to the master that Sentinels name."""


class SentinelTlsConnection(Cancellable, redis.asyncio.sentinel.SentinelManagedSSLConnection):
    """The same by TLS."""
