"""ImagePipeline: the body of a callback, and the reasons why a job failed, which its status answer has too."""

from collections.abc import Mapping

import msgspec

from core.errors.failures import (
    AttemptsExhausted,
    DeadlineExceeded,
    EncodeFailed,
    EngineLost,
    GpuOutOfMemory,
    InputUnreachable,
    LicenseRefused,
    ModelLoadFailed,
    NoBackgroundRemoval,
    NoSoundModel,
    NoTextModel,
    NotFinite,
    PipelineFailed,
    StageDeadlineExceeded,
    WeightsNotLocked,
)
from core.errors.fields import ForbiddenUrl, InvalidRequest
from core.errors.inputs import InputTooLarge, InputUnreadable, UnknownInput, UnsupportedMedia
from core.errors.limits import BudgetExhausted
from core.errors.unavailable import StorageUnavailable
from core.settings import Settings
from jobs.job import Job, JobStatus
from jobs.wire.status import QueueEstimate, status_answer

NAME = "imagepipeline"
"""The dialect of the origin of its jobs."""
CANCELLED = "CANCELLED"
CANCELLED_TEXT = "The job was cancelled; submit it again if you still need it."
INTERNAL, INPUT_INVALID = "INTERNAL_ERROR", "INPUT_INVALID"
RETRYABLE = frozenset({"MODEL_ERROR", "MODEL_UNAVAILABLE", "STORAGE_ERROR", "TIMEOUT", INTERNAL})
"""Of the reasons given here, those after which the same request may succeed."""

_CLASSES: Mapping[str, tuple[type, ...]] = {
    INPUT_INVALID: (
        *(InvalidRequest, InputUnreachable, ForbiddenUrl, UnknownInput),
        *(UnsupportedMedia, InputTooLarge, InputUnreadable),
    ),
    "MODEL_ERROR": (PipelineFailed, NotFinite, GpuOutOfMemory),
    "MODEL_UNAVAILABLE": (
        ModelLoadFailed,
        WeightsNotLocked,
        LicenseRefused,
        NoBackgroundRemoval,
        NoSoundModel,
        NoTextModel,
    ),
    "STORAGE_ERROR": (StorageUnavailable,),
    "TIMEOUT": (StageDeadlineExceeded, DeadlineExceeded),
    "INSUFFICIENT_CREDITS": (BudgetExhausted,),
    INTERNAL: (EncodeFailed, EngineLost, AttemptsExhausted),
}
_REASONS = {error.code: reason for reason, errors in _CLASSES.items() for error in errors}  # type: ignore[attr-defined]


class FailureReason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job ended without a result: a sentence, one of ImagePipeline's codes, and whether a retry may succeed."""

    error: str
    failure_reason_code: str
    retryable: bool


class ImagePipelineCallback(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of ImagePipeline's callback, sent once when a job ends; `timestamp` is the end in Unix seconds.

    `result_url` and the two beside it belong to `completed`, the last three fields to `failed`.
    """

    job_id: str
    user_id: str
    status: str
    timestamp: int
    result_url: str | None = None
    result_mime_type: str | None = None
    result_size_bytes: int | None = None
    error: str | None = None
    failure_reason_code: str | None = None
    retryable: bool | None = None


def failure_reason(job: Job) -> FailureReason | None:
    """Return why a job ended without a result; None for any other job. A cancelled job is one of them."""
    if job.status is JobStatus.CANCELLED:
        return FailureReason(error=CANCELLED_TEXT, failure_reason_code=CANCELLED, retryable=False)
    if job.status is not JobStatus.FAILED:
        return None
    code, sentence = (job.error.code, job.error.message) if job.error else ("", "The job failed; submit it again.")
    reason = _REASONS.get(code, INTERNAL)
    return FailureReason(error=sentence, failure_reason_code=reason, retryable=reason in RETRYABLE)


def callback_body(job: Job, settings: Settings) -> ImagePipelineCallback:
    """Return the callback of a job that has ended; its client knows no other end than completed and failed."""
    answer = status_answer(job, settings, QueueEstimate())
    first = answer.outputs[0] if answer.outputs else None
    reason = failure_reason(job)
    return ImagePipelineCallback(
        job_id=job.id,
        user_id=job.tenant,
        status="completed" if reason is None else "failed",
        timestamp=int((job.finished_at or job.created_at).timestamp()),
        result_url=first.url if first else None,
        result_mime_type=first.media_type if first else None,
        result_size_bytes=first.bytes if first else None,
        error=reason.error if reason else None,
        failure_reason_code=reason.failure_reason_code if reason else None,
        retryable=reason.retryable if reason else None,
    )
