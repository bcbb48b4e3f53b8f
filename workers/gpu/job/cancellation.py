"""Cancellation of a claimed job: its claim is gone, or this worker gives the job back to the queue."""

import threading


class JobUnwanted(Exception):
    """The claim is gone, or this worker gives the job back: stop work on it."""


class Cancellation:
    """Whether one claimed job is still wanted, for any thread to set and to read; what is set stays set."""

    def __init__(self) -> None:
        self._is_set = threading.Event()
        self._claim_is_gone = threading.Event()

    @property
    def is_set(self) -> bool:
        """Whether to stop working on the job."""
        return self._is_set.is_set()

    @property
    def claim_is_gone(self) -> bool:
        """Whether the job was cancelled, deleted or taken by another worker, so that nothing is to be written."""
        return self._claim_is_gone.is_set()

    @property
    def is_preemption(self) -> bool:
        """Whether the job is to be handed back unharmed."""
        return self.is_set and not self.claim_is_gone

    def preempt(self) -> None:
        """Ask for the job back, unharmed."""
        self._is_set.set()

    def lose_claim(self) -> None:
        """Say that the claim is gone."""
        self._claim_is_gone.set()
        self._is_set.set()

    def wait(self, seconds: float) -> bool:
        """Pause; returns whether the job is unwanted, and at once when it is."""
        return self._is_set.wait(seconds)

    def raise_if_set(self) -> None:
        """Raise `JobUnwanted` when the job is unwanted."""
        if self.is_set:
            raise JobUnwanted
