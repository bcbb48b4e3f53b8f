"""Job slots: which claimed job has the device, which ones are encoded and stored, and whether to claim another."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from workers.gpu.job.claimed_job import ClaimedJob

log = logging.getLogger(__name__)

FINISHING = 3
"""Runs whose jobs may wait for the encoder, be encoded or uploaded before no further job is claimed: one for each, so
that the device never waits for files as long as they are not slower than it is. A run is of one job, unless equal ones
share it."""
UPLOADING = 2
"""Of those, runs that may be uploading: a store that is stuck stops the claims."""
AHEAD_SECONDS = 0.5
"""A job is claimed, and its inputs are staged, before the one that computes has ended: only when that one has less than
this left, so that hardly a job waits here that another worker could have begun."""


class JobSlots:
    """The claimed jobs of one worker, for each of its threads; `on_device_free` is called when a job leaves the device.

    Whatever changes a condition that a thread may wait for here ends with `notify`.
    """

    def __init__(self, on_device_free: Callable[[], None] = lambda: None) -> None:
        self._on_device_free = on_device_free
        self._jobs: dict[str, ClaimedJob] = {}
        self._at_device: list[ClaimedJob] = []
        """The jobs of the run that computes, then those of the one that was claimed ahead."""
        self._changed = threading.Condition()

    @property
    def jobs(self) -> list[ClaimedJob]:
        """Every claimed job that has not ended."""
        return list(self._jobs.values())

    @property
    def computing(self) -> ClaimedJob | None:
        """The job whose turn it is at the device, the first of those that share a run."""
        return next(iter(self._at_device), None)

    @property
    def waiting(self) -> list[ClaimedJob]:
        """The jobs that were claimed ahead and have not begun."""
        computing = self.computing
        return [claimed for claimed in self._at_device if computing is None or claimed.run is not computing.run]

    @property
    def can_claim(self) -> bool:
        """Whether a further job may be claimed now."""
        return self._can_finish() and (not self._at_device or self._ends_soon())

    @property
    def wants_doorbell(self) -> bool:
        """Whether a doorbell could be of use to this worker, were its device free."""
        return self._can_finish()

    def add(self, *run: ClaimedJob) -> None:
        """Take in the jobs of a run that were claimed, last in the line for the device."""
        with self._changed:
            for claimed in run:
                self._jobs[claimed.ticket] = claimed
                self._at_device.append(claimed)

    def remove(self, claimed: ClaimedJob) -> None:
        """Forget a job that has ended."""
        with self._changed:
            del self._jobs[claimed.ticket]
            self._changed.notify_all()
        self._leave_device(claimed)

    @contextmanager
    def device(self, claimed: ClaimedJob) -> Iterator[None]:
        """Wait for the turn of the job's run, and leave the device at the end. Raises `JobUnwanted`.

        The next run has the device once all jobs of this one have left.
        """
        with self._changed:
            self._changed.wait_for(lambda: claimed.cancellation.is_set or self._is_turn_of(claimed))
        claimed.cancellation.raise_if_set()
        try:
            yield
        finally:
            self._leave_device(claimed)

    def notify(self) -> None:
        """Wake all waiting threads to check their condition again."""
        with self._changed:
            self._changed.notify_all()

    def wait_until_free(self, or_else: Callable[[], bool]) -> None:
        """Wait until a job may be claimed, or until `or_else` returns true; it is called after every `notify`."""
        with self._changed:
            self._changed.wait_for(lambda: or_else() or self.can_claim)

    def wait_until_empty(self, seconds: float) -> bool:
        """Return whether every job ended within `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs, timeout=seconds)

    def _leave_device(self, claimed: ClaimedJob) -> None:
        with self._changed:
            if claimed not in self._at_device:
                return
            self._at_device.remove(claimed)
            self._changed.notify_all()
            is_free = all(other.run is not claimed.run for other in self._at_device)
        if not is_free:
            return
        try:
            self._on_device_free()
        except Exception:  # the end of this job must not depend on the claim of the next one
            log.exception("slots: device free")

    def _is_turn_of(self, claimed: ClaimedJob) -> bool:
        return self.computing is not None and self.computing.run is claimed.run

    def _ends_soon(self) -> bool:
        computing = self.computing
        return computing is not None and not self.waiting and computing.activity.remaining_seconds < AHEAD_SECONDS

    def _can_finish(self) -> bool:
        finishing = [claimed for claimed in self.jobs if claimed not in self._at_device]
        uploading = {job.run for job in finishing if job.activity.stage == "upload"}
        return len({job.run for job in finishing}) < FINISHING and len(uploading) < UPLOADING
