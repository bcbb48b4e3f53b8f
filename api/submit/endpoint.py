"""The HTTP side of a submission, the same for every wire format: its headers, its trace, and waiting for its job."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from litestar.params import HeaderParameter
from opentelemetry.trace import SpanKind

from api.follow.connection import while_connected
from api.follow.watcher import JobWatcher
from api.http.auth import Caller
from api.http.request_ids import find_header
from api.http.strict_json import StrictRequest
from api.submit.groups import GroupSubmissions, Place, same_place
from api.submit.service import Submission, Submissions, SubmittedJob
from api.submit.validation import IdempotencyKey
from core.ids import new_id
from core.settings import Settings
from core.tracing import Facts, attributes, span, traceparent_of
from jobs.job import Job
from jobs.log_context import about_job
from jobs.params.media import drop_data_urls
from jobs.params.registry import AnyParams
from jobs.params.requests.origin import NATIVE_ORIGIN, Origin
from jobs.statements.queue.look import JobView

log = logging.getLogger(__name__)

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

    def __init__(
        self,
        submissions: Submissions,
        groups: GroupSubmissions,
        cancel: Callable[[Caller, str], Awaitable[Job | None]],
        watcher: JobWatcher,
        settings: Settings,
    ) -> None:
        self._submissions = submissions
        self._groups = groups
        self.cancel = cancel
        self.watcher = watcher
        self.settings = settings

    async def submit(
        self,
        request: StrictRequest,
        params: AnyParams,
        *,
        idempotency_key: str | None = None,
        origin: Origin = NATIVE_ORIGIN,
        defaults: Mapping[str, Any] = {},
    ) -> SubmittedJob:
        """Submit `params`, which were read from the body of `request`. Raises what `Submissions.submit` raises.

        The job's trace begins with a span of this request, or continues the caller's `traceparent`. An Idempotency-Key
        belongs to the path and the body. `origin` says in which wire format the job was asked for, and `defaults` are
        those of the route that are not the parameters' own, for a profile.
        """
        return await self._submit(request, params, new_id("job"), idempotency_key, origin, defaults)

    async def submit_together(
        self,
        request: StrictRequest,
        all_params: Sequence[AnyParams],
        *,
        idempotency_key: str | None,
        origin: Origin = NATIVE_ORIGIN,
        place: Place = same_place,
    ) -> list[SubmittedJob]:
        """Submit several jobs of one group that is named like the first of them: all or none of them.

        Returns the jobs, of a repeated Idempotency-Key those that it first made. One job is a group of one, without
        the name. Raises what `submit` raises, with fields below the `place` of the job at fault.
        """
        if len(all_params) == 1 and place is same_place:
            return [await self.submit(request, all_params[0], idempotency_key=idempotency_key, origin=origin)]
        ids = [new_id("job") for _ in all_params]
        origin = origin if len(ids) == 1 else msgspec.structs.replace(origin, group=ids[0])
        key = None if idempotency_key is None else IdempotencyKey(idempotency_key, await request.body_digest())
        route = request.scope["path"].rstrip("/")
        caller_trace = request.headers.get("traceparent")
        with span(f"POST {route}", parent=caller_trace, kind=SpanKind.SERVER, root=True) as opened:
            submissions = [
                Submission(
                    job_id=job_id,
                    caller=request.user,
                    params=params,
                    idempotency_key=key,
                    traceparent=traceparent_of(opened),
                    origin=origin,
                )
                for job_id, params in zip(ids, all_params, strict=True)
            ]
            submitted = await self._groups.submit(submissions, place)
            opened.set_attributes(attributes({"group": ids[0], "jobs": len(submitted)}))
        log.info("submit: %s jobs=%s group=%s", _word(submitted[0]), len(submitted), submitted[0].job.id)
        return submitted

    async def submit_and_wait(
        self,
        request: StrictRequest,
        params: AnyParams,
        seconds: float,
        *,
        idempotency_key: str | None = None,
        origin: Origin = NATIVE_ORIGIN,
        defaults: Mapping[str, Any] = {},
        cancels: bool = False,
    ) -> tuple[SubmittedJob, JobView]:
        """Submit as `submit` does, and return the job also as it is once it has ended.

        That is after `seconds` at the latest, of which a setting limits the number, and as soon as the client
        disconnects; then the job is cancelled if `cancels`, unless an earlier request made it. The media of the request
        are released meanwhile. Raises also `UnknownJob` for a job that is deleted meanwhile, and `Unauthenticated` once
        the key is revoked.
        """
        job_id, seconds = new_id("job"), min(seconds, self.settings.wait_limit)
        with self.watcher.event_hub.subscribe(job_id) as subscription:  # before the commit, so the row need not be read
            submitted = await self._submit(request, params, job_id, idempotency_key, origin, defaults)
            drop_data_urls(params)
            request.release_body()
            view, key_id = JobView(submitted.job), request.user.key_id
            if submitted.repeated:
                waiting = self.watcher.wait(view, key_id, seconds)
            else:
                waiting = self.watcher.wait_for_news(subscription, view, key_id, seconds)
            seen: JobView | None = await while_connected(request.receive, waiting, None)
            if seen is None and cancels and not submitted.repeated:
                await self.cancel(request.user, submitted.job.id)
            return submitted, seen or view

    async def _submit(
        self,
        request: StrictRequest,
        params: AnyParams,
        job_id: str,
        idempotency_key: str | None,
        origin: Origin,
        defaults: Mapping[str, Any],
    ) -> SubmittedJob:
        route = request.scope["path"].rstrip("/")
        key = None if idempotency_key is None else IdempotencyKey(idempotency_key, await request.body_digest())
        caller_trace = find_header(request.scope["headers"], b"traceparent")
        with span(f"POST {route}", parent=caller_trace, kind=SpanKind.SERVER, root=True) as opened:
            submission = Submission(
                job_id=job_id,
                caller=request.user,
                params=params,
                body=request.spooled_body,
                idempotency_key=key,
                traceparent=traceparent_of(opened),
                origin=origin,
                defaults=defaults,
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
        if log.isEnabledFor(logging.INFO):
            with about_job(job):
                log.info("submit: %s job=%s", _word(submitted), job.id)
        return submitted


def _word(submitted: SubmittedJob) -> str:
    return "repeated" if submitted.repeated else "accepted"
