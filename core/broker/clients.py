"""Clients of the broker that never wait long for a server that is away, and that verify whom they talk to."""

from typing import Any

import redis
import redis.asyncio
import redis.asyncio.retry
import redis.asyncio.sentinel
import redis.backoff
import redis.retry
import redis.sentinel

from core.broker.address import BrokerAddress, broker_address
from core.broker.connections import (
    SentinelConnection,
    SentinelTlsConnection,
    SocketConnection,
    TcpConnection,
    TlsConnection,
)
from core.settings import Settings


def broker_client(settings: Settings, *, timeout: float | None = None) -> redis.Redis:
    """Return a client for threads; it connects at its first command.

    `timeout` bounds a reply in seconds, by default `ATELIER_BROKER_TIMEOUT`, which also bounds connecting. A command
    that fails is not repeated. Raises `ValueError` for a URL that `broker_address` refuses.
    """
    address, limits = broker_address(settings), _limits(settings, timeout)
    if address.master:
        sentinel = _sentinel(address, limits)
        client: redis.Redis = sentinel.master_for(address.master, connection_pool_class=_SentinelPool)  # type: ignore[no-untyped-call]
        return client
    with_tls = redis.SSLConnection if address.tls else redis.Connection
    kind = redis.UnixDomainSocketConnection if address.path else with_tls
    return redis.Redis.from_pool(redis.ConnectionPool(connection_class=kind, **_options(address), **limits))


def async_broker_client(settings: Settings, *, timeout: float | None = None) -> redis.asyncio.Redis:
    """Return the same for an event loop."""
    address, limits = broker_address(settings), _limits(settings, timeout)
    if address.master:
        sentinel = _async_sentinel(address, limits)
        managed = SentinelTlsConnection if address.tls else SentinelConnection
        client: redis.asyncio.Redis = sentinel.master_for(
            address.master, connection_pool_class=_AsyncSentinelPool, connection_class=managed
        )
        return client
    with_tls = TlsConnection if address.tls else TcpConnection
    kind = SocketConnection if address.path else with_tls
    pool = redis.asyncio.ConnectionPool(connection_class=kind, **_options(address), **limits)
    return redis.asyncio.Redis.from_pool(pool)


def celery_options(settings: Settings, **transport: Any) -> dict[str, Any]:
    """Return Celery's settings of the broker; `transport` are options of kombu's transport, such as timeouts.

    Raises `ValueError` for a URL that `broker_address` refuses.
    """
    address = broker_address(settings)
    if address.master:
        limits = {
            name: value for name, value in transport.items() if name in ("socket_timeout", "socket_connect_timeout")
        }
        transport |= {"master_name": address.master, "sentinel_kwargs": _sentinel_options(address, limits)}
    return {
        "broker_url": address.celery_url(),
        "broker_use_ssl": address.tls.options() if address.tls else False,
        "broker_transport_options": transport,
    }


class _SentinelPool(redis.sentinel.SentinelConnectionPool):
    """A pool that takes its connections to the Sentinels with it when it is closed."""

    def close(self) -> None:
        super().close()
        self.sentinel_manager.close()


class _AsyncSentinelPool(redis.asyncio.sentinel.SentinelConnectionPool):
    """The same for an event loop."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()


def _limits(settings: Settings, timeout: float | None) -> dict[str, Any]:
    return {
        "socket_timeout": settings.broker_timeout if timeout is None else timeout,
        "socket_connect_timeout": settings.broker_timeout,
    }


def _options(address: BrokerAddress) -> dict[str, Any]:
    if address.path:
        return {"path": address.path, "db": address.db, **address.login()}
    host, port = address.hosts[0]
    tls = address.tls.options() if address.tls else {}
    return {"host": host, "port": port, "db": address.db, **address.login(), **tls}


def _sentinel(address: BrokerAddress, limits: dict[str, Any]) -> redis.sentinel.Sentinel:
    tls = {"ssl": True, **address.tls.options()} if address.tls else {}
    options = _sentinel_options(address, limits)
    return redis.sentinel.Sentinel(  # type: ignore[no-untyped-call]
        address.hosts, sentinel_kwargs=options, db=address.db, **address.login(), **tls, **limits
    )


def _async_sentinel(address: BrokerAddress, limits: dict[str, Any]) -> redis.asyncio.sentinel.Sentinel:
    tls = {"ssl": True, **address.tls.options()} if address.tls else {}
    once = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0)
    options = {**address.sentinel_options(), **limits, "retry": once}
    return redis.asyncio.sentinel.Sentinel(  # type: ignore[no-untyped-call]
        address.hosts, sentinel_kwargs=options, db=address.db, **address.login(), **tls, **limits
    )


def _sentinel_options(address: BrokerAddress, limits: dict[str, Any]) -> dict[str, Any]:
    once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)  # redis-py would try a Sentinel that is away for seconds
    return {**address.sentinel_options(), **limits, "retry": once}
