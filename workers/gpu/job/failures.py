"""What ends an attempt early, and what becomes of the job then: failed, lost, or handed back."""

import logging

from core.errors.failures import AttemptsExhausted, EngineLost, InputUnreachable, JobFailed, StageDeadlineExceeded
from core.errors.unavailable import StorageUnavailable
from jobs.job import NO_TIME, Job, JobError
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


class OutputsRefused(Exception):
    """The store is full, or did not take the job's outputs in time."""

    def __init__(self, refusal: StorageUnavailable) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


class SharedRunFailed(Exception):
    """A run of several jobs failed, and any of them may be the cause."""


EARLY_ENDS = (
    JobUnwanted,
    SharedRunFailed,
    RequestFailed,
    OutputsRefused,
    StageOverran,
    ChildProcessDied,
    InputUnreachable,
    StorageUnavailable,
)


def settle(claimed: ClaimedJob, error: Exception, job_store: JobStore) -> Job | None:
    """Write what one of `EARLY_ENDS` makes of the job; returns the job as it then is, None when the claim was gone."""
    job = claimed.job
    claimed.activity.leave()
    used = claimed.device_time
    if not isinstance(error, JobUnwanted):
        log.error("job: attempt ended early job=%s reason=%r", job.id, str(error))
    match error:
        case RequestFailed(fatal=False):
            return job_store.fail(job, error.error, used)
        case RequestFailed():
            return job_store.lose(job, _last_error(AttemptsExhausted, error.error.message), used)
        case StageOverran():
            return job_store.lose(job, _last_error(StageDeadlineExceeded, f"{error}."), used)
        case ChildProcessDied() if not claimed.cancellation.is_set:
            kind = EngineLost if error.name == "engine" else AttemptsExhausted
            return job_store.lose(job, _last_error(kind, f"{error}."), used)
        case JobUnwanted() | SharedRunFailed() | ChildProcessDied() if claimed.cancellation.claim_is_gone:
            if used != NO_TIME:
                job_store.note_use(job, used)
            return None
        case JobUnwanted() | SharedRunFailed() | ChildProcessDied():  # a job that was begun before is computed alone
            hand_back = job_store.postpone if claimed.activity.store_is_refusing else job_store.release
            return hand_back(job, used)
        case StorageUnavailable():  # of its inputs: nothing is computed yet
            return job_store.postpone(job)
        case OutputsRefused():
            return job_store.fail(job, _refused(error.refusal), used)
        case InputUnreachable():
            return job_store.fail(job, JobError(error.code, error.detail))
    raise error


def _refused(refusal: StorageUnavailable) -> JobError:
    """Return the error of a job whose outputs the store refused; a caller need not learn where the store is."""
    return JobError(refusal.code, refusal.detail) if refusal.full else JobError.of(StorageUnavailable)


def _last_error(kind: type[JobFailed], cause: str) -> JobError:
    """Return the error of a job whose last attempt is lost."""
    return JobError(kind.code, f"{kind.advice} The last attempt: {cause}")
