"""The doorbell on a real Valkey: where it rings, how often, and how little a broker that is away costs."""

import base64
import os
import queue
import signal
import socket

import msgspec
import pytest
from celery.contrib.testing.worker import start_worker
from redis import Redis

from core.settings import Settings
from jobs.doorbell import BELL, Doorbell, add_bells, bell_queue, celery_app, model_queue, server_queue
from tests.support.rows.rows import MODEL
from tests.support.wait import seconds, until


def bells(url, queue=None):
    return Redis.from_url(url).llen(queue or model_queue(MODEL))


def heard(settings, name):
    """The name and arguments of the task that a consumer of the queue receives."""
    with celery_app(settings).connection_for_read() as connection, connection.channel() as channel:
        message = bell_queue(name)(channel).get(no_ack=True)
    return None if message is None else (message.headers["task"], message.payload[:2])


def test_it_rings_where_the_model_is_served(job, broker_url):
    settings = Settings(broker_url=broker_url)
    Doorbell(settings).ring(job)
    assert 1 == bells(broker_url)
    assert (BELL, [[], {}]) == heard(settings, model_queue(MODEL))
    assert heard(settings, model_queue(MODEL)) is None


def test_a_pinned_job_rings_at_its_server(rows, broker_url):
    settings = Settings(broker_url=broker_url)
    Doorbell(settings).ring(rows.submit(rows.tenant(), server_id="gpu-1"))
    assert 0 == bells(broker_url)
    assert (BELL, [[], {}]) == heard(settings, server_queue("gpu-1"))


def test_a_bell_says_nothing_of_the_job(rows, broker_url):
    job = rows.submit(rows.tenant(), prompt="a secret prompt")
    Doorbell(Settings(broker_url=broker_url)).ring(job)
    (message,) = Redis.from_url(broker_url).lrange(model_queue(MODEL), 0, -1)
    assert job.id.encode() not in message
    assert b"secret prompt" not in message


def test_a_bell_is_the_message_that_celery_sends(job, broker_url):
    """But for its ids and the address for replies, of which there are none."""
    settings, broker = Settings(broker_url=broker_url), Redis.from_url(broker_url)
    Doorbell(settings).ring(job)
    name = model_queue(MODEL)
    celery_app(settings).send_task(BELL, queue=bell_queue(name), ignore_result=True, retry=False)
    assert [name.encode()] == broker.keys()
    theirs, ours = (msgspec.json.decode(message) for message in broker.lrange(name, 0, -1))
    for message in (ours, theirs):
        message["body"] = msgspec.json.decode(base64.b64decode(message["body"]))
        ids = [message["headers"].pop(name) for name in ("id", "root_id")]
        assert {message["properties"].pop("correlation_id")} == set(ids)
        assert message["properties"].pop("delivery_tag") not in ids
        message["properties"].pop("reply_to")
    assert theirs == ours


def test_each_bell_has_ids_of_its_own(job, broker_url):
    doorbell = Doorbell(Settings(broker_url=broker_url))
    for _ in range(3):
        doorbell.ring(job)
    messages = [msgspec.json.decode(each) for each in Redis.from_url(broker_url).lrange(model_queue(MODEL), 0, -1)]
    assert 3 == len({message["headers"]["id"] for message in messages})
    assert 3 == len({message["properties"]["delivery_tag"] for message in messages})


@pytest.mark.usefixtures("celery_logs_as_they_are")
def test_a_celery_worker_takes_each_bell_once(rows, job, broker_url):
    """A worker of Celery's own, on the queues of a GPU worker; it has nothing to acknowledge."""
    settings, rung = Settings(broker_url=broker_url), queue.SimpleQueue()
    app = celery_app(settings)
    app.conf.update(task_queues=[bell_queue(model_queue(MODEL)), bell_queue(server_queue("gpu-1"))])

    @app.task(name=BELL, bind=True)
    def ring(task):
        rung.put(task.request.delivery_info["routing_key"])

    doorbell = Doorbell(settings)
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=20):
        doorbell.ring(job)
        assert model_queue(MODEL) == rung.get(timeout=20)
        doorbell.ring(rows.submit(rows.tenant(), server_id="gpu-1"))
        assert server_queue("gpu-1") == rung.get(timeout=20)
        assert not Redis.from_url(broker_url).exists("unacked")
    assert rung.empty()
    assert 0 == bells(broker_url) == bells(broker_url, server_queue("gpu-1"))


def test_bells_of_one_pipeline_are_bounded_too(job, broker_url):
    with Redis.from_url(broker_url).pipeline(transaction=False) as pipe:
        add_bells(pipe, model_queue(MODEL), 100, 32)
        pipe.execute()
    assert 32 == bells(broker_url)


def test_it_does_not_ring_while_enough_bells_wait(job, broker_url):
    doorbell = Doorbell(Settings(broker_url=broker_url, bell_limit=5))
    for _ in range(20):
        doorbell.ring(job)
    assert 5 == bells(broker_url)
    Redis.from_url(broker_url).lpop(model_queue(MODEL), 3)
    for _ in range(20):
        doorbell.ring(job)
    assert 5 <= bells(broker_url) <= 6


def test_a_full_queue_does_not_silence_another(rows, broker_url):
    doorbell = Doorbell(Settings(broker_url=broker_url, bell_limit=1))
    jobs = [rows.submit(rows.tenant(), model=model) for model in ("one", "one", "two")]
    for job in jobs:
        doorbell.ring(job)
    assert [1, 1] == [bells(broker_url, model_queue(model)) for model in ("one", "two")]


def test_after_a_loss_of_all_data_it_still_works(job, broker_url):
    settings = Settings(broker_url=broker_url)
    doorbell = Doorbell(settings)
    doorbell.ring(job)
    Redis.from_url(broker_url).flushall()
    doorbell.ring(job)
    assert (BELL, [[], {}]) == heard(settings, model_queue(MODEL))


def test_a_stopped_broker_costs_one_timeout_until_it_returns(job, server):
    doorbell = Doorbell(Settings(broker_url=server.url, breaker_seconds=1.0))
    doorbell.ring(job)
    server.stop()
    assert seconds(lambda: doorbell.ring(job)) < 1.2
    assert seconds(lambda: [doorbell.ring(job) for _ in range(100)]) < 0.1
    server.start()

    def rung():
        doorbell.ring(job)
        return bells(server.url)

    until(rung, what="a bell after the restart")


def test_a_broker_that_was_never_there_costs_little(job):
    doorbell = Doorbell(Settings(broker_url="redis://127.0.0.1:1/0"))
    assert seconds(lambda: doorbell.ring(job)) < 1.2
    assert seconds(lambda: doorbell.ring(job)) < 0.05


def test_a_broker_that_hangs_costs_one_timeout_and_then_nothing(job, server):
    doorbell = Doorbell(Settings(broker_url=server.url))
    doorbell.ring(job)
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        assert seconds(lambda: doorbell.ring(job)) < 1.2
        assert seconds(lambda: [doorbell.ring(job) for _ in range(100)]) < 0.1
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


def test_a_broker_that_never_answers_costs_one_timeout(job):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        doorbell = Doorbell(Settings(broker_url=f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"))
        assert seconds(lambda: doorbell.ring(job)) < 1.2
        assert seconds(lambda: doorbell.ring(job)) < 0.05
