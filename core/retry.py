"""Retries: repeat an operation while what it needs is away, and wait longer each time."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

T = TypeVar("T")

log = logging.getLogger(__name__)

MAX_DOUBLINGS = 60
"""Beyond that a pause would leave the range of a float."""


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Pauses between attempts: `first` seconds, doubled with each failure up to `longest`, then jittered upwards."""

    first: float
    longest: float
    jitter: float = 0.0
    """At most this share of a pause is added to it, so that many clients do not return at the same moment."""

    def pause(self, failures: int) -> float:
        """Return the seconds to wait after so many failures in a row (1 or more)."""
        doubled = self.first * 2.0 ** min(failures - 1, MAX_DOUBLINGS)
        return min(doubled, self.longest) * random.uniform(1.0, 1.0 + self.jitter)


def retry(
    operation: Callable[[], T],
    *,
    name: str,
    is_transient: Callable[[Exception], bool],
    backoff: Backoff,
    seconds: float,
    wait: Callable[[float], bool],
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Call `operation` until it succeeds, and return its result.

    Raises its last error when `is_transient` rejects that, or when the next attempt would begin more than `seconds`
    after the call. `wait(pause)` pauses; once it returns true (a stop was requested), one last attempt is made. What
    `wait` raises ends the retries.
    """
    until, failures, stopped = clock() + seconds, 0, False
    while True:
        try:
            return operation()
        except Exception as error:
            failures += 1
            pause = backoff.pause(failures)
            if stopped or not is_transient(error) or clock() + pause > until:
                raise
            log.warning("%s: failed retry_in=%.1f reason=%s", name, pause, error)
        stopped = wait(pause)
