"""One thread per claimed job."""

import logging
import shutil
import threading
from collections.abc import Callable

from jobs.job import Job
from jobs.log_context import about_job
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.pipeline import JobServices, run_job
from workers.gpu.telemetry import Telemetry

log = logging.getLogger(__name__)


class JobThreads:
    """Runs each claimed job in a thread of its own; `on_end` is called with each after its end."""

    def __init__(self, services: JobServices, telemetry: Telemetry, on_end: Callable[[Job], None]) -> None:
        self._services = services
        self._telemetry = telemetry
        self._on_end = on_end

    def start(self, *run: ClaimedJob) -> None:
        """Run the jobs of a run, each in a thread of its own; returns at once.

        Raises `RuntimeError` where the machine has no thread for a job; the others of the run go on without it.
        """
        self._services.slots.add(*run)
        failure: RuntimeError | None = None
        for claimed in run:
            thread = threading.Thread(target=self._run, args=[claimed], name=claimed.job.id, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                failure = error
                claimed.cancellation.preempt()
                self._end(claimed)
        if failure is not None:
            raise failure

    def _run(self, claimed: ClaimedJob) -> None:
        with about_job(claimed.job):
            try:
                self._telemetry.record_claim(claimed.job)
                self._telemetry.record_end(claimed, run_job(claimed, self._services))
            except Exception:
                # The row still shows this worker's claim; its lease runs out and maintenance requeues the job.
                log.exception("job: broken off job=%s", claimed.job.id)
            finally:
                self._end(claimed)

    def _end(self, claimed: ClaimedJob) -> None:
        shutil.rmtree(claimed.folder, ignore_errors=True)
        self._services.slots.remove(claimed)
        self._on_end(claimed.job)
