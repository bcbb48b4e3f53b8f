"""Answers about jobs, other than the status answer itself."""

from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from jobs.job import Job, JobStatus
from jobs.params.media import media_of
from jobs.wire.status import StatusAnswer
from jobs.wire.values import UtcTime
from jobs.wire.wait_reasons import Waiting


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted job. Poll `status_url`, or follow `events_url`; both are paths, as callers reach them.

    `waiting_for` says that no server serves its model at present, so that it waits for one.
    """

    job_id: str
    status: JobStatus
    modality: str
    model: str
    seed: int | None
    status_url: str
    events_url: str
    created_at: UtcTime
    waiting_for: Waiting | None = None


class AcceptedJobs(msgspec.Struct, frozen=True):
    """Accepted jobs, in the order of the request."""

    jobs: list[Accepted]


class QueueState(msgspec.Struct, frozen=True):
    """Whether jobs of the tenant are started: `paused_at` is since when they are not, null while they are."""

    paused_at: UtcTime | None


class ListedJob(StatusAnswer, frozen=True, kw_only=True):
    """A job of a list: its status answer, and what it was asked for in a line.

    `title` is the beginning of its prompt or text, else the name of its first file; null where it has neither, and
    once the retention of prompts has removed it. It is in no event and in no webhook.
    """

    title: str | None = None


class JobPage(msgspec.Struct, frozen=True):
    """Jobs, newest first; `next_cursor` is null on the last page."""

    jobs: list[ListedJob]
    next_cursor: str | None


class WaitReason(msgspec.Struct, frozen=True):
    """What a job waits for, in the words of an API that may be newer than the client."""

    code: str
    message: str


class ProgressEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that a client reads from any event of a job's stream.

    The API sends a status answer, a `JobEvent` or a `DeletedEvent`; each has `status`, and not all have the others.
    `progress` is 0 to 1.
    """

    status: str
    progress: float = 0.0
    stage: str | None = None
    queue_position: int | str | None = None
    waiting_for: WaitReason | None = None


class DeletedEvent(msgspec.Struct, frozen=True):
    """The last event of a job that was deleted while a client followed it."""

    job_id: str
    status: JobStatus = JobStatus.CANCELLED


TITLE_CHARS = 120


def listed(job: Job, answer: StatusAnswer) -> ListedJob:
    """Return a job as a list has it, of its status answer."""
    return ListedJob(**msgspec.structs.asdict(answer), title=title_of(job))


def title_of(job: Job) -> str | None:
    """Return what a job was asked for, at most `TITLE_CHARS` characters on a line; None where it has no words."""
    words = job.params.get("prompt") or job.params.get("text") or _asked_in_chat(job.params)
    if not words and job.params:
        words = next((name for medium in media_of(job.read_params()) if (name := _file_name(medium.source))), None)
    if not words:
        return None
    return " ".join(words[: 4 * TITLE_CHARS].split())[:TITLE_CHARS] or None


def _asked_in_chat(params: dict[str, Any]) -> str | None:
    """Return the last message of a chat, or the name of a template and what stands in it."""
    if params.get("messages"):
        return str(params["messages"][-1]["content"])
    return " ".join([params["template"], *params["variables"].values()]) if params.get("template") else None


def _file_name(source: str) -> str:
    """Return the last part of a URL's path; "" for what has no name of its own."""
    if not source.startswith(("http://", "https://")):
        return ""
    return unquote(urlsplit(source).path.rstrip("/").rpartition("/")[2])
