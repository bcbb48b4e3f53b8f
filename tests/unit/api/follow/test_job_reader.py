"""The reader of followed jobs: what is asked for together is one statement, and each gets its own outcome."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from api.follow import job_reader as module
from api.follow.job_reader import JobReader
from core.errors.access import Unauthenticated
from core.errors.unavailable import DatabaseUnavailable
from core.errors.unknown import UnknownJob
from core.settings import Settings
from jobs.job import JobStatus
from jobs.statements.queue.look import FollowedJob, JobView


class Rows:
    """A database of jobs by id, which writes down the ids of each statement; key `revoked` is not valid."""

    def __init__(self, monkeypatch, *names):
        self.names = names
        self.asked = []
        self.error = None
        self.busy = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        monkeypatch.setattr(module, "look_again", lambda followed, counted: followed)

    async def fetch(self, followed):
        self.asked.append([one.job_id for one in followed])
        self.busy.set()
        await self.gate.wait()
        if self.error:
            raise self.error
        return [self.row(one) for one in followed if one.key_id != "revoked"]

    def row(self, followed):
        job = SimpleNamespace(id=followed.job_id, status=JobStatus.PROCESSING)
        view = JobView(job) if followed.job_id in self.names else None
        return SimpleNamespace(job_id=followed.job_id, key=SimpleNamespace(id=followed.key_id), view=view)


def reader(rows, **more):
    return JobReader(rows, Settings(**more))


async def test_what_is_asked_for_together_is_one_statement(monkeypatch):
    rows = Rows(monkeypatch, "one", "two")
    asked = [FollowedJob("one", "k"), FollowedJob("two", "k"), FollowedJob("one", "k")]
    reading = reader(rows)
    views = await asyncio.gather(*map(reading.read, asked))
    assert ["one", "two", "one"] == [view.job.id for view in views]
    assert [["one", "two"]] == rows.asked


async def test_what_is_asked_for_meanwhile_is_the_next_statement(monkeypatch):
    rows = Rows(monkeypatch, "one", "two", "three")
    rows.gate.clear()
    reading = reader(rows)
    tasks = [asyncio.create_task(reading.read(FollowedJob("one", "k")))]
    await rows.busy.wait()
    tasks += [asyncio.create_task(reading.read(FollowedJob(name, "k"))) for name in ("two", "three", "one")]
    await asyncio.sleep(0)
    rows.gate.set()
    await asyncio.gather(*tasks)
    assert [["one"], ["two", "three", "one"]] == rows.asked


async def test_many_jobs_are_read_in_several_statements(monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    rows = Rows(monkeypatch, "a", "b", "c")
    reading = reader(rows)
    await asyncio.gather(*(reading.read(FollowedJob(name, "k")) for name in "abc"))
    assert [["a", "b"], ["c"]] == rows.asked


async def test_each_follower_has_its_own_outcome(monkeypatch):
    reading = reader(Rows(monkeypatch, "one"))
    asked = [FollowedJob("one", "k"), FollowedJob("one", "revoked"), FollowedJob("gone", "k")]
    outcomes = await asyncio.gather(*map(reading.read, asked), return_exceptions=True)
    assert [JobView, Unauthenticated, UnknownJob] == list(map(type, outcomes))


async def test_an_outage_reaches_every_follower_and_passes(monkeypatch):
    rows = Rows(monkeypatch, "one", "two")
    rows.error = DatabaseUnavailable()
    reading, asked = reader(rows), [FollowedJob("one", "k"), FollowedJob("two", "k")]
    outcomes = await asyncio.gather(*map(reading.read, asked), return_exceptions=True)
    assert [DatabaseUnavailable] * 2 == list(map(type, outcomes))
    rows.error = None
    assert "one" == (await reading.read(asked[0])).job.id


async def test_a_follower_who_leaves_takes_nothing_from_another(monkeypatch):
    rows = Rows(monkeypatch, "one")
    rows.gate.clear()
    reading = reader(rows)
    leaving, staying = (asyncio.create_task(reading.read(FollowedJob("one", "k"))) for _ in range(2))
    await rows.busy.wait()
    leaving.cancel()
    rows.gate.set()
    assert "one" == (await staying).job.id
    with pytest.raises(asyncio.CancelledError):
        await leaving


@pytest.mark.parametrize("now", [0.0, 2.4, 2.6, 5.0, 12345.678])
def test_all_followers_read_at_the_same_ticks(monkeypatch, now):
    monkeypatch.setattr(time, "monotonic", lambda: now)
    tick = reader(None, reread_seconds=5.0).next_tick()
    assert 0 == tick % 5
    assert 2.5 <= tick - now <= 7.5
