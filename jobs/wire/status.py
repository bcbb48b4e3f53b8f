"""The status answer: a job as status routes, event streams and webhooks show it."""

from typing import Any, Literal

import msgspec

from core.settings import Settings
from jobs.job import REVISED_PROMPT, Artifact, Job, JobBackend, JobError, JobStatus
from jobs.previews import Preview
from jobs.wire.links import signed_link
from jobs.wire.values import UtcTime
from jobs.wire.wait_reasons import Waiting


class PreviewAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A small copy of an output: a stable link and what is behind it; sides are in pixels."""

    name: str
    url: str
    media_type: str
    bytes: int
    width: int | None = None
    height: int | None = None


class OutputAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One output: a stable link and what is behind it; `name` is the file name that the caller chose.

    `thumbnail_url` is the link of the preview of that name. Of an image with a palette, `palette_distance` is the mean
    distance of its pixels to the nearest color of it (CIE76; 2.3 is just visible), and `palette_distance_before` what
    it was before the colors were moved.

    Of a text, `text` is all of it (null above 100,000 characters: then it is in the file alone), `input_tokens` what
    the model has read and `output_tokens` what it has written; `finish_reason` is `stop` where it ended by itself or at
    a stop sequence, `length` where `max_tokens` ended it. Of a transcript, `language` is the code of what is spoken.
    Of an enlarged picture or film, and of a film with more frames, `method` is what drew it. With `enhance_prompt`,
    `revised_prompt` is what the text model made of the prompt.
    """

    url: str
    media_type: str
    bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    name: str | None = None
    thumbnail_url: str | None = None
    previews: list[PreviewAnswer] = []
    palette_distance: float | None = None
    palette_distance_before: float | None = None
    text: str | None = None
    language: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    finish_reason: Literal["stop", "length"] | None = None
    method: str | None = None
    revised_prompt: str | None = None


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A job as its owner sees it (contract C7-C11 and the native extras). `progress` is 0 to 1, times are UTC.

    `price_usd` is what it costs at most, and is reserved until its end; `cost_usd` is what it did cost, 0 unless it is
    completed, and `credits` is the same in credits. `gpu_seconds` is the time that it computed, `load_seconds` that in
    which its model was loaded, of all attempts.

    `balance_remaining_usd` is what the key may still spend on further jobs: of its tenant's budget and of its own,
    without what completed jobs have cost and what is reserved for unfinished ones. It is null without a budget.

    `outputs_removed_at` is the time at which the outputs of a completed job were removed, after their retention. A
    failed job that was redriven names the new job in `redriven_as`; that names it in `redrive_of`.

    `backend` is who has the job or made it, and why; null before it was started.
    """

    job_id: str
    status: JobStatus
    modality: str
    model: str
    progress: float
    stage: str | None
    queue_position: int | str | None
    waiting_for: Waiting | None = None
    estimated_seconds: float | None
    result_url: str | None
    outputs: list[OutputAnswer]
    warnings: list[str]
    error: JobError | None
    processing_time_seconds: float | None
    balance_remaining_usd: float | None
    server_id: str | None
    seed: int | None
    attempt: int
    created_at: UtcTime
    started_at: UtcTime | None
    finished_at: UtcTime | None
    outputs_removed_at: UtcTime | None = None
    redrive_of: str | None = None
    redriven_as: str | None = None
    labels: dict[str, str] = {}
    price_usd: float | None = None
    cost_usd: float = 0.0
    credits: float = 0.0
    gpu_seconds: float = 0.0
    load_seconds: float = 0.0
    backend: JobBackend | None = None


class QueueEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a row does not hold: position in the queue, reason to wait, seconds to go, dollars left."""

    queue_position: int | str | None = None
    waiting_for: Waiting | None = None
    estimated_seconds: float | None = None
    balance_remaining_usd: float | None = None


def status_answer(job: Job, settings: Settings, estimate: QueueEstimate) -> StatusAnswer:
    """Return the answer for a job; `server_id` is the server that runs or ran it, else the one it asks for."""
    outputs = [_output(job, number, artifact, settings) for number, artifact in enumerate(job.artifacts)]
    return StatusAnswer(
        job_id=job.id,
        status=job.status,
        modality=job.modality,
        model=job.model,
        progress=job.progress,
        stage=job.stage,
        queue_position=estimate.queue_position,
        waiting_for=estimate.waiting_for,
        estimated_seconds=estimate.estimated_seconds,
        result_url=outputs[0].url if outputs else None,
        outputs=outputs,
        warnings=list(job.warnings),
        error=job.error,
        processing_time_seconds=processing_seconds(job),
        balance_remaining_usd=estimate.balance_remaining_usd,
        server_id=job.worker or job.server_id,
        seed=job.seed,
        attempt=job.attempt,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        outputs_removed_at=job.outputs_removed_at,
        redrive_of=job.redrive_of,
        redriven_as=job.redriven_as,
        labels=job.labels,
        price_usd=job.price_usd,
        cost_usd=job.cost,
        credits=round(job.cost / settings.credit_usd, 6),
        gpu_seconds=job.gpu_seconds,
        load_seconds=job.load_seconds,
        backend=job.made_by,
    )


def processing_seconds(job: Job) -> float | None:
    """Return the seconds from the last claim to the end; None before the end, or for a job that never ran."""
    if job.started_at is None or job.finished_at is None:
        return None
    return round((job.finished_at - job.started_at).total_seconds(), 3)


def output_path(job_id: str, number: int, extension: str) -> str:
    """Return the path of the stable link of an output."""
    return f"/o/{job_id}/{number}.{extension}"


def preview_path(job_id: str, number: int, preview: Preview) -> str:
    """Return the path of the stable link of a preview."""
    return f"/o/{job_id}/{number}-{preview.name}.{preview.key.rpartition('.')[2]}"


def _output(job: Job, number: int, artifact: Artifact, settings: Settings) -> OutputAnswer:
    path = output_path(job.id, number, artifact.key.rpartition(".")[2])
    facts: dict[str, Any] = {
        name: artifact.metadata.get(name)
        for name in (
            *("width", "height", "duration_seconds", "name"),
            *("palette_distance", "palette_distance_before", "method", REVISED_PROMPT),
            *("text", "language", "input_tokens", "output_tokens", "finish_reason"),
        )
    }
    previews = [_preview(job, number, preview, settings) for preview in artifact.previews]
    return OutputAnswer(
        url=signed_link(settings, path),
        media_type=artifact.media_type,
        bytes=artifact.bytes,
        sha256=artifact.sha256,
        thumbnail_url=next((preview.url for preview in previews if preview.name == "thumbnail"), None),
        previews=previews,
        **facts,
    )


def _preview(job: Job, number: int, preview: Preview, settings: Settings) -> PreviewAnswer:
    path = preview_path(job.id, number, preview)
    return preview_answer(preview, signed_link(settings, path))


def preview_answer(preview: Preview, url: str) -> PreviewAnswer:
    """Return a preview as callers see it, with its link."""
    return PreviewAnswer(
        name=preview.name,
        url=url,
        media_type=preview.media_type,
        bytes=preview.bytes,
        width=preview.width,
        height=preview.height,
    )
