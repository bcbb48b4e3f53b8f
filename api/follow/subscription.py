"""Subscriptions: the events of one job that one reader has not received yet."""

import asyncio
from collections import deque

from jobs.events import JobEvent
from jobs.step_previews import StepPreview

CAPACITY = 64


class Subscription:
    """The pending events of one job, oldest first; a slow reader loses the oldest, and all previews but the last."""

    def __init__(self) -> None:
        self._events: deque[JobEvent] = deque(maxlen=CAPACITY)
        self._preview: StepPreview | None = None
        self._arrived = asyncio.Event()

    def add(self, event: JobEvent | None) -> None:
        """Add an event and wake the reader; None only wakes the reader."""
        if event is not None:
            self._events.append(event)
        self._arrived.set()

    def show(self, preview: StepPreview) -> None:
        """Keep a preview in place of the one before, and wake the reader."""
        self._preview = preview
        self._arrived.set()

    def take_preview(self) -> StepPreview | None:
        """Return the preview that the reader has not seen."""
        preview, self._preview = self._preview, None
        return preview

    async def next(self, timeout: float) -> JobEvent | None:
        """Return the next event, or None after `timeout` seconds or when the reader is woken without one."""
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
