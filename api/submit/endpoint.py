"""What every submit route does once its parameters are typed; a new modality calls `accept` and is done."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

from litestar import Response
from litestar.openapi import ResponseSpec
from litestar.params import HeaderParameter, QueryParameter
from litestar.types import Receive

from api.follow.watcher import JobWatcher
from api.http.strict_json import StrictRequest
from api.submit.service import Submissions
from api.submit.validation import IdempotencyKey, idempotency_key_of
from core.settings import Settings
from core.tracing import OFF, Tracer
from jobs.job import Job
from jobs.log_context import about_job
from jobs.params.registry import AnyParams
from jobs.wire.jobs import Accepted
from jobs.wire.status import StatusAnswer

log = logging.getLogger(__name__)

T = TypeVar("T")


Wait = Annotated[
    float, QueryParameter(ge=0, le=86_400, description="Hold the answer until the job ends, at most so many seconds.")
]
IdempotencyKeyHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Repeats within 24 h are answered with the first one's job; with another body they are refused.",
    ),
]
ENDED = {200: ResponseSpec(StatusAnswer, generate_examples=False, description="The job ended within `wait`.")}
"""`responses` of a submit route beside its refusals."""


class SubmitEndpoint:
    """Takes a request in, and holds it when the caller wants to wait."""

    def __init__(self, submissions: Submissions, watcher: JobWatcher, settings: Settings, tracer: Tracer = OFF) -> None:
        self._submissions = submissions
        self._watcher = watcher
        self._wait_limit = settings.wait_limit
        self._tracer = tracer

    async def accept(
        self, request: StrictRequest, params: AnyParams, *, wait: float, idempotency_key: str | None
    ) -> Response[Accepted | StatusAnswer]:
        """202 and `Accepted`; with `wait` the status answer, as 200 when the job has ended by then, else as 202."""
        route = request.scope["path"].rstrip("/")
        once = idempotency_key_of(idempotency_key, route, await request.body())
        job, fresh = await self._submit(request, route, params, once)
        headers = {"Location": f"{route}/status/{job.id}"} | ({} if fresh else {"Idempotency-Replayed": "true"})
        if wait <= 0:
            return Response(accepted(job, headers["Location"]), status_code=202, headers=headers)
        job = await while_connected(request.receive, self._watcher.wait(job, min(wait, self._wait_limit)), job)
        answer = await self._watcher.answer(job)
        return Response(answer, status_code=200 if job.status.terminal else 202, headers=headers)

    async def _submit(
        self, request: StrictRequest, route: str, params: AnyParams, once: IdempotencyKey | None
    ) -> tuple[Job, bool]:
        """With the span that the job's trace begins with, or goes on with where the caller sent one."""
        sent = request.headers.get("traceparent")
        with self._tracer.span(f"POST {route}", parent=sent, kind="server", root=True) as span:
            job, fresh = await self._submissions.submit(request.user, params, once, span.traceparent)
            span.note(job_id=job.id, tenant_id=job.tenant, model=job.model, replayed=not fresh)
        with about_job(job):
            log.info("job %s is %s", job.id, "taken in" if fresh else "what this Idempotency-Key made before")
        return job, fresh


def accepted(job: Job, status_url: str) -> Accepted:
    """The answer to a submit."""
    return Accepted(
        job_id=job.id,
        status=job.status,
        modality=job.modality,
        model=job.model,
        seed=job.seed,
        status_url=status_url,
        events_url=f"/jobs/v1/{job.id}/events",
        created_at=job.created_at,
    )


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T], otherwise: T) -> T:
    """The result of `work`, which is given up for `otherwise` when the client leaves. The body must have been read."""

    async def left() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    task, leaving = asyncio.create_task(work), asyncio.create_task(left())
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else otherwise
    finally:
        for each in (task, leaving):
            each.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)
