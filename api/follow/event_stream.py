"""A job as server-sent events: a snapshot, progress as it comes, and finally `completed`, `failed` or `cancelled`.

`id` is the event's number, `seq.n`: that of the row, and a count of what came since that is not in the row. It rises
from one event to the next, also over a resumption. Snapshots and terminal events carry the whole status answer;
progress in between carries a few fields. The stream ends when the row says that the job has ended, with or without
Redis.

A stream that asks for previews of steps gets events `preview` in between. They have no `id`: what was seen is not seen
again after a resumption, and the numbers of the other events go on.
"""

import re
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext

import msgspec

from api.follow.preview_feed import PreviewFeed
from api.follow.stream_limit import StreamLimit
from api.follow.subscription import Subscription
from api.follow.watcher import JobWatcher
from core.errors.access import Unauthenticated
from core.errors.unknown import UnknownJob
from jobs.events import EventNumber
from jobs.job import Job, JobStatus
from jobs.statements.queue.look import JobView
from jobs.wire.jobs import DeletedEvent

KEEP_ALIVE_SECONDS = 15.0
KEEP_ALIVE = b": keep-alive\n\n"
RETRY = b"retry: 1000\n\n"
"""Browsers reconnect a second after a stream was cut, not after their usual three to five."""
EVENT_ID = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,18}))?")
"""`seq.n`, or `seq` alone, as earlier versions wrote it."""
NOTHING_SEEN = EventNumber(0)


class EventStream:
    """The events of one job for one client, after the number `seen`, as long as the client's key is valid.

    With `previews`, previews of its steps come too.
    """

    def __init__(
        self,
        watcher: JobWatcher,
        limit: StreamLimit,
        view: JobView,
        key_id: str,
        seen: EventNumber,
        previews: PreviewFeed | None = None,
    ) -> None:
        self._watcher = watcher
        self._limit = limit
        self._view = view
        self._key_id = key_id
        self._previews = previews
        row = EventNumber(view.job.event_seq)
        self._seen = row if seen.seq > row.seq else seen  # a number of the future hides nothing
        self._reported = (0, 0.0)
        """Attempt and progress of the last report that was not a row."""
        self._position: int | str | None = None
        self._refresh_at = self._sent_at = time.monotonic()
        self._ended = False

    async def frames(self) -> AsyncGenerator[bytes]:
        """Yield the text of the stream, one event or comment at a time. Raises `TooManyStreams` before the first."""
        job, event_hub = self._view.job, self._watcher.event_hub
        with self._limit.count_one(job.tenant), event_hub.subscribe(job.id) as subscription:
            async with self._forwarded(subscription):
                yield RETRY
                while not self._ended and not event_hub.closing.is_set():
                    part = await self._next_part(subscription)
                    if part is not None:
                        self._sent_at = time.monotonic()
                        yield part

    def _forwarded(self, subscription: Subscription) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._previews is None else self._previews.forward(self._view.job.id, subscription)

    async def _next_part(self, subscription: Subscription) -> bytes | None:
        """Return the next event or comment, or None if there is none yet."""
        if time.monotonic() >= self._refresh_at:
            part = await self._refresh()
        else:
            part = await self._next_progress(subscription)
        if part is None and (preview := subscription.take_preview()) is not None:
            part = b"event: preview\ndata: %s\n\n" % msgspec.json.encode(preview)
        if part is None and time.monotonic() >= self._sent_at + KEEP_ALIVE_SECONDS:
            part = KEEP_ALIVE
        return part

    async def _refresh(self) -> bytes | None:
        """Read the row; return an event if there is news."""
        self._refresh_at = self._watcher.next_tick()
        try:
            view = self._view = await self._watcher.refresh(self._view, self._key_id)
        except UnknownJob:
            self._ended = True
            last = EventNumber(max(self._view.job.event_seq, self._seen.seq) + 1)
            return frame(last, JobStatus.CANCELLED, DeletedEvent(self._view.job.id))
        except Unauthenticated:
            self._ended = True  # without an event: a client that connects again is answered 401
            return None
        job, number = view.job, EventNumber(view.job.event_seq)
        self._ended = job.status.terminal
        is_news = self._ended or (number > self._seen and not self._is_behind(job))
        if not is_news and job.status is not JobStatus.QUEUED:
            return None
        answer = self._watcher.answer(view)
        if not is_news:
            if answer.queue_position == self._position:
                return None
            number = EventNumber(self._seen.seq, self._seen.n + 1)
        self._seen, self._position = number, answer.queue_position
        return frame(number, job.status if self._ended else "progress", answer)

    def _is_behind(self, job: Job) -> bool:
        """Return whether the row has less progress than a report: one that was published while it was being written."""
        return job.status is JobStatus.PROCESSING and (job.attempt, job.progress) < self._reported

    async def _next_progress(self, subscription: Subscription) -> bytes | None:
        """Wait for progress until the next refresh or keep-alive is due; return it if there is any."""
        until = min(self._refresh_at, self._sent_at + KEEP_ALIVE_SECONDS)
        event = await subscription.next(max(0.0, until - time.monotonic()))
        if event is None or event.number <= self._seen:
            return None
        if event.status.terminal:
            self._refresh_at = 0.0  # now: the row has the outputs
            return None
        self._seen, self._reported = event.number, (event.attempt, event.progress)
        return frame(event.number, "progress", event)


def read_event_id(text: str | None) -> EventNumber:
    """Return the number of a Last-Event-ID header; one of another form is as none."""
    found = EVENT_ID.fullmatch(text or "")
    return EventNumber(*(int(part) for part in found.groups(default="0"))) if found else NOTHING_SEEN


def frame(number: EventNumber, name: str, data: msgspec.Struct) -> bytes:
    """Return one event in the wire format (WHATWG HTML, section 9.2)."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (str(number).encode(), name.encode(), msgspec.json.encode(data))


async def opened(frames: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """Return the same frames, of which the first has been made: what that raises can still be answered."""
    first = await anext(frames)

    async def all_frames() -> AsyncIterator[bytes]:
        async with aclosing(frames):
            yield first
            async for part in frames:
                yield part

    return all_frames()
