"""Notification of committed changes: doorbells for workers and events for followers, in one order everywhere."""

import threading
from collections import Counter
from collections.abc import Collection
from typing import Protocol, Self

from core.settings import Settings
from jobs.cpu_bell import add_cpu_bells
from jobs.doorbell import AnyPipeline, Doorbell, add_bells, queue_of
from jobs.events import JobEvent, Publisher, add_event, event_of
from jobs.job import Job, JobStatus


class RingsDoorbell(Protocol):
    """The doorbell, as far as the notifier needs it."""

    def ring(self, job: Job) -> None:
        """Wake the workers that may run a job."""


class PublishesEvents(Protocol):
    """The publisher of events, as far as the notifier needs it."""

    def publish(self, jobs: Collection[Job]) -> None:
        """Publish the present state of jobs."""

    def publish_events(self, events: Collection[JobEvent]) -> None:
        """Publish events as they are."""


class JobNotifier:
    """The notifier of workers and followers about jobs, used after each commit by every process that changes a job.

    It rings for the queued jobs first and publishes the events second. The caller waits for the result, so an early
    start is worth more than an early event. The worker's own event may therefore overtake the event of the submit;
    followers drop the older of the two, because its `event_seq` is lower. A job that came back to the queue is rung
    for like a new one, so an idle worker need not wait for its next poll. A job with a backoff is rung for as well:
    the worker then finds nothing, which costs one claim.

    Any thread may notify. Rings are made one at a time, so that a broker that is away costs one timeout per period of
    the circuit breaker, and not one of each thread. It costs no error.
    """

    def __init__(self, doorbell: RingsDoorbell, publisher: PublishesEvents) -> None:
        self._doorbell = doorbell
        self._publisher = publisher
        self._ringing = threading.Lock()

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Return a notifier of the broker that the settings name; it connects at its first use."""
        return cls(Doorbell(settings), Publisher(settings))

    def notify(self, *jobs: Job) -> None:
        """Ring for those of the jobs that are queued, then publish an event of each; never raise."""
        for job in jobs:
            if job.status is JobStatus.QUEUED:
                with self._ringing:
                    self._doorbell.ring(job)
        if jobs:
            self._publisher.publish(jobs)

    def show_progress(self, event: JobEvent) -> None:
        """Publish progress that is not in the row yet; never raise."""
        self._publisher.publish_events([event])


def add_notification(pipe: AnyPipeline, jobs: Collection[Job], bell_limit: int) -> None:
    """Add the commands of a whole notification to one pipeline: the doorbells, the events, the CPU workers' bells."""
    ringing = Counter(queue_of(job) for job in jobs if job.status is JobStatus.QUEUED)
    for queue, count in ringing.items():
        add_bells(pipe, queue, count, bell_limit)
    for job in jobs:
        add_event(pipe, event_of(job))
    add_cpu_bells(pipe, jobs)
