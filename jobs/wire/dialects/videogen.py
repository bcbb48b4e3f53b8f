"""VideoGen: a tool execution and its results, as its routes answer them and its webhooks send them.

An execution is a job, or the jobs of a group. Times are whole seconds since 1970.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from core.settings import Settings
from jobs.job import Job, JobError, JobStatus
from jobs.media import Media
from jobs.wire.dialects.videogen_files import KINDS, LINK_SECONDS, MadeBy, VideoGenFile, file_of
from jobs.wire.status import OutputAnswer, QueueEstimate, status_answer

NAME = "videogen"
"""The dialect of the origin of its jobs."""
EXECUTION = "vg_exec_"
"""The prefix of the ids of executions; the UUID of a job follows."""
Files = Mapping[tuple[str, int], Media]
"""Items of the media library, by the job and the number of the output that each is."""
NO_FILES: Files = {}
STATUSES: Mapping[JobStatus, str] = {
    JobStatus.PENDING: "pending",
    JobStatus.QUEUED: "pending",
    JobStatus.PROCESSING: "running",
    JobStatus.COMPLETED: "succeeded",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELLED: "cancelled",
}
TOOL_OF: Mapping[str, str] = {
    "image": "GENERATE_IMAGE",
    "video": "GENERATE_VIDEO_CLIP",
    "speech": "TEXT_TO_SPEECH",
    "remove-background": "REMOVE_IMAGE_BACKGROUND",
    "vectorize": "VECTORIZE_IMAGE",
    "upscale": "UPSCALE_IMAGE",
    "avatar": "GENERATE_AVATAR",
    "sound": "GENERATE_SOUND_EFFECT",
    "music": "GENERATE_MUSIC",
}
"""The tool of a job whose origin names none, by its modality."""
MAIN_KIND: Mapping[str, str] = {
    "speech": "AUDIO",
    "sound": "AUDIO",
    "music": "AUDIO",
    "video": "VIDEO",
    "avatar": "VIDEO",
    "interpolate": "VIDEO",
}
"""The type of the outputs that are results, where a modality has others beside them, such as a waveform."""


class VideoGenRequirement(msgspec.Struct, frozen=True):
    """What a caller needs for a request that was refused with 403."""

    type: str
    details: dict[str, str] = {}


class VideoGenError(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The body of every error, and the error of an execution. `internalErrorCode` is the code of the native routes."""

    message: str
    code: str | None = None
    requirement: VideoGenRequirement | None = None
    internal_error_code: str | None = None


class ExecutionResult(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One result of an execution. `thumbnailUrl` and its time are null without a thumbnail."""

    file_id: str | None
    type: str
    download_url: str
    download_url_expires_at: int
    thumbnail_url: str | None = None
    thumbnail_url_expires_at: int | None = None
    file: VideoGenFile | None = None


class ToolExecution(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An execution. `results` is empty until it has succeeded, and `attemptIndex` counts from 0."""

    tool_execution_id: str
    status: str
    tool_type: str
    progress_percentage: int
    attempt_index: int
    results: list[ExecutionResult]
    error: VideoGenError | None


def execution_id(job: Job) -> str:
    """Return the id of the execution that a job belongs to."""
    return execution_name(job.origin.group or job.id)


def execution_name(job_id: str) -> str:
    """Return the id of the execution of this job, or of the group of this name."""
    return EXECUTION + job_id.removeprefix("job_")


def made_by(row: Any) -> MadeBy:
    """Return the execution and the tool of a job, a row of `statements.groups.makers`."""
    return MadeBy(execution_name(row.group or row.id), row.tool or tool_of(row.modality))


def tool_of(modality: str) -> str:
    """Return the tool that makes what a modality does."""
    return TOOL_OF.get(modality, modality.replace("-", "_").upper())


def execution_of(jobs: Sequence[Job], settings: Settings, files: Files = NO_FILES) -> ToolExecution:
    """Return the execution that these jobs are together, in the order of submit: one at least.

    `files` are the items that the outputs of the jobs are in the media library.
    """
    status = status_of(jobs)
    percent = int(100 * sum(job.progress for job in jobs) / len(jobs))
    failed = next((job for job in jobs if job.status is JobStatus.FAILED), None)
    return ToolExecution(
        tool_execution_id=execution_id(jobs[0]),
        status=status,
        tool_type=jobs[0].origin.tool or tool_of(jobs[0].modality),
        progress_percentage=100 if status == "succeeded" else min(max(percent, 0), 99),
        attempt_index=max(0, max(job.attempt for job in jobs) - 1),
        results=results_of(jobs, settings, files) if status == "succeeded" else [],
        error=error_of(failed.error) if failed is not None and status == "failed" else None,
    )


def status_of(jobs: Sequence[Job]) -> str:
    """Return the status of an execution in VideoGen's words.

    It ends when its last job does, as `failed` if one of them failed, else as `cancelled` if one was cancelled.
    """
    words = {STATUSES[job.status] for job in jobs}
    if words & {"pending", "running"}:
        return "pending" if words == {"pending"} else "running"
    return next(word for word in ("failed", "cancelled", "succeeded") if word in words)


def results_of(jobs: Sequence[Job], settings: Settings, files: Files) -> list[ExecutionResult]:
    """Return the results of jobs that have completed."""
    return [
        _result(job, output, files.get((job.id, number)), settings)
        for job in jobs
        for number, output in enumerate(status_answer(job, settings, QueueEstimate()).outputs)
        if MAIN_KIND.get(job.modality, _kind(output)) == _kind(output)
    ]


def _result(job: Job, output: OutputAnswer, media: Media | None, settings: Settings) -> ExecutionResult:
    """Return a result; an output that is in no library, which a version before has made, has no file."""
    if media is None:
        until = int(time.time()) + LINK_SECONDS
        return ExecutionResult(file_id=None, type=_kind(output), download_url=output.url, download_url_expires_at=until)
    file = file_of(media, settings, MadeBy(execution_id(job), job.origin.tool or tool_of(job.modality)))
    return ExecutionResult(
        file_id=file.file_id,
        type=_kind(output),
        download_url=output.url,
        download_url_expires_at=file.download_url_expires_at or 0,
        thumbnail_url=file.thumbnail_url,
        thumbnail_url_expires_at=file.thumbnail_url_expires_at,
        file=file,
    )


def error_of(error: JobError | None, code: str = "tool_failed") -> VideoGenError:
    """Return the error of a failed job, or with its own code that of a file."""
    if error is None:
        return VideoGenError(message="It failed; try it again.", code=code)
    return VideoGenError(message=error.message, code=code, internal_error_code=error.code)


def _kind(output: OutputAnswer) -> str:
    return KINDS.get(output.media_type.partition("/")[0], "TEXT")
