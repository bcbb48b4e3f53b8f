"""Watching a job until it ends, for a held request or for a stream (`event_stream`).

Both subscribe first and read the row afterwards, so that no change between the two is missed. The row decides whether a
job has ended; an event from Redis only says when to read the row.
"""

import time

from api.follow.event_hub import EventHub
from api.follow.status import StatusBuilder
from api.follow.subscription import Subscription
from api.http.database import Database
from core.errors import DatabaseUnavailable, UnknownJob
from core.settings import Settings
from jobs.job import Job, job_from_row
from jobs.statements.queue.tenant_jobs import visible
from jobs.wire.status import StatusAnswer


class JobWatcher:
    """Reads the rows of watched jobs, every few seconds and as soon as an event arrives."""

    def __init__(
        self, database: Database, event_hub: EventHub, status_builder: StatusBuilder, settings: Settings
    ) -> None:
        self.event_hub = event_hub
        self.reread_seconds = settings.reread_seconds
        self._database = database
        self._status_builder = status_builder

    async def wait(self, job: Job, seconds: float) -> Job:
        """Return the job once it has ended, or as it is after `seconds`, or when the service is about to stop.

        Raises `UnknownJob` when it is deleted meanwhile. While the database is away the job only becomes stale.
        """
        until = time.monotonic() + seconds
        with self.event_hub.subscribe(job.id) as subscription:
            while True:
                job = await self.refresh(job)
                left = until - time.monotonic()
                if job.status.terminal or left <= 0 or self.event_hub.closing.is_set():
                    return job
                await _wait_for_end(subscription, min(left, self.reread_seconds))

    async def refresh(self, job: Job) -> Job:
        """Return the job as it is now, or `job` while the database is away. Raises `UnknownJob` once it is deleted."""
        try:
            row = await self._database.row(visible(job.id, job.tenant))
        except DatabaseUnavailable:
            return job
        if row is None:
            raise UnknownJob
        return job_from_row(row)

    async def answer(self, job: Job) -> StatusAnswer:
        """Return the status answer, without a queue estimate while the database is away."""
        try:
            return await self._status_builder.answer(job)
        except DatabaseUnavailable:
            return self._status_builder.plain_answer(job)


async def _wait_for_end(subscription: Subscription, seconds: float) -> None:
    """Return at a terminal event, after `seconds`, or when woken; ignore progress."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        event = await subscription.next(left)
        if event is None or event.status.terminal:
            return
