"""WhaleTools: a job as its answers and its callbacks show it."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from core.errors.unknown import OutputExpired
from core.settings import Settings
from jobs.job import Job, JobStatus
from jobs.params.registry import Modality
from jobs.wire.status import QueueEstimate, StatusAnswer, status_answer
from jobs.wire.values import UtcTime

NAME = "whaletools"
"""The dialect of the origin of its jobs."""
PREFIXES: Mapping[Modality, str] = {
    "image": "gen_img",
    "video": "gen_vid",
    "speech": "gen_voice",
    "remove-background": "gen_rbg",
    "text": "gen_txt",
}
"""What an id begins with, by the modality of its job."""
PATHS: Mapping[Modality, str] = {
    "image": "image",
    "video": "video",
    "speech": "voice",
    "remove-background": "remove-background",
    "text": "text",
}
"""The last part of a route's path."""


class ImageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A finished image."""

    id: str
    url: str
    model: str
    size: str
    created_at: UtcTime
    status: str = "completed"


class VideoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A finished video; `duration` is seconds."""

    id: str
    status: str
    url: str
    duration: float
    model: str
    created_at: UtcTime


class VoiceoverAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A finished recording."""

    id: str
    url: str
    duration_seconds: float
    model: str
    voice_id: str
    created_at: UtcTime
    status: str = "completed"


class BackgroundAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A finished cut-out; `original_url` is null where the image came as a `data:` URL."""

    id: str
    url: str
    format: str
    transparent: bool
    original_url: str | None
    created_at: UtcTime
    status: str = "completed"


class TextUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that the model has read, and that it has written."""

    input_tokens: int
    output_tokens: int


class CompletionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A finished text."""

    id: str
    text: str
    model: str
    usage: TextUsage
    created_at: UtcTime
    status: str = "completed"


class TextChunk(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a text that is being written; the last one has no text, and says what the whole took."""

    id: str
    text: str
    model: str | None = None
    usage: TextUsage | None = None
    created_at: UtcTime | None = None


class PendingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A generation that is not finished: when it may be, and where to look."""

    id: str
    status: str
    estimated_seconds: int | None
    poll_url: str
    model: str
    created_at: UtcTime


class FailedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A generation that ended without a result."""

    id: str
    status: str
    error: dict[str, Any]
    message: str
    model: str
    created_at: UtcTime


Made = ImageAnswer | VideoAnswer | VoiceoverAnswer | BackgroundAnswer | CompletionAnswer
Answer = Made | PendingAnswer | FailedAnswer


def generation_id(job: Job) -> str:
    """Return the id under which the dialect shows a job: the same digits behind its own prefix."""
    return f"{PREFIXES[job.modality]}_{job.id.removeprefix('job_')}"


def answer(job: Job, settings: Settings, *, estimate: float | None = None) -> Answer:
    """Return the answer of a job; raises `OutputExpired` once its files were removed."""
    if not job.status.terminal:
        return pending(job, estimate)
    if job.status is not JobStatus.COMPLETED:
        return failed(job)
    shown = status_answer(job, settings, QueueEstimate())
    if not shown.outputs or job.outputs_removed_at is not None:
        raise OutputExpired
    return _ANSWERS[job.modality](job, shown)


def pending(job: Job, estimate: float | None) -> PendingAnswer:
    """Return the answer of a job that goes on; the poll_url leads there from the base path and from the plain one."""
    shown = generation_id(job)
    return PendingAnswer(
        id=shown,
        status="processing",
        estimated_seconds=None if estimate is None else max(1, math.ceil(estimate)),
        poll_url=f"/v1/generate/{PATHS[job.modality]}/{shown}",
        model=asked_model(job),
        created_at=job.created_at,
    )


def failed(job: Job) -> FailedAnswer:
    """Return the answer of a job that ended without a result."""
    code, message = (job.error.code, job.error.message) if job.error else ("cancelled", "The job was cancelled.")
    return FailedAnswer(
        id=generation_id(job),
        status=str(job.status),
        error={"type": "generation_error", "message": message, "code": code},
        message=message,
        model=asked_model(job),
        created_at=job.created_at,
    )


def asked_model(job: Job) -> str:
    """Return the model's name as it was asked for, else that of the model that made it."""
    return job.origin.model or job.model


def _image(job: Job, shown: StatusAnswer) -> ImageAnswer:
    made = shown.outputs[0]
    return ImageAnswer(
        id=generation_id(job),
        url=made.url,
        model=asked_model(job),
        size=f"{made.width}x{made.height}",
        created_at=job.created_at,
    )


def _video(job: Job, shown: StatusAnswer) -> VideoAnswer:
    made = shown.outputs[0]
    return VideoAnswer(
        id=generation_id(job),
        status="completed",
        url=made.url,
        duration=made.duration_seconds or 0.0,
        model=asked_model(job),
        created_at=job.created_at,
    )


def _voiceover(job: Job, shown: StatusAnswer) -> VoiceoverAnswer:
    made = shown.outputs[0]
    return VoiceoverAnswer(
        id=generation_id(job),
        url=made.url,
        duration_seconds=made.duration_seconds or 0.0,
        model=asked_model(job),
        voice_id=job.origin.voice or f"voice_{job.model}",
        created_at=job.created_at,
    )


def _background(job: Job, shown: StatusAnswer) -> BackgroundAnswer:
    made = shown.outputs[0]
    source = str(job.params.get("image_url") or "")
    return BackgroundAnswer(
        id=generation_id(job),
        url=made.url,
        format=made.media_type.removeprefix("image/"),
        transparent=True,
        original_url=source if source.startswith(("http://", "https://")) else None,
        created_at=job.created_at,
    )


def _completion(job: Job, shown: StatusAnswer) -> CompletionAnswer:
    made = shown.outputs[0]
    return CompletionAnswer(
        id=generation_id(job),
        text=made.text or "",
        model=asked_model(job),
        usage=TextUsage(input_tokens=made.input_tokens or 0, output_tokens=made.output_tokens or 0),
        created_at=job.created_at,
    )


_ANSWERS: Mapping[str, Callable[[Job, StatusAnswer], Answer]] = {
    "image": _image,
    "video": _video,
    "speech": _voiceover,
    "remove-background": _background,
    "text": _completion,
}


class WhaleCallback(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a callback; `type` is the kind of what was made and how it ended: `video.completed`."""

    id: str
    type: str
    created_at: UtcTime
    data: dict[str, Any]


def callback_body(message_id: str, happened_at: datetime, job: Job, settings: Settings) -> WhaleCallback:
    """Return the callback of a job: its answer as it is now, and what kind of object that is."""
    kind = PATHS[job.modality].replace("-", "_") if job.modality in PATHS else str(job.modality)
    try:
        shown: dict[str, Any] = msgspec.to_builtins(answer(job, settings))
    except OutputExpired:  # a late attempt, whose files are gone
        shown = {"id": generation_id(job), "status": str(job.status), "url": None, "model": asked_model(job)}
    return WhaleCallback(
        id=message_id,
        type=f"{kind}.{job.status}",
        created_at=happened_at.astimezone(UTC),
        data={"object": kind, **shown},
    )
