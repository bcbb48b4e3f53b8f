"""Cancels claimed jobs: wherever a job waits or computes, it learns of it at once."""

import logging

from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.slots import JobSlots
from workers.ipc.child_process import ChildProcess

log = logging.getLogger(__name__)


class JobCanceller:
    """Sets a job's cancellation, wakes the job if it waits for the device and interrupts it if it computes."""

    def __init__(self, engine: ChildProcess, slots: JobSlots) -> None:
        self._engine = engine
        self._slots = slots

    def abandon(self, claimed: ClaimedJob) -> None:
        """Stop work on a job whose claim is gone."""
        log.info("claim: gone job=%s", claimed.job.id)
        claimed.cancellation.lose_claim()
        self._spread(claimed)

    def preempt(self, claimed: ClaimedJob) -> None:
        """Stop work on a job at its next report, and hand it back unharmed."""
        log.info("job: preempted job=%s", claimed.job.id)
        claimed.cancellation.preempt()
        self._spread(claimed)

    def _spread(self, claimed: ClaimedJob) -> None:
        self._slots.notify()
        self._engine.interrupt(claimed.ticket, preempt=claimed.cancellation.is_preemption)
