"""Submitting a job: one statement or one transaction, then the notification.

A request that names neither media nor a server, and needs no second model, is one statement. Where that finds no model
or the Idempotency-Key taken, the transaction decides, as it does for every other request.

A request that brings media is looked up first, so that a repeated Idempotency-Key or a refusal needs no store. Then the
media are stored, and the objects are removed again when no job comes of them.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.follow.job_lookup import stored_keys
from api.follow.notifier import Notifier
from api.http.auth import Caller
from api.http.database import Database
from api.http.spooled_body import SpooledBody
from api.submit.batches import SubmitBatches
from api.submit.helper_models import beside_helpers, without_helpers
from api.submit.idempotency import claim_key, find_repeated
from api.submit.media_intake import IngestedRequest, MediaIntake, needs_store
from api.submit.model_choice import choose_model, models_without_server
from api.submit.profiles import with_profile
from api.submit.validation import IdempotencyKey, check, draw_seed
from core.database import state_of
from core.errors.fields import InvalidRequest, NoModelForTask, NoSuchProfile
from core.errors.limits import BudgetExhausted, TooManyJobs
from core.errors.unavailable import DatabaseUnavailable
from core.metrics import JOBS_SUBMITTED
from core.settings import Settings
from jobs.job import Job, job_from_row
from jobs.params.media import media_of
from jobs.params.registry import AnyParams
from jobs.params.requests.origin import NATIVE_ORIGIN, Origin
from jobs.statements.budget import FULL, KEY, SPENT
from jobs.statements.queue.submit import (
    InputSource,
    NewJob,
    Offer,
    add_inputs,
    ask,
    new_job,
    submit,
)
from pipelines.catalog.helpers.needs import may_need_helpers
from pipelines.catalog.input_files import file_rules
from pipelines.catalog.loader import Catalog, ModelSpec

log = logging.getLogger(__name__)


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller submits, whatever the wire format it came in.

    `job_id` is the id of a new job, and `traceparent` the trace that it belongs to; `origin` says in which
    wire format it was asked for, and so whose names of models `params.model` uses. `defaults` are those of the route
    that are not the parameters' own, for a profile.
    """

    job_id: str
    caller: Caller
    params: AnyParams
    body: SpooledBody | None = None
    idempotency_key: IdempotencyKey | None = None
    traceparent: str | None = None
    origin: Origin = NATIVE_ORIGIN
    defaults: Mapping[str, Any] = {}


class SubmittedJob(msgspec.Struct, frozen=True, kw_only=True):
    """The job of a submission; `repeated` when an earlier request with the same Idempotency-Key made it."""

    job: Job
    repeated: bool


class Submissions:
    """The service that turns submissions into jobs. It knows no HTTP: each wire format renders what it returns."""

    def __init__(
        self, database: Database, catalog: Catalog, notifier: Notifier, intake: MediaIntake, settings: Settings
    ) -> None:
        self._database = database
        self._batches = SubmitBatches(database)
        self._catalog = catalog
        self._notifier = notifier
        self._intake = intake
        self._settings = settings

    async def submit(self, submission: Submission) -> SubmittedJob:
        """Return the job of a submission.

        A repeated Idempotency-Key returns the job that it first made, before any quota is checked. Raises the errors
        of `api.submit.errors.SUBMIT_ERRORS`, and `DatabaseUnavailable`.
        """
        tenant = submission.caller.tenant
        try:
            params = await with_profile(self._database, tenant, submission.params, submission.defaults)
        except NoSuchProfile:
            earlier = await self._find_earlier(submission)
            if earlier is None:
                raise
            return SubmittedJob(job=earlier, repeated=True)
        params = check(params, submission.caller, self._settings)
        submission = msgspec.structs.replace(submission, params=params)
        stored = dict[str, str]()
        if params.server_id is None and not any(media_of(params)) and not may_need_helpers(params):
            job = await self._submit_at_once(submission)
            if job is not None:
                return accepted(job, self._notifier)
        if needs_store(params):
            with refusals():
                earlier, stored = await self._database.transaction(lambda c: self._look_up(c, submission))
            if earlier is not None:
                return SubmittedJob(job=earlier, repeated=True)
        ingested = await self._intake.ingest(tenant, submission.job_id, params, stored, submission.body)
        job = await self._commit(submission, ingested)
        if job.id != submission.job_id:
            await self._intake.discard(ingested.folder)
            return SubmittedJob(job=job, repeated=True)
        return accepted(job, self._notifier)

    def prepare(self, submission: Submission) -> NewJob:
        """Return the job of a submission that names neither media nor a server, for another process to add later.

        Raises what `submit` raises for a wrong field or model; the database is not asked.
        """
        params = check(submission.params, submission.caller, self._settings)
        job = self._offered(msgspec.structs.replace(submission, params=params))
        if job is None:
            raise NoModelForTask
        return without_helpers(self._catalog, job)

    async def _find_earlier(self, submission: Submission) -> Job | None:
        """Return the job that the Idempotency-Key of the submission has made, if there is one."""
        tenant, key = submission.caller.tenant, submission.idempotency_key
        if key is None:
            return None
        return await self._database.transaction(lambda connection: find_repeated(connection, tenant, key))

    async def _submit_at_once(self, submission: Submission) -> Job | None:
        """Submit in one statement; None, and nothing is written, where that takes a look at the rows."""
        try:
            added = self._offered(submission)
        except InvalidRequest:
            return None  # a repeated Idempotency-Key is answered all the same
        if added is None:
            return None
        with refusals():
            return await self._batches.add(added)

    def _offered(self, submission: Submission) -> NewJob | None:
        """Return the job for the one statement; None where no model supports it. Raises `InvalidRequest`."""
        params = submission.params
        specs = models_without_server(self._catalog, params, submission.origin.dialect)
        offers = [Offer(spec.id, spec.price_of(params)) for spec in specs]
        if not offers:
            return None
        return new_job(
            offers=offers,
            served=params.model is None,
            key=submission.idempotency_key,
            **facts_of(submission, params, self._settings),
        )

    async def _look_up(self, connection: AsyncConnection, submission: Submission) -> tuple[Job | None, dict[str, str]]:
        """Return the job that the request already made, else the keys of the stored objects that it names, by id."""
        tenant, key_id = submission.caller.tenant, submission.caller.key_id
        earlier = await find_repeated(connection, tenant, submission.idempotency_key)
        if earlier is not None:
            return earlier, {}
        spec = await choose_model(connection, self._catalog, submission.params, submission.origin.dialect, tenant)
        price = spec.price_of(submission.params)
        await connection.execute(ask(tenant, price, usual_cap=self._settings.max_waiting_jobs, key_id=key_id))
        return None, await stored_keys(connection, tenant, media_of(submission.params))

    async def _commit(self, submission: Submission, ingested: IngestedRequest) -> Job:
        """Insert the job, or return the one that the Idempotency-Key made before; a failure leaves no object."""

        async def work(connection: AsyncConnection) -> Job:
            earlier = await claim_key(
                connection, submission.caller.tenant, submission.idempotency_key, submission.job_id
            )
            return earlier or await self._insert(connection, submission, ingested)

        try:
            with refusals():
                return await self._database.transaction(work)
        except DatabaseUnavailable:
            if ingested.folder:
                log.warning("submit: commit in doubt, inputs kept folder=%s", ingested.folder)
            raise
        except Exception:
            await self._intake.discard(ingested.folder)
            raise

    async def _insert(self, connection: AsyncConnection, submission: Submission, ingested: IngestedRequest) -> Job:
        params, tenant = ingested.params, submission.caller.tenant
        spec = await choose_model(connection, self._catalog, params, submission.origin.dialect, tenant)
        offers = [Offer(spec.id, spec.price_of(params))]
        spill_seconds = params.prefer_seconds if params.pin == "prefer" else None
        added = new_job(offers=offers, spill_seconds=spill_seconds, **facts_of(submission, params, self._settings))
        added = await beside_helpers(connection, self._catalog, added)
        job = job_from_row((await connection.execute(submit(added))).one())
        if ingested.sources:
            await connection.execute(add_inputs(submission.job_id, tenant, with_input_rules(ingested.sources, spec)))
        return job


def accepted(job: Job, notifier: Notifier) -> SubmittedJob:
    """Notify workers and followers of a new job, count it and return it."""
    notifier.notify_later(job)
    JOBS_SUBMITTED.labels(job.model, job.modality).inc()
    return SubmittedJob(job=job, repeated=False)


def facts_of(submission: Submission, params: AnyParams, settings: Settings) -> dict[str, Any]:
    """Return what every statement that adds the job with these parameters is given."""
    return {
        "job_id": submission.job_id,
        "tenant": submission.caller.tenant,
        "key_id": submission.caller.key_id,
        "params": params,
        "seed": draw_seed(params),
        "max_attempts": settings.max_attempts,
        "deadline_seconds": params.deadline_seconds or settings.deadline_seconds,
        "usual_cap": settings.max_waiting_jobs,
        "traceparent": submission.traceparent,
        "origin": submission.origin,
    }


@contextmanager
def refusals() -> Iterator[None]:
    """Raise the errors of `admit` in the block as `BudgetExhausted` and `TooManyJobs`."""
    try:
        yield
    except DBAPIError as error:
        if state_of(error) == SPENT and isinstance(error.orig, psycopg.Error):
            of_key = error.orig.diag.message_primary == KEY
            raise BudgetExhausted(BudgetExhausted.of_key if of_key else None) from None
        if state_of(error) == FULL and isinstance(error.orig, psycopg.Error):
            cap = error.orig.diag.message_primary
            raise TooManyJobs(f"You have reached your limit of {cap} unfinished jobs. {TooManyJobs.advice}") from None
        raise


def with_input_rules(sources: Sequence[InputSource], spec: ModelSpec) -> list[InputSource]:
    """Return the sources with what the model accepts of files (`pipelines.catalog.input_files`)."""
    rules = ((source, file_rules(spec, source.name, source.kind)) for source in sources)
    return [msgspec.structs.replace(source, **msgspec.structs.asdict(rule)) for source, rule in rules]
