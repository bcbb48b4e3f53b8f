"""OpenAI: jobs as the answers of its wire format show them, in the API and in the output of a batch."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from core.errors.fields import InvalidRequest
from core.errors.tree import all_errors
from core.settings import Settings
from jobs.job import Artifact, Job, JobStatus
from jobs.wire.status import QueueEstimate, status_answer

NAME = "openai"
"""The dialect of the origin of its jobs."""
VIDEO = "video"
"""What the id of a video begins with."""
CANCELLED = ("cancelled", "The job was cancelled.")
VIDEO_STATES = {
    JobStatus.PENDING: "queued",
    JobStatus.QUEUED: "queued",
    JobStatus.PROCESSING: "in_progress",
    JobStatus.COMPLETED: "completed",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELLED: "failed",
}
"""Its words for states; clients stop polling at any other."""

ERROR_TYPES: Mapping[int, str] = {403: "permission_error", 429: "rate_limit_error"}
"""Types of errors by status, where they are neither the usual one of the caller nor that of the server."""
QUOTA = "insufficient_quota"

ReadArtifact = Callable[[Artifact], bytes]


class OpenAIError(msgspec.Struct, frozen=True, kw_only=True):
    """An error; `code` is the stable one of this service, or OpenAI's where clients test for it."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of an answer that is an error."""

    error: OpenAIError


class ImageData(msgspec.Struct, frozen=True, omit_defaults=True):
    """One image: base64 of its file, or a link to it, and the prompt that a text model wrote for it."""

    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None


class ImageUsage(msgspec.Struct, frozen=True):
    """Tokens, of which images cost none here."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: dict[str, int] = msgspec.field(default_factory=lambda: {"text_tokens": 0, "image_tokens": 0})


class OpenAIImagesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Finished images; `size` is what was made."""

    created: int
    data: list[ImageData]
    size: str
    quality: str
    output_format: str
    background: Literal["opaque"] = "opaque"
    usage: ImageUsage = ImageUsage()


class OpenAIVideo(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="video"):
    """A video, finished or not; times are seconds since 1970 and `progress` is per cent."""

    id: str
    status: str
    progress: int
    created_at: int
    completed_at: int | None
    expires_at: int | None
    model: str
    seconds: str
    size: str
    prompt: str | None
    error: dict[str, str] | None
    remixed_from_video_id: str | None = None


def images_answer(
    jobs: Sequence[Job], settings: Settings, *, quality: str, read: ReadArtifact | None
) -> OpenAIImagesAnswer:
    """Return the answer of completed jobs: the files themselves where they can be `read`, else links.

    Their outputs must be there.
    """
    data: list[ImageData] = []
    for job in jobs:
        shown = status_answer(job, settings, QueueEstimate()).outputs
        for artifact, output in zip(job.artifacts, shown, strict=True):
            if read is None:
                data.append(ImageData(url=output.url, revised_prompt=job.revised_prompt))
            else:
                file = base64.b64encode(read(artifact)).decode()
                data.append(ImageData(b64_json=file, revised_prompt=job.revised_prompt))
    first = jobs[0].artifacts[0]
    return OpenAIImagesAnswer(
        created=int(jobs[0].created_at.timestamp()),
        data=data,
        size=f"{first.metadata.get('width')}x{first.metadata.get('height')}",
        quality=quality,
        output_format=first.media_type.removeprefix("image/"),
    )


def video_answer(job: Job) -> OpenAIVideo:
    """Return the answer of a job that makes a video."""
    params: dict[str, Any] = job.params  # retention may have emptied it
    code, message = failure_of(job)
    failed = VIDEO_STATES[job.status] == "failed"
    return OpenAIVideo(
        id=video_id(job),
        status=VIDEO_STATES[job.status],
        progress=100 if job.status is JobStatus.COMPLETED else int(100 * job.progress),
        created_at=int(job.created_at.timestamp()),
        completed_at=None if job.finished_at is None or failed else int(job.finished_at.timestamp()),
        expires_at=None if job.outputs_removed_at is None else int(job.outputs_removed_at.timestamp()),
        model=job.origin.model or job.model,
        seconds=f"{float(params.get('duration_seconds', 2.0)):g}",
        size=f"{params.get('width', 896)}x{params.get('height', 512)}",
        prompt=params.get("prompt"),
        error={"code": code, "message": message} if failed else None,
    )


def error_body(status: int, message: str, code: str, param: str | None = None) -> ErrorBody:
    """Return the body of an answer of this status that is an error."""
    type_ = QUOTA if code == QUOTA else ERROR_TYPES.get(status)
    type_ = type_ or ("server_error" if status >= 500 else "invalid_request_error")
    return ErrorBody(OpenAIError(message=message, type=type_, param=param, code=code))


def failure_status(code: str) -> int:
    """Return the status of the answer of a failed job: 400 where its input was at fault, else 500."""
    faults = {error.code for error in all_errors(InvalidRequest)} | {"input_unreachable"}
    return 400 if code in faults else 500


def failure_of(job: Job) -> tuple[str, str]:
    """Return the code and the sentence of a job that ended without a result."""
    return (job.error.code, job.error.message) if job.error is not None else CANCELLED


def video_id(job: Job) -> str:
    """Return the id under which a job that makes a video is shown."""
    return f"{VIDEO}_{job.id.removeprefix('job_')}"
