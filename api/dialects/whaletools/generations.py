"""The way of a WhaleTools request: submitted, waited for, answered."""

import asyncio
from collections.abc import Sequence
from typing import Any

from litestar import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.dialects.whaletools.errors import failure
from api.dialects.whaletools.translate import job_id
from api.follow.connection import while_connected
from api.follow.job_lookup import find_job
from api.follow.notifier import Notifier
from api.http.auth import Caller
from api.http.database import Database
from api.http.strict_json import StrictRequest
from api.submit.endpoint import SubmitEndpoint
from api.submit.service import SubmittedJob
from core.errors.base import AtelierError
from jobs.job import Job, JobStatus, job_from_row
from jobs.params.registry import AnyParams, Modality
from jobs.params.requests.origin import Origin
from jobs.statements.queue.look import JobView
from jobs.statements.queue.submit import forget_key
from jobs.statements.queue.tenant_jobs import cancel
from jobs.wire.dialects.whaletools import NAME, answer, pending
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog

MADE_BY = "X-Atelier-Model"
"""The header with the id of the model that made it, whatever name was asked for."""


class Generations:
    """Submits requests of the dialect and answers with what came of them, or with where that will be."""

    def __init__(
        self, endpoint: SubmitEndpoint, database: Database, notifier: Notifier, catalog: Catalog, aliases: Aliases
    ) -> None:
        self._endpoint = endpoint
        self._database = database
        self._notifier = notifier
        self._catalog = catalog
        self._aliases = aliases
        self._settings = endpoint.settings

    def model(self, modality: Modality, name: str | None) -> str | None:
        """Return the model that a name means, `None` for the default one."""
        return self._aliases.model(self._catalog, modality, name, NAME)

    async def start(self, request: StrictRequest, params: AnyParams, key: str | None, origin: Origin) -> Response[Any]:
        """Submit, and answer 202 at once with where the result will be."""
        submitted = await self._endpoint.submit(request, params, idempotency_key=key, origin=origin)
        (view,) = await self._endpoint.watcher.views([submitted.job], request.user.key_id)
        return self._pending(view)

    async def make(self, request: StrictRequest, params: AnyParams, key: str | None, origin: Origin) -> Response[Any]:
        """Submit, and answer once it has ended; with 202 and where to look after the time of a setting."""
        _, view = await self._endpoint.submit_and_wait(
            request, params, self._settings.sync_seconds, idempotency_key=key, origin=origin
        )
        if not view.job.status.terminal:
            return self._pending(view)
        if view.job.status is not JobStatus.COMPLETED:
            return failure(view.job)
        return self._shown(view.job)

    async def make_all(
        self, request: StrictRequest, params: Sequence[AnyParams], key: str | None, origin: Origin
    ) -> list[JobView]:
        """Submit several, and return them once all have ended, or as they are after the time of a setting.

        When one is refused, those before it are withdrawn and the refusal is raised: all are accepted or none.
        """
        keys = [None if key is None else f"{key}#{number}" for number in range(len(params))]
        submitted: list[SubmittedJob] = []
        try:
            for one, own_key in zip(params, keys, strict=True):
                submitted.append(await self._endpoint.submit(request, one, idempotency_key=own_key, origin=origin))
        except AtelierError:
            made = zip(submitted, keys, strict=False)
            await self._withdraw([(one.job, own_key) for one, own_key in made if not one.repeated])
            raise
        key_id, seconds = request.user.key_id, min(self._settings.sync_seconds, self._settings.wait_limit)
        views = [JobView(one.job) for one in submitted]
        waits = (self._endpoint.watcher.wait(view, key_id, seconds) for view in views)

        async def all_ended() -> list[JobView]:
            return list(await asyncio.gather(*waits))

        return await while_connected(request.receive, all_ended(), views)

    async def show(self, caller: Caller, modality: Modality, generation: str) -> Response[Any]:
        """Answer with a generation as it is now. Raises `MalformedId`, `UnknownJob` or `OutputExpired`."""
        job = await find_job(self._database, caller, job_id(modality, generation), modality)
        (view,) = await self._endpoint.watcher.views([job], caller.key_id)
        return self._shown(view.job, self._endpoint.watcher.answer(view).estimated_seconds)

    async def _withdraw(self, jobs: Sequence[tuple[Job, str | None]]) -> None:
        """Cancel jobs, and forget the Idempotency-Keys that made them, so that a repeat makes them anew."""

        async def work(connection: AsyncConnection) -> list[Job]:
            for job, key in jobs:
                if key is not None:
                    await connection.execute(forget_key(job.tenant, key, job.id))
            rows = [(await connection.execute(cancel(job.id, job.tenant))).one_or_none() for job, _ in jobs]
            return [job_from_row(row) for row in rows if row is not None]

        for cancelled in await self._database.transaction(work):
            self._notifier.notify_later(cancelled)

    def _shown(self, job: Job, estimate: float | None = None) -> Response[Any]:
        return Response(answer(job, self._settings, estimate=estimate), headers={MADE_BY: job.model})

    def _pending(self, view: JobView) -> Response[Any]:
        estimate = self._endpoint.watcher.answer(view).estimated_seconds
        return Response(pending(view.job, estimate), status_code=202, headers={MADE_BY: view.job.model})
