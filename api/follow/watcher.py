"""Watching a job until it ends: by holding a request open, or as a stream (`event_stream`).

Both subscribe first and read the row afterwards, so that nothing falls between. The row decides that a job has
ended; an event from Redis only says when to look.
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
    """Looks at jobs again and again, as seldom as possible and as soon as there is reason to."""

    def __init__(
        self, database: Database, event_hub: EventHub, status_builder: StatusBuilder, settings: Settings
    ) -> None:
        self.event_hub = event_hub
        self.reread_seconds = settings.reread_seconds
        self._database = database
        self._status_builder = status_builder

    async def wait(self, job: Job, seconds: float) -> Job:
        """The job when it has ended, or as it is after `seconds`, or when the service is about to stop.

        Raises `UnknownJob` when it is deleted meanwhile. A database that is away costs only freshness.
        """
        until = time.monotonic() + seconds
        with self.event_hub.subscribe(job.id) as subscription:
            while True:
                job = await self.look(job)
                left = until - time.monotonic()
                if job.status.terminal or left <= 0 or self.event_hub.closing.is_set():
                    return job
                await _until_news(subscription, min(left, self.reread_seconds))

    async def look(self, job: Job) -> Job:
        """The job as it is now, or as it was when the database is away. Raises `UnknownJob` once it is deleted."""
        try:
            row = await self._database.row(visible(job.id, job.tenant))
        except DatabaseUnavailable:
            return job
        if row is None:
            raise UnknownJob
        return job_from_row(row)

    async def answer(self, job: Job) -> StatusAnswer:
        """The status answer; its outlook is missing while the database is away."""
        try:
            return await self._status_builder.answer(job)
        except DatabaseUnavailable:
            return self._status_builder.plain(job)


async def _until_news(subscription: Subscription, seconds: float) -> None:
    """Return at a terminal event, or after `seconds`, or when woken; progress is no news to somebody who waits."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        event = await subscription.next(left)
        if event is None or event.status.terminal:
            return
