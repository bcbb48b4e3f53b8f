"""Making a completed job again: the fields, the seed and the clean inputs that it had, as a new job."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from api.follow.notifier import Notifier
from api.http.auth import Caller
from api.http.database import Database
from api.submit.helper_models import beside_helpers
from api.submit.idempotency import claim_key
from api.submit.model_choice import choose_model
from api.submit.service import Submission, SubmittedJob, accepted, facts_of, refusals
from api.submit.validation import IdempotencyKey, for_caller
from core.errors.conflicts import InputsForgotten, JobNotCompleted, ModelChanged, PromptForgotten
from core.errors.unknown import UnknownJob
from core.ids import check_id
from core.settings import Settings
from jobs.job import Job, JobStatus, job_from_row
from jobs.manifests.environment import BundleWeights, Environment
from jobs.params.media import media_of
from jobs.params.registry import AnyParams
from jobs.params.requests.origin import NATIVE, Origin
from jobs.statements.manifests.environments import find_made, input_copies
from jobs.statements.queue.submit import InputSource, Offer, add_inputs, new_job, submit
from pipelines.catalog.loader import Catalog
from pipelines.catalog.spec import ModelSpec, Source


class Reproductions:
    """The service that makes completed jobs again."""

    def __init__(self, database: Database, catalog: Catalog, notifier: Notifier, settings: Settings) -> None:
        self._database = database
        self._catalog = catalog
        self._notifier = notifier
        self._settings = settings

    async def submit(
        self, caller: Caller, original_id: str, *, job_id: str, key: IdempotencyKey | None, traceparent: str | None
    ) -> SubmittedJob:
        """Return the new job, or the one that an earlier request with the same Idempotency-Key made.

        It costs what such a job costs now, and knows the environment of the first one, so that the worker can warn of
        another. Raises `MalformedId`, `UnknownJob`, `JobNotCompleted`, `PromptForgotten`, `InputsForgotten`,
        `ModelChanged`, and what a submit raises that names a model.
        """
        check_id("job", original_id)

        async def work(connection: AsyncConnection) -> Job:
            earlier = await claim_key(connection, caller.tenant, key, job_id)
            if earlier is not None:
                return earlier
            row = (await connection.execute(find_made(original_id, caller.tenant))).first()
            if row is None:
                raise UnknownJob
            return await self._insert(connection, caller, row, job_id, traceparent)

        with refusals():
            job = await self._database.transaction(work)
        return accepted(job, self._notifier) if job.id == job_id else SubmittedJob(job=job, repeated=True)

    async def _insert(
        self, connection: AsyncConnection, caller: Caller, row: Row[Any], job_id: str, traceparent: str | None
    ) -> Job:
        original, environment = job_from_row(row), msgspec.convert(row.facts, Environment | None)
        if original.status is not JobStatus.COMPLETED:
            raise JobNotCompleted
        if not original.params:
            raise PromptForgotten
        params = self._params_of(original, caller)
        copies = {copy.name: copy for copy in await connection.execute(input_copies(original.id))}
        sources = _sources(params, copies)
        spec = await choose_model(connection, self._catalog, params, NATIVE, caller.tenant)
        _refuse_changed(spec, environment)
        made_in = None if original.run is None else original.run.environment
        if original.revised_prompt is not None and environment is not None:
            made_in = self._without_writer(environment).digest
        submission = Submission(
            job_id=job_id,
            caller=caller,
            params=params,
            traceparent=traceparent,
            origin=Origin(reproduces=original.id, environment=made_in),
        )
        facts = facts_of(submission, params, self._settings) | {"seed": original.seed}
        spill_seconds = params.prefer_seconds if params.pin == "prefer" else None
        added = new_job(offers=[Offer(spec.id, spec.price_of(params))], spill_seconds=spill_seconds, **facts)
        added = await beside_helpers(connection, self._catalog, added)
        job = job_from_row((await connection.execute(submit(added))).one())
        if sources:
            await connection.execute(add_inputs(job_id, caller.tenant, sources))
        return job

    def _without_writer(self, environment: Environment) -> Environment:
        """Return an environment without the model of texts that wrote the prompt, which is a field by now."""
        writers = {spec.id for spec in self._catalog.of("text")}
        weights = tuple(one for one in environment.weights if one.bundle.partition("+")[0] not in writers)
        return msgspec.structs.replace(environment, weights=weights)

    def _params_of(self, original: Job, caller: Caller) -> AnyParams:
        """Return the parameters of a job, with the model and the prompt that made it, and a priority of the key."""
        params: Any = original.read_params()
        if original.revised_prompt is not None:
            params = msgspec.structs.replace(params, prompt=original.revised_prompt, enhance_prompt=False)
        priority = min(params.priority, caller.priority_ceiling)
        named: AnyParams = msgspec.structs.replace(params, model=original.model, priority=priority)
        return for_caller(named, caller, self._settings)


def _sources(params: AnyParams, copies: Mapping[str, Row[Any]]) -> list[InputSource]:
    """Return the clean copies of a job's inputs as sources. Raises `InputsForgotten` where one is not there."""
    names = [medium.name for medium in media_of(params)]
    if not all(name in copies for name in names):
        raise InputsForgotten
    return [
        InputSource(name=copy.name, kind=copy.kind, source_key=copy.key, min_seconds=copy.min_seconds)
        for copy in (copies[name] for name in names)
    ]


def _refuse_changed(spec: ModelSpec, environment: Environment | None) -> None:
    """Raise `ModelChanged` where the catalog names other files of the model than those that a job was made with."""
    sources = {bundle.key: bundle.source for bundle in spec.bundles}
    for weights in environment.weights if environment else ():
        if weights.bundle not in sources and weights.bundle.partition("+")[0] != spec.id:
            continue  # of a model that took part, such as one that removes backgrounds
        source = sources.get(weights.bundle, Source())
        if (weights.repo, weights.revision, weights.url) != (source.repo, source.revision, source.url):
            raise ModelChanged(
                f"{weights.bundle}: {_origin(weights)} then, {_origin(source)} now. {ModelChanged.advice}"
            )


def _origin(files: BundleWeights | Source) -> str:
    return files.revision or files.url or "local files"
