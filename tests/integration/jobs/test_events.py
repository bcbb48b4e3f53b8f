"""Events on a real Valkey: what a follower reads, and what a broker that is away costs."""

import os
import signal
import socket

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as BrokerAway

from core.broker.clients import broker_client
from core.settings import Settings
from jobs.events import (
    MAXLEN,
    STREAM,
    JobEvent,
    Publisher,
    decode_event,
    encode_event,
    event_of,
)
from jobs.job import JobStatus
from tests.support.service.published import published
from tests.support.wait import seconds, until


def read(url, job):
    return published(Redis.from_url(url), job.id)


def test_an_event_is_a_snapshot_of_the_row(rows, job, broker_url):
    publisher = Publisher(Settings(broker_url=broker_url))
    publisher.publish([job])
    claimed = rows.claim(rows.server())
    publisher.publish([claimed])
    assert [event_of(job), event_of(claimed)] == read(broker_url, job)
    assert JobEvent(
        job_id=job.id, seq=2, status=JobStatus.PROCESSING, progress=0.0, stage="starting", attempt=1
    ) == event_of(claimed)


def test_an_event_survives_its_encoding(job):
    assert event_of(job) == decode_event(encode_event(event_of(job)))


def test_all_jobs_share_one_stream(rows, broker_url):
    jobs = [rows.submit(rows.tenant()) for _ in range(3)]
    Publisher(Settings(broker_url=broker_url)).publish(jobs)
    assert [[event_of(job)] for job in jobs] == [read(broker_url, job) for job in jobs]
    assert [STREAM.encode()] == Redis.from_url(broker_url).keys()


def test_the_stream_is_cut(job, broker_url):
    publisher = Publisher(Settings(broker_url=broker_url))
    for _ in range(5):
        publisher.publish([job] * 1000)
    assert MAXLEN <= Redis.from_url(broker_url).xlen(STREAM) < MAXLEN + 200


def test_no_jobs_ask_nothing_of_the_broker():
    assert seconds(lambda: Publisher(Settings(broker_url="redis://127.0.0.1:1/0")).publish([])) < 0.1


def test_a_loss_of_all_data_does_no_harm(job, broker_url):
    publisher = Publisher(Settings(broker_url=broker_url))
    publisher.publish([job])
    Redis.from_url(broker_url).flushall()
    publisher.publish([job])
    assert [event_of(job)] == read(broker_url, job)


def test_a_stopped_broker_costs_one_timeout_until_it_returns(job, server):
    publisher = Publisher(Settings(broker_url=server.url, breaker_seconds=1.0))
    publisher.publish([job])
    server.stop()
    assert seconds(lambda: publisher.publish([job])) < 1
    assert seconds(lambda: [publisher.publish([job]) for _ in range(100)]) < 0.1
    server.start()

    def published():
        publisher.publish([job])
        return read(server.url, job)

    until(published, what="an event after the restart")


def test_a_broker_that_hangs_costs_one_timeout_and_then_nothing(job, server):
    publisher = Publisher(Settings(broker_url=server.url))
    publisher.publish([job])
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        assert 0.4 < seconds(lambda: publisher.publish([job])) < 1.2
        assert seconds(lambda: [publisher.publish([job]) for _ in range(100)]) < 0.1
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


def test_a_broker_that_never_answers_costs_one_timeout(job):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        publisher = Publisher(Settings(broker_url=f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"))
        assert seconds(lambda: publisher.publish([job])) < 1.2
        assert seconds(lambda: publisher.publish([job])) < 0.1


def test_a_client_does_not_try_again_by_itself():
    """redis-py retries with pauses by default, which would delay the caller."""
    client = broker_client(Settings(broker_url="redis://127.0.0.1:1/0"))

    def ping():
        with pytest.raises(BrokerAway):
            client.ping()

    assert seconds(ping) < 0.2
