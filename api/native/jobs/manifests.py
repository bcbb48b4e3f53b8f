"""The manifests of completed jobs, and making such a job again."""

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from opentelemetry.trace import SpanKind

from api.http.auth import Caller, needs
from api.http.database import Database
from api.http.strict_json import StrictRequest
from api.native.jobs.accepted import accepted
from api.openapi.documents import error_responses
from api.submit.endpoint import IdempotencyKeyHeader
from api.submit.errors import SUBMIT_ERRORS
from api.submit.reproductions import Reproductions
from api.submit.validation import IdempotencyKey
from core.errors.conflicts import InputsForgotten, JobNotCompleted, ModelChanged, PromptForgotten
from core.errors.unknown import MalformedId, UnknownJob
from core.ids import check_id, new_id
from core.settings import Settings
from core.tracing import span, traceparent_of
from jobs.job import JobStatus, job_from_row
from jobs.manifests.environment import Environment
from jobs.manifests.manifest import Manifest, manifest_of
from jobs.statements.manifests.environments import find_made, input_copies, outputs_of
from jobs.wire.jobs import Accepted


class ManifestRoutes(Controller):
    """Routes that say what a completed job was made of and with, and that make it again."""

    path = "/jobs/v1/{job_id:str}"
    tags = ("Jobs",)
    opt = needs("jobs")

    @get(
        "/manifest",
        responses=error_responses(MalformedId, UnknownJob, JobNotCompleted),
        summary="What a job was made with",
    )
    async def show(
        self, job_id: FromPath[str], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> Manifest:
        """Return fields, seed, inputs, weights, versions, device, timings and outputs of a completed job."""
        row = await database.row(find_made(check_id("job", job_id), caller.tenant))
        if row is None:
            raise UnknownJob
        job = job_from_row(row)
        if job.status is not JobStatus.COMPLETED:
            raise JobNotCompleted
        inputs = await database.rows(input_copies(job.id))
        first = job.origin.reproduces
        made = None if first is None else await database.row(outputs_of(first, caller.tenant))
        original = None if made is None else made.artifacts
        return manifest_of(job, msgspec.convert(row.facts, Environment | None), inputs, original)

    @post(
        "/reproduce",
        status_code=202,
        responses=error_responses(
            *SUBMIT_ERRORS, MalformedId, JobNotCompleted, PromptForgotten, InputsForgotten, ModelChanged
        ),
        summary="Make a job again",
    )
    async def reproduce(
        self,
        request: StrictRequest,
        job_id: FromPath[str],
        reproductions: NamedDependency[Reproductions],
        settings: NamedDependency[Settings],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Accepted]:
        """Submit a completed job again, with its fields, its seed and its inputs, as a new job.

        On the same device, with the same weights and versions, its pixels are the same; where they may differ, the new
        job has a warning. A model that has another revision now is refused.
        """
        key = None if idempotency_key is None else IdempotencyKey(idempotency_key, await request.body_digest())
        trace = request.headers.get("traceparent")
        with span("POST /jobs/v1/{job_id}/reproduce", parent=trace, kind=SpanKind.SERVER, root=True) as opened:
            submitted = await reproductions.submit(
                request.user, job_id, job_id=new_id("job"), key=key, traceparent=traceparent_of(opened)
            )
        headers = {"Idempotency-Replayed": "true"} if submitted.repeated else {}
        return Response(accepted(submitted.job, settings), status_code=202, headers=headers)
