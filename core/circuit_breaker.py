"""A circuit breaker: after a failure nothing is tried for a while."""

import time


class CircuitBreaker:
    """A switch that is open for `seconds` after each failure; threads may share it: a race costs one extra try."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._closed_from = 0.0

    @property
    def open(self) -> bool:
        """Whether an attempt should be left out now."""
        return time.monotonic() < self._closed_from

    def fail(self) -> None:
        """Note that an attempt has failed."""
        self._closed_from = time.monotonic() + self._seconds
