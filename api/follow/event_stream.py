"""A job as server-sent events: a snapshot, progress as it comes, and finally `completed`, `failed` or `cancelled`.

`id` is the row's `event_seq`; progress that is not in the row yet has that of the row before it. Snapshots and terminal
events carry the whole status answer; progress in between carries a few fields. The stream ends when the row says that
the job has ended, with or without Redis.
"""

import time
from collections.abc import AsyncIterator

import msgspec

from api.follow.subscription import Subscription
from api.follow.watcher import JobWatcher
from core.errors import UnknownJob
from jobs.events import JobEvent, event_of
from jobs.job import Job, JobStatus
from jobs.wire.jobs import DeletedEvent

KEEP_ALIVE_SECONDS = 15.0
KEEP_ALIVE = b": keep-alive\n\n"
RETRY = b"retry: 1000\n\n"
"""Browsers reconnect a second after a stream was cut, not after their usual three to five."""


class EventStream:
    """The events of one job for one client, after the number `seen`."""

    def __init__(self, watcher: JobWatcher, job: Job, seen: int) -> None:
        self._watcher = watcher
        self._job = job
        self._seen = min(seen, job.event_seq)
        self._shown: JobEvent | None = None
        """The last state that the client has; an event of the same number is news only if it differs."""
        self._position: int | str | None = None
        self._refresh_at = self._sent_at = time.monotonic()
        self._ended = False

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield the text of the stream, one event or comment at a time."""
        event_hub = self._watcher.event_hub
        with event_hub.subscribe(self._job.id) as subscription:
            yield RETRY
            while not self._ended and not event_hub.closing.is_set():
                if time.monotonic() >= self._refresh_at:
                    part = await self._refresh()
                else:
                    part = await self._next_progress(subscription)
                if part is None and time.monotonic() >= self._sent_at + KEEP_ALIVE_SECONDS:
                    part = KEEP_ALIVE
                if part is not None:
                    self._sent_at = time.monotonic()
                    yield part

    async def _refresh(self) -> bytes | None:
        """Read the row; return an event if there is news."""
        self._refresh_at = time.monotonic() + self._watcher.reread_seconds
        try:
            job = self._job = await self._watcher.refresh(self._job)
        except UnknownJob:
            self._ended = True
            return frame(self._job.event_seq + 1, JobStatus.CANCELLED, DeletedEvent(self._job.id))
        self._ended = job.status.terminal
        if self._shown is None or job.event_seq > self._seen:
            self._shown = event_of(job)
        if not self._ended and job.event_seq <= self._seen and job.status is not JobStatus.QUEUED:
            return None
        answer = await self._watcher.answer(job)
        if not self._ended and job.event_seq <= self._seen and answer.queue_position == self._position:
            return None
        self._seen, self._position = max(self._seen, job.event_seq), answer.queue_position
        return frame(job.event_seq, job.status if self._ended else "progress", answer)

    async def _next_progress(self, subscription: Subscription) -> bytes | None:
        """Wait for progress until the next refresh or keep-alive is due; return it if there is any."""
        until = min(self._refresh_at, self._sent_at + KEEP_ALIVE_SECONDS)
        event = await subscription.next(max(0.0, until - time.monotonic()))
        if event is None or event.seq < self._seen or event == self._shown:
            return None
        if event.status.terminal:
            self._refresh_at = 0.0  # now: the row has the outputs
            return None
        self._seen, self._shown = event.seq, event
        return frame(event.seq, "progress", event)


def frame(seq: int, name: str, data: msgspec.Struct) -> bytes:
    """Return one event in the wire format (WHATWG HTML, section 9.2)."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (seq, name.encode(), msgspec.json.encode(data))
