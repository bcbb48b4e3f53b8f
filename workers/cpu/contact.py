"""Contact with the database: since when there has been no gap in it."""

import logging
import math
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Contact:
    """The contact of one process that asks the database again and again.

    A database that was away kept workers from renewing their leases, and a lease that ran out meanwhile says nothing of
    its worker. A gap is a failure, or more than `longest_gap` seconds from one answer to the next: a server that was
    stopped for a while fails no request. What was before the first answer counts as one, since nothing is known of it.
    """

    def __init__(self, longest_gap: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest_gap = longest_gap
        self._clock = clock
        self._answered_at = -math.inf
        """When the database answered last; infinitely long ago before the first time, and after a failure."""
        self._since = math.inf
        """When the contact began; never, before the first answer."""

    @property
    def seconds(self) -> float:
        """How long the database has answered without a gap, as far as is known."""
        return max(0.0, self._clock() - self._since)

    def note_answer(self) -> None:
        """Note that the database has answered just now."""
        now = self._clock()
        if now - self._answered_at > self._longest_gap:
            if self._since < now:
                log.warning("database: back after a gap")
            self._since = now
        self._answered_at = now

    def note_failure(self) -> None:
        """Note that the database did not answer."""
        self._answered_at = -math.inf
