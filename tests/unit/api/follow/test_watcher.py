"""The watcher: the row decides, and a database that is away only makes the job stale."""

import asyncio
import math
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from api.follow.subscription import Subscription
from api.follow.watcher import JobWatcher
from core.errors.access import Unauthenticated
from core.errors.unavailable import DatabaseUnavailable
from core.errors.unknown import UnknownJob
from jobs.events import JobEvent
from jobs.job import JobStatus
from jobs.statements.queue.look import FollowedJob, JobView

JOB_ID, KEY_ID = "job_" + 32 * "1", "key_" + 32 * "2"


def job(status=JobStatus.PROCESSING):
    return SimpleNamespace(id=JOB_ID, tenant="tenant", status=status)


class Fakes:
    """A reader with scripted rows, of which the last one repeats, and an event hub with one subscription."""

    def __init__(self, *rows):
        self.rows = list(rows)
        self.subscription = Subscription()
        self.closing = asyncio.Event()

    async def read(self, followed):
        assert FollowedJob(JOB_ID, KEY_ID) == followed
        row = self.rows.pop(0) if len(self.rows) > 1 else self.rows[0]
        if isinstance(row, Exception):
            raise row
        return JobView(row)

    def next_tick(self):
        return time.monotonic() + 0.01

    @contextmanager
    def subscribe(self, job_id):
        yield self.subscription

    async def wait_for_news(self, seconds):
        watcher = JobWatcher(self, self, None)
        return (await watcher.wait_for_news(self.subscription, JobView(job()), KEY_ID, seconds)).job.status

    async def wait(self, seconds):
        return (await JobWatcher(self, self, None).wait(JobView(job()), KEY_ID, seconds)).job.status


async def test_a_wait_ends_with_the_job():
    assert JobStatus.FAILED is await Fakes(job(), job(), job(JobStatus.FAILED)).wait(30)


async def test_a_wait_ends_after_its_seconds():
    assert JobStatus.PROCESSING is await Fakes(job()).wait(0.05)


async def test_a_wait_ends_when_the_service_stops():
    fakes = Fakes(job())
    fakes.closing.set()
    assert JobStatus.PROCESSING is await asyncio.wait_for(fakes.wait(30), 10)


async def test_a_wait_outlives_an_outage_of_the_database():
    assert JobStatus.COMPLETED is await Fakes(DatabaseUnavailable(), job(JobStatus.COMPLETED)).wait(30)


async def test_a_wait_without_the_database_ends_with_the_job_it_had():
    assert JobStatus.PROCESSING is await Fakes(DatabaseUnavailable()).wait(0.05)


@pytest.mark.parametrize("error", [UnknownJob, Unauthenticated])
async def test_a_deleted_job_and_a_revoked_key_end_a_wait(error):
    with pytest.raises(error):
        await Fakes(job(), error()).wait(30)


async def test_a_wait_for_news_reads_the_row_after_the_event():
    fakes = Fakes(job(JobStatus.COMPLETED))
    fakes.next_tick = lambda: math.inf
    waiting = asyncio.create_task(fakes.wait_for_news(30))
    await asyncio.sleep(0)
    assert not waiting.done()
    fakes.subscription.add(JobEvent(job_id=JOB_ID, seq=4, status=JobStatus.COMPLETED, progress=1, stage=None))
    assert JobStatus.COMPLETED is await asyncio.wait_for(waiting, 10)


async def test_a_wait_for_news_without_any_reads_at_the_tick():
    assert JobStatus.FAILED is await Fakes(job(), job(JobStatus.FAILED)).wait_for_news(30)


async def test_a_wait_for_news_ends_after_its_seconds():
    assert JobStatus.PROCESSING is await Fakes(job()).wait_for_news(0.05)


async def test_a_wait_for_news_ends_when_the_service_stops():
    fakes = Fakes(job())
    fakes.next_tick = lambda: math.inf
    fakes.closing.set()
    assert JobStatus.PROCESSING is await asyncio.wait_for(fakes.wait_for_news(30), 10)
