"""Progress of jobs on its way into the database, in a thread of its own: the engine does not wait for a write."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from jobs.log_context import about_job
from pipelines.catalog.spec import Stage
from workers.gpu.job.canceller import JobCanceller
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.job_store import JobStore
from workers.ipc.messages import StageProgress


class ProgressWriter:
    """Writes reports of the job that computes: each new stage, and at most one per `interval` seconds within a stage.

    Reports that come while one is being written are written as one, the last of them. A write that finds the claim gone
    cancels the job.
    """

    def __init__(
        self,
        job_store: JobStore,
        canceller: JobCanceller,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job_store = job_store
        self._canceller = canceller
        self._interval = interval
        self._clock = clock
        self._pool = ThreadPoolExecutor(1, "progress")
        self._lock = threading.Lock()
        self._unwritten: dict[str, tuple[ClaimedJob, StageProgress]] = {}
        self._last: tuple[str, Stage | None] = ("", None)
        self._taken_at = -math.inf

    def write(self, claimed: ClaimedJob, report: StageProgress) -> None:
        """Have a report written, unless it comes too soon; returns at once."""
        now, this = self._clock(), (claimed.ticket, report.stage)
        if this == self._last and now - self._taken_at < self._interval:
            return
        self._last, self._taken_at = this, now
        with self._lock:
            is_scheduled = claimed.ticket in self._unwritten
            self._unwritten[claimed.ticket] = claimed, report
        if not is_scheduled:
            self._pool.submit(self._write, claimed.ticket)

    def _write(self, ticket: str) -> None:
        with self._lock:
            claimed, report = self._unwritten.pop(ticket)
        with about_job(claimed.job):
            if not self._job_store.progress(claimed.job, report.fraction, report.stage, report.warnings):
                self._canceller.abandon(claimed)
