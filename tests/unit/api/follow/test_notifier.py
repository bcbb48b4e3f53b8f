"""The notifier's thread: order, failures, and a bounded queue."""

from types import SimpleNamespace

import pytest

from api.follow import notifier as module
from api.follow.notifier import Notifier
from core.settings import Settings


@pytest.fixture
def notified(monkeypatch):
    """The ids that reach the broker; a job called `bad` raises."""
    ids = []

    def notify(job):
        if job.id == "bad":
            raise OSError
        ids.append(job.id)

    monkeypatch.setattr(module.JobNotifier, "connect", lambda settings: SimpleNamespace(notify=notify))
    return ids


def notify_all(*ids):
    notifier = Notifier(Settings())
    for job_id in ids:
        notifier.notify_later(SimpleNamespace(id=job_id))
    notifier.start()
    notifier.stop(timeout=10)


def test_waiting_notifications_are_sent_before_the_stop(notified):
    notify_all("one", "two")
    assert ["one", "two"] == notified


def test_a_failure_is_logged_and_the_next_job_follows(notified, caplog):
    notify_all("bad", "two")
    assert ["two"] == notified
    assert "notification failed job=bad" in caplog.text


def test_a_full_queue_drops_notifications_and_logs_them(notified, caplog, monkeypatch):
    monkeypatch.setattr(module, "BOUND", 2)
    notify_all("one", "two", "three")
    assert ["one", "two"] == notified
    assert "notification dropped job=three" in caplog.text
