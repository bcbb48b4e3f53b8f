"""Notification of what the API commits, from a thread of its own, so that no request ever waits for Redis."""

import logging
import queue
import threading

from core.settings import Settings
from jobs.job import Job
from jobs.notify import JobNotifier

log = logging.getLogger(__name__)

BOUND = 10_000
"""Notifications that may wait. Further ones are dropped, which costs each job at most one poll interval."""


class Notifier:
    """The thread that notifies workers and subscribers of what the API has committed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()  # wakes its reader sooner than a Queue
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        self._thread.start()

    def notify_later(self, job: Job) -> None:
        """Queue a notification of a job that was just committed; never block, never raise."""
        if self._waiting.qsize() < BOUND:
            self._waiting.put(job)
        else:
            log.warning("notifier: queue full, notification dropped job=%s", job.id)

    def stop(self, timeout: float = 2.0) -> None:
        """Send the waiting notifications, for at most `timeout` seconds, and end the thread."""
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        notifier = JobNotifier.connect(self._settings)
        while (job := self._waiting.get()) is not None:
            try:
                notifier.notify(job)
            except Exception:
                log.exception("notifier: notification failed job=%s", job.id)
