"""The watcher: the row decides, and a database that is away only makes the job stale."""

import asyncio
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from api.follow import watcher as module
from api.follow.subscription import Subscription
from api.follow.watcher import JobWatcher
from core.errors import DatabaseUnavailable, UnknownJob
from core.settings import Settings
from jobs.job import JobStatus

JOB_ID = "job_" + 32 * "1"


def job(status=JobStatus.PROCESSING):
    return SimpleNamespace(id=JOB_ID, tenant="tenant", status=status)


class Fakes:
    """A database with scripted rows, of which the last one repeats, and an event hub with one subscription."""

    def __init__(self, *rows):
        self.rows = list(rows)
        self.subscription = Subscription()
        self.closing = asyncio.Event()

    async def row(self, statement):
        row = self.rows.pop(0) if len(self.rows) > 1 else self.rows[0]
        if isinstance(row, Exception):
            raise row
        return row

    @contextmanager
    def subscribe(self, job_id):
        yield self.subscription

    def watcher(self, status_builder=None):
        return JobWatcher(self, self, status_builder, Settings(reread_seconds=0.01))


@pytest.fixture(autouse=True)
def rows_are_jobs(monkeypatch):
    monkeypatch.setattr(module, "job_from_row", lambda row: row)


async def test_a_wait_ends_with_the_job():
    watcher = Fakes(job(), job(), job(JobStatus.FAILED)).watcher()
    assert JobStatus.FAILED is (await watcher.wait(job(), 30)).status


async def test_a_wait_ends_after_its_seconds():
    assert JobStatus.PROCESSING is (await Fakes(job()).watcher().wait(job(), 0.05)).status


async def test_a_wait_ends_when_the_service_stops():
    fakes = Fakes(job())
    fakes.closing.set()
    assert JobStatus.PROCESSING is (await asyncio.wait_for(fakes.watcher().wait(job(), 30), 10)).status


async def test_a_wait_outlives_an_outage_of_the_database():
    watcher = Fakes(DatabaseUnavailable(), job(JobStatus.COMPLETED)).watcher()
    assert JobStatus.COMPLETED is (await watcher.wait(job(), 30)).status


async def test_a_deleted_job_is_unknown():
    with pytest.raises(UnknownJob):
        await Fakes(None).watcher().wait(job(), 30)


async def test_an_answer_without_the_database_has_no_estimate():
    async def answer(job):
        raise DatabaseUnavailable

    builder = SimpleNamespace(answer=answer, plain_answer=lambda job: ("plain", job.id))
    assert ("plain", JOB_ID) == await Fakes(job()).watcher(builder).answer(job())
