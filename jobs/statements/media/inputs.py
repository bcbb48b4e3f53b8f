"""Statements about a job's inputs. An input is leased while it is fetched; no transaction is open meanwhile.

A change of an input and of its job is one transaction that begins with `lock_job`: the last two inputs of a job may
become ready in two workers at the same moment, and one of the two must see both.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Update,
    and_,
    any_,
    case,
    func,
    select,
    tuple_,
    update,
)

from jobs.job import JobError, JobStatus
from jobs.schema.tables import inputs, jobs
from jobs.statements.clauses import (
    after,
    ended_values,
    error_value,
    now,
    tx_now,
)
from jobs.statements.media.input_lanes import choose
from jobs.statements.outbox import with_outbox_events

BATCH = 500


@lru_cache(maxsize=256)  # building it costs as much as executing it
def take(
    *,
    limit: int,
    lease_seconds: float,
    max_attempts: int,
    tenant_bytes: int,
    host_limit: int = 4,
    tenant_limit: int = 8,
) -> Update:
    """Lease inputs of pending jobs that are due: one of each tenant first, then a second one of each, and so on.

    Over all workers at most `host_limit` are under way to one host and `tenant_limit` for one tenant, so that slow
    hosts delay only the tenants that named them. A lease that ran out is taken again, as the next attempt. An input
    waits while no live server serves its job's model, and while its tenant's clean copies have `tenant_bytes` or more.

    The cost depends on the number of lanes (`jobs.statements.media.input_lanes`), and not on how long they are.
    """
    chosen = choose(limit, max_attempts, tenant_bytes, host_limit, tenant_limit).cte("chosen")
    chosen = chosen.prefix_with("MATERIALIZED")
    return (
        update(inputs)
        .where(
            # An array is of unknown length, so the planner looks its ids up and does not read the table.
            inputs.c.job_id == any_(func.array(select(chosen.c.job_id).scalar_subquery())),
            _name_of(inputs) == any_(func.array(select(_name_of(chosen)).scalar_subquery())),
        )
        .values(attempt=inputs.c.attempt + 1, fence=inputs.c.fence + 1, lease_until=after(lease_seconds))
        .returning(*inputs.c)
    )


def renew(leases: Iterable[tuple[str, str, int]], *, lease_seconds: float) -> Update:
    """Extend leases, given as (job id, name, fence); returns those that are still valid and of jobs that still wait.

    An input that was released meanwhile is not leased again, since no worker would work on it.
    """
    return (
        update(inputs)
        .where(
            tuple_(inputs.c.job_id, inputs.c.name, inputs.c.fence).in_(list(leases)),
            inputs.c.status == "waiting",
            inputs.c.lease_until.is_not(None),
            inputs.c.job_id == jobs.c.id,
            _job_waits(),
        )
        .values(lease_until=after(lease_seconds))
        .returning(inputs.c.job_id, inputs.c.name, inputs.c.fence)
    )


def model_of(job_id: str) -> Select[str]:
    """Return the model of a job."""
    return select(jobs.c.model).where(jobs.c.id == job_id)


def lock_job(job_id: str) -> Select[Any]:
    """Return the job if it still waits for inputs, locked until the transaction ends."""
    return (
        select(jobs.c.id)
        .where(jobs.c.id == job_id, jobs.c.status == JobStatus.PENDING, jobs.c.deleted_at.is_(None))
        .with_for_update(key_share=True)
    )


def ready(job_id: str, name: str, fence: int, *, key: str, media_type: str, bytes: int, sha256: str) -> Update:
    """Record the clean copy that is stored under `key`."""
    return _update_leased(job_id, name, fence).values(
        status="ready", key=key, media_type=media_type, bytes=bytes, sha256=sha256, lease_until=None, problem=None
    )


def queue_job(job_id: str) -> Select[Any]:
    """Queue a pending job all of whose inputs are ready; no row while one is not. The job must be locked.

    `spill_at` of a job that prefers a server is counted from now, since no server could take the job before.
    """
    unready = select(inputs.c.name).where(inputs.c.job_id == job_id, inputs.c.status != "ready")
    return with_outbox_events(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.status == JobStatus.PENDING, ~unready.exists())
        .values(
            status=JobStatus.QUEUED.value,
            queued_at=now,
            spill_at=jobs.c.spill_at + (now - jobs.c.created_at),
            event_seq=jobs.c.event_seq + 1,
        )
    )


def retry(job_id: str, name: str, fence: int, *, delay: float, problem: str) -> Update:
    """Schedule the next attempt in `delay` s, after a failed one."""
    return _update_leased(job_id, name, fence).values(available_at=after(delay), lease_until=None, problem=problem)


def release(job_id: str, name: str, fence: int, *, delay: float = 0.0) -> Update:
    """Release an input and refund its attempt; it is due again in `delay` s, unless its job has ended meanwhile."""
    pending = select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.status == JobStatus.PENDING).exists()
    return _update_leased(job_id, name, fence).values(
        status=case((pending, "waiting"), else_="failed"),
        available_at=after(delay),
        lease_until=None,
        attempt=inputs.c.attempt - 1,
    )


def fail(job_id: str, name: str, fence: int, *, problem: str) -> Update:
    """End the attempts; `fail_job` fails the job in the same transaction."""
    return _update_leased(job_id, name, fence).values(status="failed", lease_until=None, problem=problem)


def fail_job(job_id: str, error: JobError) -> Select[Any]:
    """Fail a job that waits for inputs."""
    return with_outbox_events(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.status == JobStatus.PENDING)
        .values(**ended_values(JobStatus.FAILED, error_value(error))),
        ends=True,
        closes=True,
    )


def lost(*, max_attempts: int) -> Select[Any]:
    """Return inputs without an attempt left, the last of which was lost with its worker."""
    return (
        select(inputs.c.job_id, inputs.c.name, inputs.c.fence)
        .join(jobs, jobs.c.id == inputs.c.job_id)
        .where(
            inputs.c.lease_until < tx_now,
            inputs.c.attempt >= max_attempts,
            inputs.c.status == "waiting",
            _job_waits(),
        )
        .order_by(inputs.c.lease_until)
        .limit(BATCH)
    )


def clean_copies(job_id: str) -> Select[Any]:
    """Return name and key of every input of a job whose clean copy is stored."""
    return select(inputs.c.name, inputs.c.key).where(inputs.c.job_id == job_id, inputs.c.status == "ready")


def is_cancelled(job_id: str) -> Select[Any]:
    """Return the id of the job if it was cancelled."""
    return select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.status == JobStatus.CANCELLED)


def _job_waits() -> ColumnElement[bool]:
    return and_(jobs.c.status == JobStatus.PENDING, jobs.c.deleted_at.is_(None), jobs.c.deadline_at > tx_now)


def _name_of(table: FromClause) -> ColumnElement[str]:
    """Return job and name of an input as one value."""
    return func.concat(table.c.job_id, "/", table.c.name)


def _update_leased(job_id: str, name: str, fence: int) -> Update:
    """Return an update that matches no row after another worker has leased the input."""
    return (
        update(inputs)
        .where(inputs.c.job_id == job_id, inputs.c.name == name, inputs.c.fence == fence, inputs.c.status == "waiting")
        .returning(inputs.c.name)
    )
