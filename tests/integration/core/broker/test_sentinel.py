"""A broker behind Sentinel: every library finds the master, and finds the next one."""

import asyncio
from urllib.parse import urlsplit

import pytest
from redis import Redis
from redis.exceptions import RedisError

from cli.embedded.valkey import EmbeddedValkey
from core.broker.clients import async_broker_client, broker_client
from core.settings import Settings
from jobs.doorbell import BELL, Doorbell, bell_queue, celery_app, model_queue
from tests.support.rows.rows import MODEL
from tests.support.servers.sentinel import Sentinel
from tests.support.wait import until


@pytest.fixture
def master(tmp_path):
    with EmbeddedValkey(tmp_path / "master") as server:
        yield server


@pytest.fixture
def sentinel(tmp_path, master):
    folder = tmp_path / "sentinel"
    folder.mkdir()
    with Sentinel(folder, master.url) as running:
        yield running


def set_async(settings, name):
    async def work():
        async with async_broker_client(settings) as client:
            return await client.set(name, b"1")

    return asyncio.run(work())


def heard(settings):
    with celery_app(settings).connection_for_read() as connection, connection.channel() as channel:
        message = bell_queue(model_queue(MODEL))(channel).get(no_ack=True)
    return None if message is None else message.headers["task"]


def test_every_library_finds_the_master(sentinel, master, rows):
    settings = Settings(broker_url=sentinel.url, broker_timeout=10.0)
    with broker_client(settings) as client:
        assert client.set("sync", b"1")
    assert set_async(settings, "async")
    Doorbell(settings).ring(rows.submit(rows.tenant()))
    assert {b"sync", b"async", model_queue(MODEL).encode()} <= set(Redis.from_url(master.url).keys())
    assert BELL == heard(settings)


def test_sentinels_that_are_away_are_passed_by(sentinel):
    url = sentinel.url.replace("@", "@127.0.0.1:1,")
    settings = Settings(broker_url=url, broker_timeout=10.0)
    with broker_client(settings) as client:
        assert client.ping()
    with celery_app(settings).connection_for_write() as connection:
        assert connection.connect()


def test_no_sentinel_costs_one_timeout():
    with (
        broker_client(Settings(broker_url="sentinel://127.0.0.1:1/main")) as client,
        pytest.raises(RedisError, match="No master found"),
    ):
        client.ping()


@pytest.mark.long
def test_a_failover_is_followed_by_every_library(sentinel, master, tmp_path, rows):
    place = urlsplit(master.url)
    with EmbeddedValkey(tmp_path / "replica") as replica, Redis.from_url(replica.url) as there:
        there.config_set("masterauth", place.password)
        there.config_set("requirepass", place.password)
        Redis.from_url(master.url).config_set("masterauth", place.password)
        there.execute_command("AUTH", place.password)
        there.replicaof(place.hostname, str(place.port))
        until(lambda: sentinel.replicas == 1, 30, "the Sentinel to know the replica")
        settings = Settings(broker_url=sentinel.url, breaker_seconds=0.1)
        with broker_client(settings) as client:
            assert client.ping()
            doorbell = Doorbell(settings)
            doorbell.ring(rows.submit(rows.tenant()))
            master.stop()
            until(lambda: sentinel.master == urlsplit(replica.url).port, 60, "the failover")

            def rung():
                doorbell.ring(rows.submit(rows.tenant()))
                return heard(settings) == BELL

            until(rung, 30, "a bell at the new master")
            assert set_async(settings, "after")
            assert b"1" == client.get("after")
