"""Statements of the worker that holds a claim; each matches no row once its fence is stale."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Double, Select, Text, Update, bindparam, func, update
from sqlalchemy.dialects.postgresql import JSONB

from jobs.job import NO_TIME, Artifact, DeviceTime, JobError, JobRun, JobStatus
from jobs.schema.tables import jobs
from jobs.statements.clauses import (
    ATTEMPTS_EXHAUSTED,
    available_after,
    ended_values,
    error_value,
    fenced,
    interval,
    lost_values,
    now,
    tx_now,
)
from jobs.statements.outbox import with_outbox_events

LONGEST_DELAY = 600.0
"""Seconds that a job waits at most after the store refused its objects."""
MAX_DOUBLINGS = 20


def commit(
    job_id: str,
    fence: int,
    *,
    artifacts: Sequence[Artifact],
    warnings: Sequence[str],
    cost: float,
    metered: float | None = None,
    used: DeviceTime = NO_TIME,
    run: JobRun | None = None,
) -> Select[Any]:
    """Complete the job, charge its tenant and keep its outputs in the library; a stale fence changes nothing.

    The price is the one that was reserved at submit; `cost` counts for a job without one. Where the price is `metered`,
    by what this attempt has `used`, that is what it costs, and the reserved price the most.
    """
    return with_outbox_events(
        update(jobs)
        .where(fenced(bindparam("a_job", job_id, Text), bindparam("a_fence", fence, BigInteger)))
        .values(
            **ended_values(JobStatus.COMPLETED),
            progress=1.0,
            stage=None,
            artifacts=bindparam("a_artifacts", msgspec.to_builtins(list(artifacts)), JSONB),
            warnings=bindparam("a_warnings", list(warnings), JSONB),
            run=bindparam("a_run", msgspec.to_builtins(run), JSONB(none_as_null=True)),
            cost=func.least(  # which leaves out what is null
                func.coalesce(jobs.c.price_usd, bindparam("a_cost", cost, Double)),
                bindparam("a_metered", metered, Double),
            ),
            gpu_seconds=jobs.c.gpu_seconds + bindparam("a_gpu", used.gpu_seconds, Double),
            load_seconds=jobs.c.load_seconds + bindparam("a_load", used.load_seconds, Double),
        ),
        ends=True,
        keeps=True,
    )


def fail(job_id: str, fence: int, error: JobError, used: DeviceTime = NO_TIME) -> Select[Any]:
    """Fail the job with an error that another attempt would not remove."""
    values = ended_values(JobStatus.FAILED, error_value(error)) | _used(used)
    return with_outbox_events(update(jobs).where(fenced(job_id, fence)).values(**values), ends=True)


def note_use(job_id: str, fence: int, used: DeviceTime) -> Update:
    """Note what an attempt has used whose job was ended meanwhile, as by a cancel."""
    return update(jobs).where(jobs.c.id == job_id, jobs.c.fence == fence).values(**_used(used))


def release(job_id: str, fence: int, used: DeviceTime = NO_TIME) -> Select[Any]:
    """Release the job: queued again at its old place, and the attempt is refunded."""
    return with_outbox_events(update(jobs).where(fenced(job_id, fence)).values(**_released(), **_used(used)))


def postpone(job_id: str, fence: int, *, delay: float, used: DeviceTime = NO_TIME) -> Select[Any]:
    """Release the job since the store refused its objects: queued again later, and the attempt is refunded.

    That is after `delay` s, doubled with each such release of the job up to `LONGEST_DELAY`.
    """
    doubled = delay * func.power(2.0, func.least(jobs.c.postponed, MAX_DOUBLINGS))
    values = (
        _released()
        | _used(used)
        | {
            "available_at": tx_now + interval(func.least(doubled, LONGEST_DELAY)),
            "postponed": jobs.c.postponed + 1,
            "store_refused_fence": jobs.c.fence,
        }
    )
    return with_outbox_events(update(jobs).where(fenced(job_id, fence)).values(**values))


def note_refusal(job_id: str, fence: int) -> Update:
    """Note that the store refused objects of this claim; if the deadline passes now, that is why."""
    return update(jobs).where(fenced(job_id, fence)).values(store_refused_fence=jobs.c.fence)


def _released() -> dict[str, Any]:
    return {
        "status": JobStatus.QUEUED.value,
        "attempt": jobs.c.attempt - 1,
        "available_at": available_after(0.0),
        "queued_at": now,
        "lease_until": None,
        "progress": 0.0,
        "stage": None,
        "event_seq": jobs.c.event_seq + 1,
    }


def lose(
    job_id: str, fence: int, *, backoff: float, error: JobError = ATTEMPTS_EXHAUSTED, used: DeviceTime = NO_TIME
) -> Select[Any]:
    """Give up this attempt: queued again after `backoff` s, or failed with `error` when it was the last."""
    values = lost_values(backoff, error) | _used(used)
    return with_outbox_events(update(jobs).where(fenced(job_id, fence)).values(**values), ends=True)


def _used(used: DeviceTime) -> dict[str, Any]:
    """Return the values that add what an attempt has used, if anything."""
    return {
        name: jobs.c[name] + seconds for name in ("gpu_seconds", "load_seconds") if (seconds := getattr(used, name)) > 0
    }
