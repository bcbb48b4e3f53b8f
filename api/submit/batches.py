"""Submits that come together share a statement: most of what one costs PostgreSQL is for the statement, not the row."""

from collections.abc import Sequence
from weakref import WeakValueDictionary

from api.http.batcher import Batcher
from api.http.database import Database
from jobs.job import Job
from jobs.statements.queue.submit import NewJob
from jobs.statements.queue.submit_function import submit_at_once

MOST_JOBS, STATEMENTS_AT_ONCE = 32, 1
"""Jobs of one statement, and statements of one tenant at the same time."""


class SubmitBatches:
    """Adds jobs that need no inputs, those of each tenant by statements of their own.

    So no tenant waits for another's lock, nor for another's refusals: after one, each job is tried alone.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batchers = WeakValueDictionary[str, Batcher[NewJob, Job | None]]()

    async def add(self, new_job: NewJob) -> Job | None:
        """Return the job; None, and nothing is written, where no model is served or the Idempotency-Key is taken.

        Raises the errors of `jobs.statements.queue.submit.submit`, and `DatabaseUnavailable`.
        """
        batcher = self._batchers.get(new_job.tenant)
        if batcher is None:
            batcher = Batcher(self._add, most=MOST_JOBS, at_once=STATEMENTS_AT_ONCE)
            self._batchers[new_job.tenant] = batcher
        return await batcher.get(new_job)

    async def _add(self, new_jobs: Sequence[NewJob]) -> dict[NewJob, Job | None]:
        added = {job.id: job for job in await self._database.fetch(submit_at_once(new_jobs))}
        return {new_job: added.get(new_job.job) for new_job in new_jobs}
