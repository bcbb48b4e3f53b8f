"""Accepting a job: one transaction, then the announcement.

A request that brings media is looked at first, so that a repeat of an Idempotency-Key or a refusal needs no store; then
the media are taken in, and the objects removed again when no job comes of it.
"""

import logging
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.follow.job_lookup import stored_keys
from api.follow.notifier import Notifier
from api.http.auth import Caller
from api.http.database import Database
from api.submit.media_intake import IngestedRequest, MediaIntake, needs_store
from api.submit.model_choice import choose_model
from api.submit.validation import IdempotencyKey, check, draw_seed
from core.errors import BudgetExhausted, DatabaseUnavailable, IdempotencyMismatch, TooManyJobs, UnknownJob
from core.ids import new_id
from core.metrics import JOBS_SUBMITTED
from core.settings import Settings
from jobs.job import Job, job_from_row
from jobs.params.base import Modality
from jobs.params.media import media_of
from jobs.params.registry import AnyParams
from jobs.statements.queue.submit import (
    InputSource,
    add_inputs,
    count_active,
    lock_quota,
    quota,
    remember,
    remembered,
    submit,
)
from jobs.statements.queue.tenant_jobs import visible
from pipelines.catalog.loader import Catalog, ModelSpec

log = logging.getLogger(__name__)


class Submissions:
    """Takes jobs in."""

    def __init__(
        self, database: Database, catalog: Catalog, announcer: Notifier, intake: MediaIntake, settings: Settings
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._announcer = announcer
        self._intake = intake
        self._settings = settings

    async def submit(
        self, caller: Caller, params: AnyParams, once: IdempotencyKey | None, traceparent: str | None = None
    ) -> tuple[Job, bool]:
        """The job for a request, and whether it was made now; a new one belongs to the trace of `traceparent`.

        A repeated Idempotency-Key gives the job it first made, before any quota. Raises what
        `api.native.generate.factory.ERRORS` lists, and `DatabaseUnavailable`.
        """
        params = check(params, caller, self._settings)
        job_id, stored = new_id("job"), dict[str, str]()
        if needs_store(params):
            earlier, stored = await self._database.transaction(lambda c: self._look(c, caller, params, once))
            if earlier is not None:
                return earlier, False
        taken = await self._intake.take(caller.tenant, job_id, params, stored)
        job = await self._commit(caller, job_id, taken, once, traceparent)
        if job.id != job_id:
            await self._intake.give_back(taken.folder)
            return job, False
        self._announcer.announce(job)
        JOBS_SUBMITTED.labels(job.model, job.modality).inc()
        return job, True

    async def _look(
        self, connection: AsyncConnection, caller: Caller, params: AnyParams, once: IdempotencyKey | None
    ) -> tuple[Job | None, dict[str, str]]:
        """The job that the request already made, if any, else the keys of the stored objects that it names, by id."""
        earlier = await _recall(connection, caller.tenant, once) if once is not None else None
        if earlier is not None:
            return earlier, {}
        await choose_model(connection, self._catalog, params, modality_of(params))
        await self._check_quota(connection, caller.tenant, quota(caller.tenant))
        return None, await stored_keys(connection, caller.tenant, media_of(params))

    async def _commit(
        self, caller: Caller, job_id: str, taken: IngestedRequest, once: IdempotencyKey | None, traceparent: str | None
    ) -> Job:
        """The new job, or the one that the Idempotency-Key made before; without a job no object is left."""

        async def work(connection: AsyncConnection) -> Job:
            if once is not None:
                earlier = await _claim(connection, caller.tenant, once, job_id)
                if earlier is not None:
                    return earlier
            return await self._insert(connection, caller, taken, job_id, traceparent)

        try:
            return await self._database.transaction(work)
        except DatabaseUnavailable:
            if taken.folder:
                log.warning("the job of %s may have been committed; its inputs are left there", taken.folder)
            raise
        except Exception:
            await self._intake.give_back(taken.folder)
            raise

    async def _insert(
        self, connection: AsyncConnection, caller: Caller, taken: IngestedRequest, job_id: str, traceparent: str | None
    ) -> Job:
        params = taken.params
        spec = await choose_model(connection, self._catalog, params, modality_of(params))
        await self._check_quota(connection, caller.tenant, lock_quota(caller.tenant))
        row = await connection.execute(
            submit(
                job_id=job_id,
                tenant=caller.tenant,
                model=spec.id,
                params=params,
                seed=draw_seed(params),
                max_attempts=self._settings.max_attempts,
                deadline_seconds=params.deadline_seconds or self._settings.deadline_seconds,
                spill_seconds=params.prefer_seconds if params.pin == "prefer" else None,
                traceparent=traceparent,
            )
        )
        job = job_from_row(row.one())
        if taken.sources:
            await connection.execute(add_inputs(job_id, caller.tenant, _measured(taken.sources, spec)))
        return job

    async def _check_quota(self, connection: AsyncConnection, tenant: str, asked: Select[Any]) -> None:
        row = (await connection.execute(asked)).one()
        if row.budget_usd is not None and row.spent_usd >= row.budget_usd:
            raise BudgetExhausted
        limit = self._settings.max_waiting_jobs if row.max_waiting_jobs is None else row.max_waiting_jobs
        if (await connection.execute(count_active(tenant))).scalar_one() >= limit:
            raise TooManyJobs(f"You have {limit} unfinished jobs, as many as you may. {TooManyJobs.advice}")


def _measured(sources: Sequence[InputSource], spec: ModelSpec) -> list[InputSource]:
    """The sources, with what the model asks of recordings."""
    least = spec.limits.min_voice_seconds
    return [replace(source, min_seconds=least) if source.kind == "audio" else source for source in sources]


async def _claim(connection: AsyncConnection, tenant: str, once: IdempotencyKey, job_id: str) -> Job | None:
    """The job that the key already made; none, and the key is claimed for `job_id`, when it is new."""
    if (await connection.execute(remember(tenant, once.key, once.digest, job_id))).first() is not None:
        return None
    return await _recall(connection, tenant, once)


async def _recall(connection: AsyncConnection, tenant: str, once: IdempotencyKey) -> Job | None:
    """The job that the key already made, if any."""
    holder = (await connection.execute(remembered(tenant, once.key))).first()
    if holder is None:
        return None
    if holder.body_sha256 != once.digest:
        raise IdempotencyMismatch(field="header.Idempotency-Key")
    row = (await connection.execute(visible(holder.job_id, tenant))).first()
    if row is None:
        raise UnknownJob("The job that this Idempotency-Key made was deleted; use a new key for a new job.")
    return job_from_row(row)


def modality_of(params: AnyParams) -> Modality:
    """The modality that these parameters are of: the tag of their struct."""
    tag: Any = type(params).__struct_config__.tag
    modality: Modality = tag
    return modality
