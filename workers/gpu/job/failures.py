"""What ends an attempt early, and what becomes of the job then: failed, lost, or handed back."""

import logging

from core.errors import (
    AttemptsExhausted,
    EngineLost,
    InputUnreachable,
    JobFailed,
    StageDeadlineExceeded,
    StorageUnavailable,
)
from jobs.job import Job, JobError
from workers.gpu.job.cancellation import JobUnwanted
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.job_store import JobStore
from workers.ipc.child_process import ChildProcessDied, StageOverran
from workers.ipc.messages import Failed

log = logging.getLogger(__name__)


class RequestFailed(Exception):
    """The engine or the encoder answered that it could not do the job."""

    def __init__(self, answer: Failed) -> None:
        super().__init__(f"{answer.error.code}: {answer.error.message}")
        self.error = answer.error
        self.fatal = answer.fatal
        """Whether the process, and not the job, is the cause."""


EARLY_ENDS = (
    JobUnwanted,
    RequestFailed,
    StageOverran,
    ChildProcessDied,
    InputUnreachable,
    StorageUnavailable,
)


def settle(claimed: ClaimedJob, error: Exception, job_store: JobStore, retry_seconds: float) -> Job | None:
    """Write what one of `EARLY_ENDS` makes of the job; returns the job as it then is, None when the claim was gone.

    A job whose store is away is queued again, for `retry_seconds` later.
    """
    job = claimed.job
    if not isinstance(error, JobUnwanted):
        log.error("job: attempt ended early job=%s reason=%r", job.id, str(error))
    match error:
        case RequestFailed(fatal=False):
            return job_store.fail(job, error.error)
        case RequestFailed():
            return job_store.lose(job, _last_error(AttemptsExhausted, error.error.message))
        case StageOverran():
            return job_store.lose(job, _last_error(StageDeadlineExceeded, f"{error}."))
        case ChildProcessDied() if not claimed.cancellation.is_set:
            kind = EngineLost if error.name == "engine" else AttemptsExhausted
            return job_store.lose(job, _last_error(kind, f"{error}."))
        case JobUnwanted() | ChildProcessDied():
            return None if claimed.cancellation.claim_is_gone else job_store.release(job)
        case StorageUnavailable(full=False):
            return job_store.release(job, delay=retry_seconds)
        case InputUnreachable() | StorageUnavailable():
            return job_store.fail(job, JobError(error.code, error.detail))
    raise error


def _last_error(kind: type[JobFailed], cause: str) -> JobError:
    """Return the error of a job whose last attempt is lost."""
    return JobError(kind.code, f"{kind.advice} The last attempt: {cause}")
