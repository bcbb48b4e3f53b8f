"""The submit and status routes of ImagePipeline's calls."""

from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath

from api.dialects.imagepipeline.answers import (
    ImagePipelineStatus,
    SubmittedAnswer,
    imagepipeline_status,
    submitted_answer,
)
from api.dialects.imagepipeline.operations import Operation
from api.dialects.imagepipeline.translate import Translation
from api.dialects.imagepipeline.uploads import with_own_media
from api.follow.status import StatusBuilder
from api.http.auth import SHOWS_JOB, shown_job
from api.http.strict_json import StrictRequest
from api.submit.endpoint import IdempotencyKeyHeader, SubmitEndpoint
from api.submit.service import SubmittedJob
from core.errors.fields import NoCapableModel, NotThisModel
from core.errors.unavailable import NoModelAvailable
from core.errors.unknown import UnknownJob
from jobs.job import Job
from jobs.params.requests.origin import Origin
from jobs.wire.dialects.imagepipeline import NAME
from pipelines.catalog.loader import Catalog
from pipelines.catalog.workload import catalog_seconds, workload_of_row


def operation_controller(operation: Operation) -> type[Controller]:
    """Return the controller with the submit route and the status route of a call."""
    words = operation.endpoint.removesuffix("/v1").split("/")
    return type(
        f"{''.join(word.title() for word in words)}Routes",
        (Controller,),
        {"path": f"/{operation.endpoint}", "create": _submit_route(operation), "status": status_route(operation)},
    )


def _submit_route(operation: Operation) -> HTTPRouteHandler:
    examples = [Example(value=dict(operation.example))] if operation.example else None
    body = Annotated[operation.body, Body(examples=examples)]  # type: ignore[name-defined]

    @post(status_code=202, description=f"{operation.summary}. It needs a model that does {operation.needs.words}.")
    async def create(
        self: object,
        request: StrictRequest,
        data: body,
        submit_endpoint: NamedDependency[SubmitEndpoint],
        catalog: NamedDependency[Catalog],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[SubmittedAnswer]:
        translation = operation.translate(data)
        submitted = await submit_translated(request, operation, translation, submit_endpoint, idempotency_key)
        headers = {"Idempotency-Replayed": "true"} if submitted.repeated else {}
        answer = submitted_answer(submitted.job, operation.endpoint, _estimate(catalog, submitted.job))
        return Response(answer, headers=headers)

    return create


async def submit_translated(
    request: StrictRequest,
    operation: Operation,
    translation: Translation,
    submit_endpoint: SubmitEndpoint,
    idempotency_key: str | None,
) -> SubmittedJob:
    """Submit a translated body, or what it is otherwise. Raises `NoCapableModel` where no served model can do it."""
    try:
        return await submit_endpoint.submit(
            request,
            with_own_media(translation.params, submit_endpoint.settings),
            idempotency_key=idempotency_key,
            origin=Origin(dialect=NAME, tool=operation.endpoint, warnings=translation.warnings),
            defaults=translation.defaults,
        )
    except (NoModelAvailable, NotThisModel) as error:
        if translation.otherwise is None:
            raise _incapable(operation, f"No served model does {operation.needs.words}: {error.detail}") from error
    return await submit_translated(request, operation, translation.otherwise, submit_endpoint, idempotency_key)


def status_route(operation: Operation) -> HTTPRouteHandler:
    """Return the status route of a call: an attribute of its controller."""

    @get("/status/{job_id:str}", opt=SHOWS_JOB)
    async def status(
        self: object, request: StrictRequest, job_id: FromPath[str], status_builder: NamedDependency[StatusBuilder]
    ) -> ImagePipelineStatus:
        """Return the job as it is now."""
        view = shown_job(request)
        if view.job.modality != operation.needs.modality:
            raise UnknownJob
        return imagepipeline_status(view.job, status_builder.answer(view))

    return status


def _incapable(operation: Operation, sentence: str) -> NoCapableModel:
    return NoCapableModel(sentence, capability=operation.needs.words)


def _estimate(catalog: Catalog, job: Job) -> float:
    spec = next((spec for spec in catalog.models if spec.id == job.model), None)
    return 0.0 if spec is None else catalog_seconds(spec, workload_of_row(spec, job.params))
