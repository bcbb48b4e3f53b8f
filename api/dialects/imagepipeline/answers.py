"""A job as ImagePipeline's client reads it."""

import hashlib
from datetime import datetime
from math import ceil
from typing import Any

import msgspec

from jobs.job import Job, JobStatus
from jobs.params.cutout import CutoutParams
from jobs.wire.dialects.imagepipeline import CANCELLED, failure_reason
from jobs.wire.status import OutputAnswer, StatusAnswer
from jobs.wire.values import UtcTime


class SubmittedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a submit."""

    job_id: str
    status: JobStatus
    endpoint: str
    estimated_time_seconds: int
    queued_at: UtcTime


class ImagePipelineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A job. `progress` is 0 to 100, `error` a sentence; `result_url` is null until the job is completed.

    A cancelled job is `failed` with the reason CANCELLED, since the client waits on for any other word. `cutout_url` is
    the transparent picture of background removal. `palette_distance` is that of `OutputAnswer`.
    """

    job_id: str
    status: str
    endpoint: str
    progress: int
    result_url: str | None
    result_urls: list[str]
    result_mime_type: str | None
    cutout_url: str | None
    error: str | None
    error_code: str | None
    failure_reason_code: str | None
    retryable: bool | None
    warnings: list[str]
    prompt_hash: str | None
    revised_prompt: str | None
    queue_position: int | None
    estimated_time_seconds: int | None
    queue_wait_seconds: float | None
    inference_time_seconds: float | None
    processing_time_seconds: float | None
    total_elapsed_seconds: float | None
    cost_usd: float | None
    balance_remaining_usd: float | None
    palette_distance: float | None
    palette_distance_before: float | None
    seed: int | None
    model: str
    created_at: UtcTime
    started_at: UtcTime | None
    completed_at: UtcTime | None


def submitted_answer(job: Job, endpoint: str, estimated_seconds: float) -> SubmittedAnswer:
    """Return the answer to a submit; `estimated_seconds` are what it takes by the catalog."""
    return SubmittedAnswer(
        job_id=job.id,
        status=job.status,
        endpoint=endpoint,
        estimated_time_seconds=ceil(estimated_seconds),
        queued_at=job.created_at,
    )


def imagepipeline_status(job: Job, answer: StatusAnswer) -> ImagePipelineStatus:
    """Return the job; `answer` is its native status."""
    result, cutout = _results(job, answer.outputs)
    reason = failure_reason(job)
    first = answer.outputs[0] if answer.outputs else None
    return ImagePipelineStatus(
        job_id=job.id,
        status="failed" if reason else job.status.value,
        endpoint=job.origin.tool or "",
        progress=100 if job.status is JobStatus.COMPLETED else round(100 * job.progress),
        result_url=result,
        result_urls=[output.url for output in answer.outputs],
        result_mime_type=first.media_type if first else None,
        cutout_url=cutout,
        error=reason.error if reason else None,
        error_code=None if reason is None else (job.error.code.upper() if job.error else CANCELLED),
        failure_reason_code=reason.failure_reason_code if reason else None,
        retryable=reason.retryable if reason else None,
        warnings=[*job.origin.warnings, *job.warnings],
        prompt_hash=_hash(job.params),
        revised_prompt=job.revised_prompt,
        queue_position=_position(answer.queue_position),
        estimated_time_seconds=None if answer.estimated_seconds is None else ceil(answer.estimated_seconds),
        queue_wait_seconds=_seconds(job.created_at, job.started_at),
        inference_time_seconds=answer.processing_time_seconds,
        processing_time_seconds=answer.processing_time_seconds,
        total_elapsed_seconds=_seconds(job.created_at, job.finished_at),
        cost_usd=job.cost if job.status is JobStatus.COMPLETED else None,
        balance_remaining_usd=answer.balance_remaining_usd,
        palette_distance=first.palette_distance if first else None,
        palette_distance_before=first.palette_distance_before if first else None,
        seed=job.seed,
        model=job.model,
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.finished_at,
    )


def _results(job: Job, outputs: list[OutputAnswer]) -> tuple[str | None, str | None]:
    """Return the result and the cut-out: the client takes none without a color for a result."""
    if not outputs:
        return None, None
    if job.modality != "remove-background" or not job.params:
        return outputs[0].url, None
    params = job.read_params()
    assert isinstance(params, CutoutParams)
    if params.background_color is None:
        return None, outputs[0].url
    return outputs[0].url, outputs[1].url if len(outputs) > 1 else None


def _position(position: int | str | None) -> int | None:
    return int(position.rstrip("+")) if isinstance(position, str) else position


def _seconds(start: datetime, end: datetime | None) -> float | None:
    return None if end is None else round(max(0.0, (end - start).total_seconds()), 3)


def _hash(params: dict[str, Any]) -> str | None:
    prompt = params.get("prompt") or params.get("text")
    return hashlib.sha256(prompt.encode()).hexdigest() if isinstance(prompt, str) else None
