"""The `webhooks` section of the OpenAPI document: what the service sends to `callback_url`s and endpoints."""

from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    PathItem,
    Reference,
    RequestBody,
)
from litestar.openapi.spec.enums import OpenAPIType
from litestar.openapi.spec.schema import Schema

from api.openapi.schemas import REF, Verbatim
from core.errors.failures import GpuOutOfMemory
from jobs.chains.answer import ChainAnswer, ChainEvent, ChainStepAnswer
from jobs.job import JobError, JobStatus
from jobs.wire.status import OutputAnswer, StatusAnswer
from jobs.wire.webhooks import EVENTS, ChainEventType, WebhookEvent, WebhookTest, WebhookTestData

TEST = "webhook.test"
AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
LINK = "https://atelier.example/o/job_019acf8a00007d1e9c4b3a2f1e0d9c8b/0.webp?signature=9f2c"
STRUCTS = (WebhookEvent, ChainEvent, WebhookTest)
HEADERS = {
    "webhook-id": "The id of the delivery, the same at every attempt: what you have seen already, ignore.",
    "webhook-timestamp": "Seconds since 1970 at this attempt; refuse what is older than some minutes.",
    "webhook-signature": "`v1,` and the base64 of HMAC-SHA256 over id, timestamp and body, joined by dots; after a "
    "rotation two of them, apart by a space.",
}
"""Those of Standard Webhooks 1.0."""
SUMMARIES = {
    "job.queued": "A job is queued",
    "job.started": "A job has started",
    "job.completed": "A job is completed",
    "job.failed": "A job has failed",
    "job.cancelled": "A job was cancelled",
    "chain.completed": "A chain is completed",
    "chain.failed": "A chain has failed",
    "chain.cancelled": "A chain was cancelled",
    TEST: "A test",
}
CHAIN_EVENTS = get_args(ChainEventType)
NOTES = {
    **dict.fromkeys(CHAIN_EVENTS, "To the chain's `callback_url`, and to endpoints."),
    TEST: "What `POST /webhooks/v1/{webhook_id}/test` sends.",
    "job.queued": "Only to endpoints. `data` may already say more than the type does.",
    "job.started": "Only to endpoints. `data` may already say more than the type does.",
}
ANSWERS = {
    "2XX": "Received. Answer within 15 seconds.",
    "410": "The endpoint is disabled, and receives nothing more.",
    "default": "Sent again, ten times within three days; `Retry-After` is honored. Redirects are not followed.",
}


def webhooks() -> dict[str, PathItem | Reference]:
    """Return what is sent for each type of event, by its name."""
    return {type_: PathItem(post=_operation(type_)) for type_ in (*EVENTS, TEST)}


def _operation(type_: str) -> Operation:
    struct = WebhookTest if type_ == TEST else ChainEvent if type_ in CHAIN_EVENTS else WebhookEvent
    words = "".join(word.title() for word in type_.replace("webhook.", "").split("."))
    body = Schema(
        all_of=[Reference(ref=REF.format(name=struct.__name__)), Schema(properties={"type": Schema(const=type_)})],
        examples=[Verbatim(_example(type_))],
    )
    return Operation(
        operation_id=f"on{words}",
        tags=["Webhooks"],
        summary=SUMMARIES[type_],
        description=NOTES.get(type_, "To the job's `callback_url`, and to endpoints."),
        security=[{}],
        parameters=[
            Parameter(
                name=name, param_in="header", required=True, description=text, schema=Schema(type=OpenAPIType.STRING)
            )
            for name, text in HEADERS.items()
        ],
        request_body=RequestBody(content={"application/json": OpenAPIMediaType(schema=body)}, required=True),
        responses={status: OpenAPIResponse(description=text) for status, text in ANSWERS.items()},
    )


def _example(type_: str) -> Any:
    """Return the body of an event, as the worker would send it."""
    if type_ == TEST:
        return msgspec.to_builtins(WebhookTest(type_, AT, WebhookTestData("whk_019acf8a00007c3b8f5e2d4a6b7c8d9e")))
    state = type_.partition(".")[2]
    job = _example_job(JobStatus.PROCESSING if state == "started" else JobStatus(state))
    if type_ in CHAIN_EVENTS:
        return msgspec.to_builtins(ChainEvent(type_, AT, _example_chain(job)))
    return msgspec.to_builtins(WebhookEvent(type_, AT, job))


def _example_chain(job: StatusAnswer) -> ChainAnswer:
    """Return a chain of one step, which ended it."""
    return ChainAnswer(
        chain_id="chn_019acf8a00007f5a8d6c4b2e0f1a3c5d",
        status=job.status.value,  # type: ignore[arg-type]
        progress=job.progress,
        steps=[ChainStepAnswer(name="picture", waits_for=[], job=job)],
        failed_step="picture" if job.error else None,
        error=job.error,
        result_url=job.result_url,
        outputs=job.outputs,
        price_usd=0.0,
        cost_usd=0.0,
        created_at=AT,
        finished_at=AT,
    )


def _example_job(status: JobStatus) -> StatusAnswer:
    completed, ended = status is JobStatus.COMPLETED, status.terminal
    output = OutputAnswer(url=LINK, media_type="image/webp", bytes=48_213, sha256="5f" * 32, width=1024, height=1024)
    return StatusAnswer(
        job_id="job_019acf8a00007d1e9c4b3a2f1e0d9c8b",
        status=status,
        modality="image",
        model="flux2-klein-4b",
        progress=1.0 if completed else 0.0,
        stage=None,
        queue_position=1 if status is JobStatus.QUEUED else None,
        estimated_seconds=None,
        result_url=LINK if completed else None,
        outputs=[output] if completed else [],
        warnings=[],
        error=JobError(GpuOutOfMemory.code, GpuOutOfMemory.advice) if status is JobStatus.FAILED else None,
        processing_time_seconds=2.1 if ended else None,
        balance_remaining_usd=None,
        server_id="gpu-1",
        seed=42,
        attempt=0 if status is JobStatus.QUEUED else 1,
        created_at=AT,
        started_at=None if status is JobStatus.QUEUED else AT,
        finished_at=AT if ended else None,
    )
