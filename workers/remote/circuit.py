"""The circuit breaker of a remote backend: after a failure it gets no jobs for a while, and then one to show itself."""

import math
import threading
import time
from collections.abc import Callable
from typing import Literal

from core.retry import Backoff

CircuitState = Literal["closed", "open", "half_open"]
LONGEST_SECONDS = 60.0
"""How long a circuit is open at most, unless the backend itself asks for more time."""
LONGEST_ASKED = 300.0


class BackendCircuit:
    """The circuit of one backend, for any thread.

    Each failure opens it, for `seconds` and twice as long with each in a row. After that a check of the backend's
    health half opens it: one job at a time, of which the first that succeeds closes it.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._backoff = Backoff(first=seconds, longest=max(seconds, LONGEST_SECONDS))
        self._clock = clock
        self._lock = threading.Lock()
        self._until = -math.inf
        self.state: CircuitState = "open"
        """It begins open and due for a check: nothing is known of the backend yet."""
        self.problem: str | None = "unchecked"
        """Why it is open, in one word."""
        self.failures = 0
        """In a row."""

    @property
    def is_due(self) -> bool:
        """Whether an open circuit has been so for long enough to check the backend."""
        return self.state == "open" and self._clock() >= self._until

    def note_failure(self, problem: str, retry_after: float = 0.0) -> None:
        """Open it; `retry_after` is for how long the backend asks to be left alone, in seconds."""
        with self._lock:
            self.failures += 1
            pause = max(self._backoff.pause(self.failures), min(retry_after, LONGEST_ASKED))
            self._until = self._clock() + pause
            self.state, self.problem = "open", problem

    def note_health(self, failures: int) -> None:
        """Half open it after a check that went well; where nothing had failed, close it.

        `failures` is their number when the check began: one that came meanwhile says more.
        """
        with self._lock:
            if self.state == "open" and self.failures == failures:
                self.state, self.problem = "half_open" if self.failures else "closed", None

    def note_success(self, failures: int) -> None:
        """Close it after a job that went well; `failures` is their number when the job began, as for a check."""
        with self._lock:
            if self.failures == failures:
                self.state, self.problem, self.failures = "closed", None, 0
