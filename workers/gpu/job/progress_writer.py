"""Progress of jobs on its way to followers, in a thread of its own: the engine does not wait for the broker."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from jobs.events import JobEvent
from jobs.job import JobStatus
from jobs.log_context import about_job
from pipelines.catalog.spec import Stage
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.job_store import JobStore
from workers.ipc.messages import StageProgress


class ProgressWriter:
    """Publishes the computing job's reports: each new stage, and at most one per `interval` seconds within a stage.

    Reports that come while one is being published are published as one, the last of them. The last report of a job is
    kept for the beat, which writes it into the row.
    """

    def __init__(
        self,
        job_store: JobStore,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job_store = job_store
        self._interval = interval
        self._clock = clock
        self._pool = ThreadPoolExecutor(1, "progress")
        self._lock = threading.Lock()
        self._unpublished: dict[str, tuple[ClaimedJob, StageProgress]] = {}
        self._last: tuple[str, Stage | None] = ("", None)
        self._taken_at = -math.inf

    def write(self, claimed: ClaimedJob, report: StageProgress) -> None:
        """Keep a report, and have it published unless it comes too soon; returns at once."""
        claimed.activity.last_report = report
        now, this = self._clock(), (claimed.ticket, report.stage)
        if this == self._last and now - self._taken_at < self._interval:
            return
        self._last, self._taken_at = this, now
        with self._lock:
            is_scheduled = claimed.ticket in self._unpublished
            self._unpublished[claimed.ticket] = claimed, report
        if not is_scheduled:
            self._pool.submit(self._publish, claimed.ticket)

    def _publish(self, ticket: str) -> None:
        with self._lock:
            claimed, report = self._unpublished.pop(ticket)
        with about_job(claimed.job):
            self._job_store.show_progress(_next_event(claimed, report))


def _next_event(claimed: ClaimedJob, report: StageProgress) -> JobEvent:
    """Return a report as an event, numbered after all of this claim before it."""
    claimed.activity.shown_reports += 1
    return JobEvent(
        job_id=claimed.job.id,
        seq=max(claimed.job.event_seq, claimed.activity.event_seq),
        n=claimed.activity.shown_reports,
        status=JobStatus.PROCESSING,
        progress=report.fraction,
        stage=report.stage,
        attempt=claimed.job.attempt,
    )
