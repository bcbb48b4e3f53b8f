"""When a worker may claim: the jobs it holds, which of them has the device, and which are being encoded and stored."""

import threading
from collections.abc import Callable

from workers.gpu.job.claimed_job import ClaimedJob

FINISHING = 3
"""Jobs that may wait for the encoder, be encoded or uploaded before no further job is claimed: one for each, so that
the device never waits for files as long as they are not slower than it is."""
UPLOADING = 2
"""Of those, jobs that may be uploading: a store that is stuck stops the claims."""
AHEAD_SECONDS = 0.5
"""A job is claimed, and its inputs are staged, before the one that computes has ended: only when that one has less than
this left, so that hardly a job waits here that another worker could have begun."""


class JobSlots:
    """Used by every thread of a supervisor."""

    def __init__(self) -> None:
        self._held: dict[str, ClaimedJob] = {}
        self._at_device: list[ClaimedJob] = []
        """The one that computes, then the one that was claimed ahead."""
        self._changed = threading.Condition()

    @property
    def held(self) -> list[ClaimedJob]:
        """Every claim in this worker's hands."""
        return list(self._held.values())

    @property
    def computing(self) -> ClaimedJob | None:
        """The job whose turn it is at the device."""
        return next(iter(self._at_device), None)

    @property
    def waiting(self) -> list[ClaimedJob]:
        """What was claimed ahead, and has not begun."""
        return self._at_device[1:]

    @property
    def can_claim(self) -> bool:
        """Whether a further job may be claimed now."""
        return self._can_finish() and (not self._at_device or self._ends_soon())

    @property
    def wants_doorbell(self) -> bool:
        """Whether a doorbell could be of use to this worker, were its device free."""
        return self._can_finish()

    def add(self, held: ClaimedJob) -> None:
        """A job was claimed."""
        with self._changed:
            self._held[held.ticket] = held
            self._at_device.append(held)

    def computed(self, held: ClaimedJob) -> bool:
        """The job does not need the device any more; False if that was known."""
        with self._changed:
            if held not in self._at_device:
                return False
            self._at_device.remove(held)
            self._changed.notify_all()
            return True

    def ended(self, held: ClaimedJob) -> None:
        """The job is out of this worker's hands."""
        with self._changed:
            del self._held[held.ticket]
            self._changed.notify_all()

    def notify(self) -> None:
        """Something changed that those who wait may be waiting for."""
        with self._changed:
            self._changed.notify_all()

    def wait_until_free(self, or_else: Callable[[], bool]) -> None:
        """Wait until a job may be claimed, or until `or_else` says so; it is asked after every `look`."""
        with self._changed:
            self._changed.wait_for(lambda: or_else() or self.can_claim)

    def wait_until_empty(self, seconds: float) -> bool:
        """Whether every job was out of this worker's hands within `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._held, timeout=seconds)

    def _ends_soon(self) -> bool:
        return len(self._at_device) == 1 and self._at_device[0].remaining < AHEAD_SECONDS

    def _can_finish(self) -> bool:
        finishing = [held for held in self.held if held not in self._at_device]
        return len(finishing) < FINISHING and sum(held.stage == "upload" for held in finishing) < UPLOADING
