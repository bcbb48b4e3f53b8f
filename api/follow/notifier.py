"""Tells Redis what was committed, from a thread of its own: no request ever waits for Redis."""

import logging
import queue
import threading

from core.settings import Settings
from jobs.job import Job
from jobs.notify import JobNotifier

log = logging.getLogger(__name__)

BOUND = 10_000
"""Announcements that may wait; more are dropped, which costs each job at most a poll interval."""


class Notifier:
    """The thread that notifies workers and followers of what the API has committed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()  # wakes its reader sooner than a Queue
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        self._thread.start()

    def announce(self, job: Job) -> None:
        """Hand over a job that has just been committed; never blocks, never raises."""
        if self._waiting.qsize() < BOUND:
            self._waiting.put(job)
        else:
            log.warning("%d announcements wait; job %s is left to polling", BOUND, job.id)

    def stop(self, timeout: float = 2.0) -> None:
        """Announce what waits, as far as `timeout` s allow."""
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        notifier = JobNotifier.connect(self._settings)
        while (job := self._waiting.get()) is not None:
            try:
                notifier.notify(job)
            except Exception:
                log.exception("job %s was not announced", job.id)
