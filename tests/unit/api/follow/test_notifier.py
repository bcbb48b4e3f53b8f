"""The API's notifier: order, failures, a bounded queue, and one pipeline for what is committed meanwhile."""

from types import SimpleNamespace

import pytest

from api.follow import notifier as module
from api.follow.notifier import Notifier
from core.settings import Settings
from jobs.job import JobStatus


class Broker:
    """A client whose pipelines are lists of ids; it closes nothing."""

    def __init__(self):
        self.executed = []
        self.commands = []

    def pipeline(self, transaction):
        return self

    async def __aenter__(self):
        self.commands = []
        return self

    async def __aexit__(self, *_):
        pass

    async def execute(self):
        self.executed.append(self.commands)

    async def aclose(self):
        pass


@pytest.fixture
def broker(monkeypatch):
    """What reaches the broker; a job called `bad` cannot be written, one called `away` finds no broker."""

    def add(pipe, jobs, bell_limit):
        for job in jobs:
            if job.id == "bad":
                raise ValueError
            if job.id == "away":
                raise OSError
            pipe.commands.append(job.id)

    monkeypatch.setattr(module, "add_notification", add)
    broker = Broker()
    monkeypatch.setattr(module, "async_broker_client", lambda settings: broker)
    return broker


def job(name):
    return SimpleNamespace(id=name, status=JobStatus.CANCELLED)


async def notify_all(*names):
    notifier = Notifier(Settings())
    for name in names:
        notifier.notify_later(job(name))
    await notifier.stop(timeout=10)


async def test_waiting_notifications_are_sent_before_the_stop(broker):
    await notify_all("one", "two")
    assert [["one", "two"]] == broker.executed


async def test_a_long_queue_is_sent_in_several_pipelines(broker, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    await notify_all("one", "two", "three")
    assert [["one", "two"], ["three"]] == broker.executed


async def test_a_failure_is_logged_and_the_next_job_follows(broker, caplog, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 1)
    await notify_all("bad", "two")
    assert [["two"]] == broker.executed
    assert "notification failed jobs=bad" in caplog.text


async def test_a_broker_that_is_away_is_left_alone(broker, caplog, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 1)
    await notify_all("away", "two")
    assert [] == broker.executed
    assert 1 == caplog.text.count("broker not reached")


async def test_a_full_queue_drops_notifications_and_logs_them(broker, caplog, monkeypatch):
    monkeypatch.setattr(module, "BOUND", 2)
    await notify_all("one", "two", "three")
    assert [["one", "two"]] == broker.executed
    assert "notification dropped job=three" in caplog.text
