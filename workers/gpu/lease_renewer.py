"""Renewal of the leases of claimed jobs."""

import logging
import time
from collections.abc import Callable

from workers.gpu.job.canceller import JobCanceller
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.job_store import JobStore
from workers.gpu.job.slots import JobSlots

log = logging.getLogger(__name__)


class LeaseRenewer:
    """Renews each lease every `interval` seconds while its job is wanted and the job's stage within its deadline."""

    def __init__(
        self,
        job_store: JobStore,
        slots: JobSlots,
        canceller: JobCanceller,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job_store = job_store
        self._slots = slots
        self._canceller = canceller
        self._interval = interval
        self._clock = clock
        self._renewed_at: dict[str, float] = {}

    def renew_due(self) -> None:
        """Renew the leases that are due; a job whose claim is gone is abandoned."""
        jobs = self._slots.jobs
        self._renewed_at = {job.ticket: self._renewed_at.get(job.ticket, job.claimed_at) for job in jobs}
        for claimed in jobs:
            if self._clock() - self._renewed_at[claimed.ticket] >= self._interval:
                self._renew(claimed)

    def _renew(self, claimed: ClaimedJob) -> None:
        if claimed.activity.is_overdue or claimed.cancellation.claim_is_gone:
            return
        try:
            is_kept = self._job_store.renew(claimed.job)
        except Exception as error:
            log.warning("lease: not renewed job=%s reason=%r", claimed.job.id, str(error))
            return
        self._renewed_at[claimed.ticket] = self._clock()
        if not is_kept:
            self._canceller.abandon(claimed)
