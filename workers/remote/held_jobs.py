"""The claimed jobs of one backend."""

import logging
import threading

from workers.gpu.job.claimed_job import ClaimedJob

log = logging.getLogger(__name__)


class HeldJobs:
    """The jobs that have not ended, for any thread."""

    def __init__(self) -> None:
        self._jobs: dict[str, ClaimedJob] = {}
        self._changed = threading.Condition()

    @property
    def jobs(self) -> list[ClaimedJob]:
        """Every claimed job that has not ended, the oldest claim first."""
        return list(self._jobs.values())

    def add(self, claimed: ClaimedJob) -> None:
        """Take in a job that was claimed."""
        with self._changed:
            self._jobs[claimed.ticket] = claimed

    def remove(self, claimed: ClaimedJob) -> None:
        """Forget a job that has ended."""
        with self._changed:
            self._jobs.pop(claimed.ticket, None)
            self._changed.notify_all()

    def abandon(self, claimed: ClaimedJob) -> None:
        """Stop work on a job whose claim is gone."""
        log.info("claim: gone job=%s", claimed.job.id)
        claimed.cancellation.lose_claim()

    def wait_until_empty(self, seconds: float) -> bool:
        """Return whether every job ended within `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs, timeout=seconds)
