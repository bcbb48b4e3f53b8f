"""Notification on a real Valkey: a job that can be taken rings, and every change has its event."""

from redis import Redis

from core.settings import Settings
from jobs.doorbell import model_queue
from jobs.job import JobStatus
from jobs.notify import JobNotifier
from jobs.statements.queue import claimed
from tests.support.rows.rows import MODEL
from tests.support.service.published import published


def test_a_released_job_rings_and_has_an_event(rows, broker_url):
    rows.submit(rows.tenant())
    job = rows.claim(rows.server())
    notifier, broker = JobNotifier.connect(Settings(broker_url=broker_url)), Redis.from_url(broker_url)
    notifier.notify(job)
    assert 0 == broker.llen(model_queue(MODEL))
    notifier.notify(rows.change(claimed.release(job.id, job.fence)))
    assert 1 == broker.llen(model_queue(MODEL))
    events = [event.status for event in published(broker, job.id)]
    assert [JobStatus.PROCESSING, JobStatus.QUEUED] == events
