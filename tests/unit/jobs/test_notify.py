"""The notifier of jobs: what it rings for, what it publishes, and in which order."""

import threading
import time
from collections.abc import Collection
from datetime import UTC, datetime

import pytest

from jobs.job import Job, JobStatus
from jobs.notify import JobNotifier

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def job(name: str, status: JobStatus) -> Job:
    return Job(
        id=name,
        tenant="t",
        modality="image",
        model="chaos",
        params={},
        seed=None,
        status=status,
        fence=0,
        attempt=0,
        max_attempts=3,
        priority=5,
        server_id=None,
        spill_at=None,
        worker=None,
        incarnation=None,
        progress=0.0,
        stage=None,
        callback_url=None,
        available_at=NOW,
        deadline_at=NOW,
        lease_until=None,
        event_seq=1,
        error=None,
        warnings=(),
        artifacts=(),
        cost=0.0,
        created_at=NOW,
        queued_at=NOW,
        started_at=None,
        finished_at=None,
    )


class Recorder:
    """A doorbell and a publisher that write down what they were asked, and by how many threads at once."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.most_rings_at_once = 0
        self._rings = 0

    def ring(self, job: Job) -> None:
        self._rings += 1
        self.most_rings_at_once = max(self.most_rings_at_once, self._rings)
        time.sleep(0.001)
        self.calls.append(("ring", job.id))
        self._rings -= 1

    def publish(self, jobs: Collection[Job]) -> None:
        self.calls.append(("publish", *(job.id for job in jobs)))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def notifier(recorder: Recorder) -> JobNotifier:
    return JobNotifier(recorder, recorder)


def test_a_queued_job_rings_before_it_is_published(notifier: JobNotifier, recorder: Recorder) -> None:
    notifier.notify(job("one", JobStatus.QUEUED))
    assert [("ring", "one"), ("publish", "one")] == recorder.calls


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.QUEUED])
def test_any_other_job_is_only_published(notifier: JobNotifier, recorder: Recorder, status: JobStatus) -> None:
    notifier.notify(job("one", status))
    assert [("publish", "one")] == recorder.calls


def test_all_rings_go_before_one_publication(notifier: JobNotifier, recorder: Recorder) -> None:
    notifier.notify(job("one", JobStatus.QUEUED), job("two", JobStatus.FAILED), job("three", JobStatus.QUEUED))
    assert [("ring", "one"), ("ring", "three"), ("publish", "one", "two", "three")] == recorder.calls


def test_no_jobs_ask_nothing_of_the_broker(notifier: JobNotifier, recorder: Recorder) -> None:
    notifier.notify()
    assert [] == recorder.calls


def test_threads_ring_one_at_a_time(notifier: JobNotifier, recorder: Recorder) -> None:
    queued = job("one", JobStatus.QUEUED)
    threads = [threading.Thread(target=notifier.notify, args=[queued], daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (16, 1) == (len(recorder.calls), recorder.most_rings_at_once)
