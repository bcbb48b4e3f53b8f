"""TLS to the broker: redis-py and Celery talk only to a server that proves its name."""

import asyncio

import pytest
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from core.broker.clients import async_broker_client, broker_client
from core.settings import Settings
from jobs.doorbell import BELL, bell_queue, celery_app
from tests.support.paths import TLS
from tests.support.servers.tls_front import TlsFront

PASSWORD = "TOPSECRET"
BUSY = 10.0
"""Seconds to connect: the machine may be busy."""


def by_redis(settings):
    with broker_client(settings) as client:
        client.ping()


def by_async_redis(settings):
    async def ping():
        async with async_broker_client(settings) as client:
            await client.ping()

    asyncio.run(ping())


def by_celerys_message(settings):
    with celery_app(settings) as app:
        app.send_task(BELL, queue=bell_queue("model.tls"), ignore_result=True, retry=False)


def by_celerys_worker(settings):
    with celery_app(settings, socket_timeout=BUSY) as app, app.connection_for_read() as connection:
        connection.transport.establish_connection()  # what `connect` repeats, with pauses


WAYS = [by_redis, by_async_redis, by_celerys_message, by_celerys_worker]


@pytest.fixture
def port(broker_url):
    return int(broker_url.rpartition(":")[2].partition("/")[0])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("certificate", "ca_bundle"),
    [
        pytest.param("server.pem", "", id="of an unknown authority"),
        pytest.param("server.pem", "broker_ca.pem", id="of another authority"),
        pytest.param("server.pem", "ca.pem", id="of another host"),
    ],
)
def test_26_a_strangers_server_gets_no_byte(way, certificate, ca_bundle):
    with TlsFront(TLS / certificate) as stranger:
        url = f"rediss://:{PASSWORD}@localhost:{stranger.port}/0"
        bundle = str(TLS / ca_bundle) if ca_bundle else ""
        settings = Settings(broker_url=url, ca_bundle=bundle, broker_timeout=BUSY)
        with pytest.raises((RedisError, KombuError, OSError)) as caught:
            way(settings)
    assert stranger.connected
    assert b"" == stranger.received
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_private_authority_serves_every_library(way, host, broker_url, port):
    with TlsFront(TLS / "broker.pem", port) as front:
        url = broker_url.replace("redis://", "rediss://").replace(f"127.0.0.1:{port}", f"{host}:{front.port}")
        way(Settings(broker_url=url, ca_bundle=str(TLS / "broker_ca.pem"), broker_timeout=BUSY))
    assert front.received


def test_development_may_do_without_a_proof(broker_url, port):
    with TlsFront(TLS / "server.pem", port) as front:
        url = broker_url.replace("redis://", "rediss://").replace(str(port), str(front.port))
        for way in WAYS:
            way(Settings(broker_url=f"{url}?ssl_cert_reqs=none", development=True, broker_timeout=BUSY))
    assert front.received
