"""The HTTP side of a submission, the same for every wire format: its headers, its trace, and waiting for its job."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

from litestar.params import HeaderParameter
from litestar.types import Receive
from opentelemetry.trace import SpanKind

from api.follow.watcher import JobWatcher
from api.http.strict_json import StrictRequest
from api.submit.service import Submission, Submissions, SubmittedJob
from api.submit.validation import IdempotencyKey
from core.settings import Settings
from core.tracing import Facts, attributes, span, traceparent_of
from jobs.job import Job
from jobs.log_context import about_job
from jobs.params.registry import AnyParams
from jobs.statements.queue.look import JobView
from pipelines.catalog.loader import NATIVE

log = logging.getLogger(__name__)

T = TypeVar("T")

IdempotencyKeyHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Repeats within 24 h are answered with the first one's job; with another body they are refused.",
    ),
]


class SubmitEndpoint:
    """Submits the typed parameters of a request. The route that calls it renders the job in its own wire format."""

    def __init__(self, submissions: Submissions, watcher: JobWatcher, settings: Settings) -> None:
        self._submissions = submissions
        self._watcher = watcher
        self._wait_limit = settings.wait_limit

    async def submit(
        self,
        request: StrictRequest,
        params: AnyParams,
        *,
        idempotency_key: str | None = None,
        dialect: str = NATIVE,
    ) -> SubmittedJob:
        """Submit `params`, which were read from the body of `request`. Raises what `Submissions.submit` raises.

        The job's trace begins with a span of this request, or continues the caller's `traceparent`. An Idempotency-Key
        belongs to the path and the body. Model names are those of `dialect`.
        """
        route = request.scope["path"].rstrip("/")
        key = None if idempotency_key is None else IdempotencyKey(idempotency_key, await request.body_digest())
        caller_trace = request.headers.get("traceparent")
        with span(f"POST {route}", parent=caller_trace, kind=SpanKind.SERVER, root=True) as opened:
            submission = Submission(
                caller=request.user,
                params=params,
                idempotency_key=key,
                traceparent=traceparent_of(opened),
                dialect=dialect,
            )
            submitted = await self._submissions.submit(submission)
            job = submitted.job
            facts: Facts = {
                "job_id": job.id,
                "tenant_id": job.tenant,
                "model": job.model,
                "replayed": submitted.repeated,
            }
            opened.set_attributes(attributes(facts))
        with about_job(job):
            log.info("submit: %s job=%s", "repeated" if submitted.repeated else "accepted", job.id)
        return submitted

    async def wait(self, request: StrictRequest, job: Job, seconds: float) -> JobView:
        """Return the job once it has ended, or after `seconds`, of which a setting limits the number.

        The wait ends early, with `job` itself, when the client disconnects. Raises `UnknownJob` for a job that is
        deleted meanwhile, and `Unauthenticated` once the key is revoked.
        """
        view = JobView(job)
        waiting = self._watcher.wait(view, request.user.key_id, min(seconds, self._wait_limit))
        return await while_connected(request.receive, waiting, view)


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T], otherwise: T) -> T:
    """Return the result of `work`, or cancel it and return `otherwise` when the client disconnects.

    The body of the request must have been read.
    """

    async def wait_for_disconnect() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    task, disconnect = asyncio.create_task(work), asyncio.create_task(wait_for_disconnect())
    try:
        await asyncio.wait({task, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else otherwise
    finally:
        for each in (task, disconnect):
            each.cancel()
        await asyncio.gather(task, disconnect, return_exceptions=True)
