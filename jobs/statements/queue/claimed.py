"""Statements of the worker that holds a claim; each matches no row once its fence is stale."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, Update, literal, update
from sqlalchemy.dialects.postgresql import JSONB

from jobs.job import Artifact, JobError, JobStatus
from jobs.schema.tables import jobs, tenants
from jobs.statements.clauses import (
    ATTEMPTS_EXHAUSTED,
    after,
    available_after,
    ended_values,
    error_value,
    fenced,
    lost_values,
    now,
)
from jobs.statements.outbox import with_outbox_events


def renew(job_id: str, fence: int, *, lease_seconds: float) -> Update:
    """Extend the lease."""
    return update(jobs).where(fenced(job_id, fence)).values(lease_until=after(lease_seconds)).returning(jobs.c.id)


def progress(job_id: str, fence: int, *, fraction: float, stage: str, warnings: Sequence[str] = ()) -> Update:
    """Write the progress: `fraction` from 0 to 1, the stage's name and the warnings so far."""
    return (
        update(jobs)
        .where(fenced(job_id, fence))
        .values(
            progress=fraction,
            stage=stage,
            warnings=literal(list(warnings), JSONB),
            event_seq=jobs.c.event_seq + 1,
        )
        .returning(*jobs.c)
    )


def commit(
    job_id: str, fence: int, *, artifacts: Sequence[Artifact], warnings: Sequence[str], cost: float
) -> Select[Any]:
    """Complete the job; the first statement of its transaction, so that a stale fence changes nothing."""
    return with_outbox_events(
        update(jobs)
        .where(fenced(job_id, fence))
        .values(
            **ended_values(JobStatus.COMPLETED),
            progress=1.0,
            stage=None,
            artifacts=literal(msgspec.to_builtins(list(artifacts)), JSONB),
            warnings=literal(list(warnings), JSONB),
            cost=cost,
        )
    )


def spend(tenant: str, cost: float) -> Update:
    """Charge a tenant `cost` US dollars."""
    return update(tenants).where(tenants.c.id == tenant).values(spent_usd=tenants.c.spent_usd + cost)


def fail(job_id: str, fence: int, error: JobError) -> Select[Any]:
    """Fail the job with an error that another attempt would not remove."""
    return with_outbox_events(
        update(jobs).where(fenced(job_id, fence)).values(**ended_values(JobStatus.FAILED, error_value(error)))
    )


def release(job_id: str, fence: int, *, delay: float = 0.0) -> Select[Any]:
    """Release the job: queued again after `delay` s, and the attempt is refunded."""
    return with_outbox_events(
        update(jobs)
        .where(fenced(job_id, fence))
        .values(
            status=JobStatus.QUEUED.value,
            attempt=jobs.c.attempt - 1,
            available_at=available_after(delay),
            queued_at=now,
            lease_until=None,
            progress=0.0,
            stage=None,
            event_seq=jobs.c.event_seq + 1,
        )
    )


def lose(job_id: str, fence: int, *, backoff: float, error: JobError = ATTEMPTS_EXHAUSTED) -> Select[Any]:
    """Give up this attempt: queued again after `backoff` s, or failed with `error` when it was the last."""
    return with_outbox_events(update(jobs).where(fenced(job_id, fence)).values(**lost_values(backoff, error)))
