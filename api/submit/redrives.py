"""Doing a failed job again, as a new one that is tied to it: what `atelier jobs redrive` does, for the job's owner."""

from sqlalchemy.ext.asyncio import AsyncConnection

from api.follow.notifier import Notifier
from api.http.auth import Caller
from api.http.database import Database
from api.submit.helper_models import asked_server, choose_server, model_with_needs
from api.submit.service import SubmittedJob, accepted, refusals
from core.errors.conflicts import InputsForgotten, JobNotFailed, PromptForgotten
from core.errors.unknown import UnknownJob
from core.ids import check_id
from core.settings import Settings
from jobs.job import Job, JobStatus, job_from_row
from jobs.params.media import media_of
from jobs.statements.queue.redrive import again, again_inputs, count_inputs, mark
from jobs.statements.queue.tenant_jobs import visible
from jobs.statements.servers import serving
from pipelines.catalog.loader import Catalog


class Redrives:
    """The service that does failed jobs again."""

    def __init__(self, database: Database, notifier: Notifier, catalog: Catalog, settings: Settings) -> None:
        self._database = database
        self._catalog = catalog
        self._notifier = notifier
        self._settings = settings

    async def submit(self, caller: Caller, failed_id: str, *, job_id: str) -> SubmittedJob:
        """Return the new job of a failed one, or the one that was made of it before: each is done again once.

        The caller's key pays for it. Raises `MalformedId`, `UnknownJob`, `JobNotFailed`, `PromptForgotten`,
        `InputsForgotten`, what `choose_server` raises, `BudgetExhausted` and `TooManyJobs`.
        """
        check_id("job", failed_id)

        async def work(connection: AsyncConnection) -> Job:
            # Locked, so that of two requests at once the second finds what the first has made.
            row = (await connection.execute(visible(failed_id, caller.tenant).with_for_update(key_share=True))).first()
            if row is None:
                raise UnknownJob
            failed = job_from_row(row)
            if failed.status is not JobStatus.FAILED:
                raise JobNotFailed
            if failed.redriven_as is not None:
                return await _find_earlier(connection, failed.redriven_as, caller)
            return await self._insert(connection, failed, caller, job_id)

        with refusals():
            job = await self._database.transaction(work)
        return accepted(job, self._notifier) if job.id == job_id else SubmittedJob(job=job, repeated=True)

    async def _insert(self, connection: AsyncConnection, failed: Job, caller: Caller, job_id: str) -> Job:
        if not failed.params:
            raise PromptForgotten
        params = failed.read_params()
        pending = any(media_of(params))
        if pending and not await connection.scalar(count_inputs(failed.id)):
            raise InputsForgotten
        servers = None
        spec = model_with_needs(self._catalog, failed.model, params)
        if spec is not None:
            found = (await connection.execute(serving(spec.id, failed.tenant))).all()
            servers = choose_server(asked_server(params), found, self._catalog, spec, params)
        await connection.execute(mark(failed.id, job_id))
        added = again(
            failed.id,
            job_id,
            pending=pending,
            key_id=caller.key_id,
            most_priority=caller.priority_ceiling,
            usual_cap=self._settings.max_waiting_jobs,
            servers=servers,
        )
        job = job_from_row((await connection.execute(added)).one())
        if pending:
            await connection.execute(again_inputs(failed.id, job_id))
        return job


async def _find_earlier(connection: AsyncConnection, job_id: str, caller: Caller) -> Job:
    """Return the job that a failed one was done again as. Raises `JobNotFailed` if it was deleted."""
    row = (await connection.execute(visible(job_id, caller.tenant))).first()
    if row is None:
        raise JobNotFailed(f"This job was done again as {job_id}, which was deleted; submit a new job.")
    return job_from_row(row)
