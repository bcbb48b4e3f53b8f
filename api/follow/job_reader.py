"""Reading followed jobs again: whatever is asked for at the same time becomes one statement.

Followers re-read at common ticks, so that their number hardly changes what they cost the database.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from api.http.batcher import Batcher
from api.http.database import Database
from core.errors.access import Unauthenticated
from core.errors.unknown import UnknownJob
from core.settings import Settings
from jobs.job import JobStatus
from jobs.statements.queue.look import FollowedJob, JobView, look_again
from jobs.statements.queue.places import QueueName, count_ahead, group_of_row, queue_groups, queue_of_job

BATCH = 256
"""Jobs of one statement, at most: reading their rows holds the event loop."""


class JobReader:
    """The reader of followed jobs."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._period = settings.reread_seconds
        self._reader = Batcher[FollowedJob, JobView](self._outcomes, most=BATCH, at_once=1)

    async def read(self, followed: FollowedJob) -> JobView:
        """Return the job as it is now, read together with all others that are asked for meanwhile.

        Raises `Unauthenticated` once the key is revoked, `UnknownJob` once the job is deleted, and
        `DatabaseUnavailable`.
        """
        return await self._reader.get(followed)

    def next_tick(self) -> float:
        """Return the time (of `time.monotonic`) of the next common re-read, half a period from now at the earliest."""
        return (math.floor(time.monotonic() / self._period + 0.5) + 1) * self._period

    async def _outcomes(self, asked: Sequence[FollowedJob]) -> Mapping[FollowedJob, JobView | Exception]:
        """Read a batch."""
        found = await self._views(asked)
        revoked = Unauthenticated("This key was revoked or has expired; `atelier keys create` makes one.")
        return {followed: found.get(followed, revoked) for followed in asked}

    async def _views(self, asked: Sequence[FollowedJob]) -> dict[FollowedJob, JobView | Exception]:
        """Return the jobs whose followers have a valid key. The places of several are read once for each queue."""
        alone = len(asked) == 1
        found = await self._database.fetch(look_again(asked, counted=alone))
        views = {FollowedJob(looked.job_id, looked.key.id): looked.view for looked in found}
        if not alone:
            ahead = await self._count_ahead(view for view in views.values() if view is not None)
            views = {followed: view and _with_place(view, ahead.get(view.job.id)) for followed, view in views.items()}
        return {followed: view or UnknownJob() for followed, view in views.items()}

    async def _count_ahead(self, views: Iterable[JobView]) -> dict[str, int]:
        """Return how many jobs are ahead of each queued one, by id."""
        queues: dict[QueueName, list[JobView]] = {}
        for view in views:
            if view.job.status is JobStatus.QUEUED:
                queues.setdefault(queue_of_job(view.job), []).append(view)
        ahead: dict[str, int] = {}
        for queue, waiting in queues.items():
            rows = await self._database.rows(queue_groups(queue, [view.job.id for view in waiting]))
            groups = [group_of_row(row) for row in rows]
            ahead |= {view.job.id: count_ahead(view.job, groups) for view in waiting}
        return ahead


def _with_place(view: JobView, ahead: int | None) -> JobView:
    return JobView(view.job, msgspec.structs.replace(view.forecast, ahead=ahead))
