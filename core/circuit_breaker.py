"""A circuit breaker: after a failure, do not try again for a while."""

import time


class CircuitBreaker:
    """Open for `seconds` after each failure. Safe to share between threads: a race costs one extra try."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._closed_from = 0.0

    @property
    def open(self) -> bool:
        """Whether not to try now."""
        return time.monotonic() < self._closed_from

    def fail(self) -> None:
        """A try has failed."""
        self._closed_from = time.monotonic() + self._seconds
