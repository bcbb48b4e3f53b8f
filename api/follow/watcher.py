"""Watching a job until it ends, for a held request or for a stream (`event_stream`).

Both subscribe first and read the row afterwards, so that no change between the two is missed. The row decides whether a
job has ended; an event from Redis only says when to read the row.
"""

import asyncio
import time
from collections.abc import Sequence

from api.follow.event_hub import EventHub
from api.follow.job_reader import JobReader
from api.follow.status import StatusBuilder
from api.follow.subscription import Subscription
from core.errors.unavailable import DatabaseUnavailable
from core.errors.unknown import UnknownJob
from jobs.job import Job
from jobs.statements.queue.look import FollowedJob, JobView
from jobs.wire.status import StatusAnswer


class JobWatcher:
    """Reads the rows of watched jobs, every few seconds and as soon as an event arrives."""

    def __init__(self, reader: JobReader, event_hub: EventHub, status_builder: StatusBuilder) -> None:
        self.event_hub = event_hub
        self._reader = reader
        self._status_builder = status_builder

    async def wait(self, view: JobView, key_id: str, seconds: float) -> JobView:
        """Return the job once it has ended, or as it is after `seconds`, or when the service is about to stop.

        Raises what `refresh` raises. While the database is away the job only becomes stale.
        """
        until = time.monotonic() + seconds
        with self.event_hub.subscribe(view.job.id) as subscription:
            view = await self.refresh(view, key_id)
            if self._is_over(view, until):
                return view
            return await self.wait_for_news(subscription, view, key_id, until - time.monotonic())

    async def wait_for_news(self, subscription: Subscription, view: JobView, key_id: str, seconds: float) -> JobView:
        """Return what `wait` returns, for a job that was read after the subscription to it began."""
        until = time.monotonic() + seconds
        while True:
            if not self.event_hub.closing.is_set():
                await _wait_for_end(subscription, min(until, self.next_tick()))
            view = await self.refresh(view, key_id)
            if self._is_over(view, until):
                return view

    async def refresh(self, view: JobView, key_id: str) -> JobView:
        """Return the job as it is now, or `view` while the database is away.

        Raises `UnknownJob` once it is deleted, and `Unauthenticated` once the key is revoked.
        """
        try:
            return await self.read(FollowedJob(view.job.id, key_id))
        except DatabaseUnavailable:
            return view

    async def read(self, followed: FollowedJob) -> JobView:
        """Return the job as it is now. Raises also `DatabaseUnavailable`."""
        return await self._reader.read(followed)

    async def views(self, jobs: Sequence[Job], key_id: str) -> list[JobView]:
        """Return jobs with the forecasts of those that have not ended, which are read together."""
        return await asyncio.gather(*(self._view(job, key_id) for job in jobs))

    async def _view(self, job: Job, key_id: str) -> JobView:
        view = JobView(job)
        try:
            return view if job.status.terminal else await self.refresh(view, key_id)
        except UnknownJob:
            return view  # it was deleted since the list was read

    def next_tick(self) -> float:
        """Return the time (of `time.monotonic`) at which all watched jobs are read again."""
        return self._reader.next_tick()

    def answer(self, view: JobView) -> StatusAnswer:
        """Return the status answer."""
        return self._status_builder.answer(view)

    def _is_over(self, view: JobView, until: float) -> bool:
        return view.job.status.terminal or time.monotonic() >= until or self.event_hub.closing.is_set()


async def _wait_for_end(subscription: Subscription, until: float) -> None:
    """Return at a terminal event, at the time `until`, or when woken; ignore progress."""
    while (left := until - time.monotonic()) > 0:
        event = await subscription.next(left)
        if event is None or event.status.terminal:
            return
