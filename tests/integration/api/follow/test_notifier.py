"""The API's notifications on a real Valkey: what one round trip brings, and what a broker that is away costs."""

import asyncio
import time

import pytest
from redis import Redis

from api.follow.notifier import Notifier
from cli.embedded.valkey import EmbeddedValkey
from core.settings import Settings
from jobs.doorbell import model_queue
from jobs.job import JobStatus
from tests.support.rows.rows import MODEL
from tests.support.service.published import published


@pytest.fixture
def jobs(rows):
    return [rows.submit(rows.tenant()) for _ in range(40)]


def calls(broker):
    """Commands that the broker has executed so far, by name."""
    return {name.removeprefix("cmdstat_"): facts["calls"] for name, facts in broker.info("commandstats").items()}


async def notify(notifier, jobs):
    for job in jobs:
        notifier.notify_later(job)
    await asyncio.wait({notifier._task})


async def test_one_pipeline_has_the_bells_and_the_events(jobs, broker_url):
    notifier, broker = Notifier(Settings(broker_url=broker_url)), Redis.from_url(broker_url)
    broker.config_resetstat()
    await notify(notifier, jobs)
    made = calls(broker)
    await notifier.stop()
    assert (1, 1, 40) == (made["lpush"], made["ltrim"], made["xadd"])
    assert 32 == broker.llen(model_queue(MODEL))
    assert [[JobStatus.QUEUED]] * 40 == [[event.status for event in published(broker, job.id)] for job in jobs]


@pytest.mark.long
async def test_a_job_that_does_not_wait_rings_no_bell(rows, jobs, broker_url):
    cancelled = rows.cancel(jobs[0])
    notifier, broker = Notifier(Settings(broker_url=broker_url)), Redis.from_url(broker_url)
    await notify(notifier, [cancelled])
    await notifier.stop()
    assert [JobStatus.CANCELLED] == [event.status for event in published(broker, cancelled.id)]
    assert 0 == broker.llen(model_queue(MODEL))


@pytest.mark.long
async def test_a_broker_that_hangs_costs_one_timeout_and_no_request(jobs, tmp_path):
    """A server that accepts and never answers; 40 notifications are over after one timeout of the setting."""
    deaf = await asyncio.start_server(lambda reader, writer: reader.read(), "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{deaf.sockets[0].getsockname()[1]}/0"
    notifier = Notifier(Settings(broker_url=url))
    began = time.monotonic()
    notifier.notify_later(jobs[0])
    assert time.monotonic() - began < 0.1
    await asyncio.wait({notifier._task})
    assert time.monotonic() - began < 2.0
    again = time.monotonic()
    await notify(notifier, jobs)
    assert time.monotonic() - again < 0.1
    await notifier.stop()
    deaf.close()


@pytest.mark.long
async def test_a_broker_that_comes_back_is_rung_again(jobs, tmp_path):
    with EmbeddedValkey(tmp_path / "valkey") as server:
        notifier = Notifier(Settings(broker_url=server.url, breaker_seconds=0.0))
        await notify(notifier, jobs[:1])
        server.stop()
        await notify(notifier, jobs[1:2])
        server.start()
        await notify(notifier, jobs[2:3])
        await notifier.stop()
        assert [JobStatus.QUEUED] == [event.status for event in published(Redis.from_url(server.url), jobs[2].id)]
