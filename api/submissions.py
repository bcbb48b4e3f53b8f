"""Accepting a job: one transaction, then the announcement."""

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from api.announcer import Announcer
from api.auth import Caller
from api.database import Database
from api.door import Once, check, draw_seed
from api.model_rules import choose_model
from jobs.errors import (
    AtelierError,
    BodyTooLarge,
    BudgetExhausted,
    IdempotencyMismatch,
    InvalidJson,
    InvalidRequest,
    MissingField,
    NoModelAvailable,
    NotSupportedYet,
    NulInText,
    OutOfRange,
    TooManyJobs,
    UnknownField,
    UnknownJob,
    UnknownModel,
    UnknownServer,
    WrongType,
)
from jobs.ids import new_id
from jobs.job import Job, job_from_row
from jobs.params import AnyParams
from jobs.settings import Settings
from jobs.statements.caller import visible
from jobs.statements.submit import count_active, lock_tenant, remember, remembered, submit
from pipelines.catalog import Catalog

ERRORS: tuple[type[AtelierError], ...] = (
    InvalidJson,
    BudgetExhausted,
    UnknownServer,
    UnknownJob,
    BodyTooLarge,
    MissingField,
    UnknownField,
    WrongType,
    OutOfRange,
    NulInText,
    NotSupportedYet,
    UnknownModel,
    IdempotencyMismatch,
    InvalidRequest,
    TooManyJobs,
    NoModelAvailable,
)
"""What a submit can be refused with, for the documents."""


class Submissions:
    """Takes jobs in."""

    def __init__(self, database: Database, catalog: Catalog, announcer: Announcer, settings: Settings) -> None:
        self._database = database
        self._catalog = catalog
        self._announcer = announcer
        self._settings = settings

    async def submit(self, caller: Caller, params: AnyParams, once: Once | None) -> tuple[Job, bool]:
        """The job for a request, and whether it was made now.

        A repeated Idempotency-Key gives the job it first made, before any quota. Raises `InvalidRequest` and its
        kinds, `UnknownServer`, `BudgetExhausted`, `TooManyJobs`, `NoModelAvailable`, `DatabaseUnavailable`.
        """
        params = check(params, caller)
        job_id = new_id("job")

        async def work(connection: AsyncConnection) -> Job:
            if once is not None:
                earlier = await _earlier(connection, caller.tenant, once, job_id)
                if earlier is not None:
                    return earlier
            return await self._insert(connection, caller, params, job_id)

        job = await self._database.transaction(work)
        if job.id != job_id:
            return job, False
        self._announcer.announce(job)
        return job, True

    async def _insert(self, connection: AsyncConnection, caller: Caller, params: AnyParams, job_id: str) -> Job:
        stored = msgspec.to_builtins(params)
        spec = await choose_model(connection, self._catalog, params, stored["modality"])
        await self._check_quota(connection, caller.tenant)
        row = await connection.execute(
            submit(
                job_id=job_id,
                tenant=caller.tenant,
                model=spec.id,
                params=params,
                seed=draw_seed(params),
                max_attempts=self._settings.max_attempts,
                deadline_seconds=params.deadline_seconds or self._settings.deadline_seconds,
            )
        )
        return job_from_row(row.one())

    async def _check_quota(self, connection: AsyncConnection, tenant: str) -> None:
        quota = (await connection.execute(lock_tenant(tenant))).one()
        if quota.budget_usd is not None and quota.spent_usd >= quota.budget_usd:
            raise BudgetExhausted
        limit = self._settings.max_waiting_jobs if quota.max_waiting_jobs is None else quota.max_waiting_jobs
        if (await connection.execute(count_active(tenant))).scalar_one() >= limit:
            raise TooManyJobs(f"You have {limit} unfinished jobs, as many as you may. {TooManyJobs.advice}")


async def _earlier(connection: AsyncConnection, tenant: str, once: Once, job_id: str) -> Job | None:
    """The job that the key already made; none, and the key is claimed for `job_id`, when it is new."""
    if (await connection.execute(remember(tenant, once.key, once.digest, job_id))).first() is not None:
        return None
    holder = (await connection.execute(remembered(tenant, once.key))).one()
    if holder.body_sha256 != once.digest:
        raise IdempotencyMismatch(field="header.Idempotency-Key")
    row = (await connection.execute(visible(holder.job_id, tenant))).first()
    if row is None:
        raise UnknownJob("The job that this Idempotency-Key made was deleted; use a new key for a new job.")
    return job_from_row(row)
