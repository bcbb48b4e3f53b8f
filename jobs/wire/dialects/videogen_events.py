"""VideoGen: the events of its webhooks and their flat bodies, of executions that ended and of files."""

from collections.abc import Mapping, Sequence

import msgspec

from core.settings import Settings
from jobs.job import Job
from jobs.media import Media
from jobs.wire.dialects.videogen import (
    NO_FILES,
    ExecutionResult,
    Files,
    VideoGenError,
    error_of,
    execution_of,
)
from jobs.wire.dialects.videogen_files import MadeBy, VideoGenFile, file_of

TOOL_EVENTS: Mapping[str, str] = {
    "tool_execution.succeeded": "job.completed",
    "tool_execution.failed": "job.failed",
    "tool_execution.cancelled": "job.cancelled",
}
"""The events of executions, and those of jobs that may be their ends."""
UPLOADED, NOT_UPLOADED = "file.upload.completed", "file.upload.failed"
ANALYZED, NOT_ANALYZED = "file.analysis_completed", "file.analysis_failed"
DOWNLOADABLE, PLAYABLE = "file.download_ready", "file.playback_ready"
EVENT_NAMES = (
    *TOOL_EVENTS,
    *(UPLOADED, NOT_UPLOADED, PLAYABLE, DOWNLOADABLE, ANALYZED, NOT_ANALYZED),
    *(
        f"{subject}.{end}"
        for subject in ("workflow_run", "project_export", "assistant_message")
        for end in ("succeeded", "failed", "cancelled")
    ),
)
"""The events that an endpoint may be for. Those of what this service does not have never come."""
PLAYED = ("video", "audio")
"""The kinds of files that are played."""


class ExecutionEvent(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """The webhook of an execution that ended: `results` of one that succeeded, `error` of one that failed."""

    event: str
    occurred_at: int
    tool_execution_id: str
    tool_type: str
    results: list[ExecutionResult] | None = None
    error: VideoGenError | None = None


class FileEvent(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """The webhook of a file, as it is now; `error` says why one did not come or cannot be used."""

    event: str
    occurred_at: int
    file_id: str
    file: VideoGenFile
    error: VideoGenError | None = None


def job_events(events: Sequence[str]) -> list[str]:
    """Return the events of jobs after which one of `events` may be due.

    An execution ends with any of its jobs, and a job that completes has made files.
    """
    if any(event in TOOL_EVENTS for event in events):
        return list(TOOL_EVENTS.values())
    return [TOOL_EVENTS["tool_execution.succeeded"]] if {DOWNLOADABLE, PLAYABLE} & set(events) else []


def ready_events(kind: str | None) -> list[str]:
    """Return the events of a file of this kind that is there from now on."""
    return [DOWNLOADABLE, PLAYABLE] if kind in PLAYED else [DOWNLOADABLE]


def execution_event(jobs: Sequence[Job], settings: Settings, files: Files = NO_FILES) -> ExecutionEvent:
    """Return the webhook of an execution that ended."""
    execution = execution_of(jobs, settings, files)
    return ExecutionEvent(
        event=f"tool_execution.{execution.status}",
        occurred_at=int(max(job.finished_at or job.created_at for job in jobs).timestamp()),
        tool_execution_id=execution.tool_execution_id,
        tool_type=execution.tool_type,
        results=execution.results if execution.status == "succeeded" else None,
        error=execution.error,
    )


def file_event(event: str, seconds: float, media: Media, settings: Settings, made_by: MadeBy | None) -> FileEvent:
    """Return the webhook of an event that happened to a file at a time, in seconds since 1970."""
    file = file_of(media, settings, made_by)
    error = error_of(media.problem, "file_failed") if event == NOT_UPLOADED else None
    if event == NOT_ANALYZED:
        error = VideoGenError(message="Nothing was found out about this file.", code="analysis_failed")
    return FileEvent(event=event, occurred_at=int(seconds), file_id=file.file_id, file=file, error=error)
