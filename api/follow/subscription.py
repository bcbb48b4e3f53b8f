"""What one follower of one job still has to hear."""

import asyncio
from collections import deque

from jobs.events import JobEvent

KEPT = 64


class Subscription:
    """The events of one job, oldest first; a reader that is slow loses the oldest."""

    def __init__(self) -> None:
        self._events: deque[JobEvent] = deque(maxlen=KEPT)
        self._arrived = asyncio.Event()

    def add(self, event: JobEvent | None) -> None:
        """Hand over an event; None only wakes the reader."""
        if event is not None:
            self._events.append(event)
        self._arrived.set()

    async def next(self, timeout: float) -> JobEvent | None:
        """The next event, or None after `timeout` s, or when there is reason to look at the row."""
        try:
            async with asyncio.timeout(timeout):
                await self._arrived.wait()
        except TimeoutError:
            return None
        self._arrived.clear()
        event = self._events.popleft() if self._events else None
        if self._events:
            self._arrived.set()
        return event
