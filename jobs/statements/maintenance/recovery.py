"""Statements of job maintenance: lost leases, deadlines, deletions. Each is safe to execute twice at once."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Delete,
    Select,
    Update,
    and_,
    case,
    cast,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from core.errors.failures import DeadlineExceeded, StartDeadlineExceeded
from core.errors.unavailable import StorageUnavailable
from jobs.job import ACTIVE, JobError, JobStatus
from jobs.schema.tables import idempotency, jobs, servers, tenants
from jobs.statements.clauses import (
    IDEMPOTENCY_SECONDS,
    after,
    ago,
    ended_values,
    error_value,
    lost_values,
    tx_now,
)
from jobs.statements.outbox import with_outbox_events

BATCH = 500


def try_lock(name: str) -> Select[Any]:
    """Return whether this transaction now holds the lock of that name, until it ends."""
    return select(func.pg_try_advisory_xact_lock(cast(func.hashtextextended(literal(name), 0), BigInteger)))


def _batch(*where: Any, skip_locked_tenants: bool = False) -> Any:
    """Select and lock jobs of a condition; `skip_locked_tenants` also locks their tenants, as `settle` will."""
    found = select(jobs.c.id).where(*where).limit(BATCH)
    if not skip_locked_tenants:
        return found.with_for_update(skip_locked=True)
    free = (
        select(tenants.c.id).with_for_update(skip_locked=True, key_share=True).cte("free").prefix_with("MATERIALIZED")
    )
    return found.where(jobs.c.tenant.in_(select(free.c.id))).with_for_update(of=jobs, skip_locked=True)


def reap(*, backoff: float, skip_locked_tenants: bool = False) -> Select[Any]:
    """Take jobs back whose lease ran out, with `skip_locked_tenants` only those of tenants that nothing holds locked.

    When the lease of the server is over too, its worker is lost, and all jobs of that worker are taken at once: one
    whose lease has a moment left must not come back behind others.
    """
    lease_is_over = or_(jobs.c.lease_until < tx_now, _is_of_lost_worker())
    lost = _batch(jobs.c.status == JobStatus.PROCESSING, lease_is_over, skip_locked_tenants=skip_locked_tenants)
    return with_outbox_events(update(jobs).where(jobs.c.id.in_(lost)).values(**lost_values(backoff)), ends=True)


def _is_of_lost_worker() -> ColumnElement[bool]:
    """Return whether a server's lease and that of one of its jobs are over: this one is another job of that worker."""
    other = jobs.alias("other")
    return exists().where(
        other.c.status == JobStatus.PROCESSING,
        other.c.lease_until < tx_now,
        other.c.worker == jobs.c.worker,
        other.c.incarnation == jobs.c.incarnation,
        servers.c.server_id == other.c.worker,
        servers.c.incarnation == other.c.incarnation,
        servers.c.lease_until < tx_now,
    )


def reclaim(server_id: str, incarnation: int) -> Select[Any]:
    """Take the jobs of earlier incarnations of a server at once, without waiting for their leases."""
    lost = _batch(
        jobs.c.status == JobStatus.PROCESSING,
        jobs.c.worker == server_id,
        or_(jobs.c.incarnation.is_(None), jobs.c.incarnation < incarnation),
    )
    return with_outbox_events(update(jobs).where(jobs.c.id.in_(lost)).values(**lost_values(0.0)), ends=True)


def expire(*, skip_locked_tenants: bool = False) -> Select[Any]:
    """Fail jobs whose deadline, or time to start, has passed: for the store when it refused objects of the last claim.

    `skip_locked_tenants` as in `reap`.
    """
    is_late = jobs.c.status.in_(ACTIVE), jobs.c.deadline_at < tx_now
    late = _batch(*is_late, skip_locked_tenants=skip_locked_tenants)
    error = case(
        (jobs.c.store_refused_fence == jobs.c.fence, error_value(JobError.of(StorageUnavailable))),
        (
            and_(jobs.c.run_deadline_at.is_not(None), jobs.c.started_at.is_(None)),
            error_value(JobError.of(StartDeadlineExceeded)),
        ),
        else_=error_value(JobError.of(DeadlineExceeded)),
    )
    return with_outbox_events(
        update(jobs).where(jobs.c.id.in_(late)).values(**ended_values(JobStatus.FAILED, error)),
        ends=True,
        closes=True,
    )


def due_purges() -> Select[Any]:
    """Return deleted jobs whose objects are to be removed now, locked."""
    return (
        select(jobs.c.id, jobs.c.tenant, jobs.c.deleted_at, tx_now.label("now"))
        .where(jobs.c.purge_at < tx_now)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )


def postpone_purge(job_id: str, delay: float) -> Update:
    """Have the objects purged once more in `delay` s, after every lease and upload of the job has run out."""
    return update(jobs).where(jobs.c.id == job_id).values(purge_at=after(delay))


def forget_job(job_id: str) -> Delete:
    """Remove the row of a deleted job."""
    return delete(jobs).where(jobs.c.id == job_id, jobs.c.deleted_at.is_not(None))


def forget_keys() -> Delete:
    """Remove Idempotency-Keys whose time is over."""
    return delete(idempotency).where(idempotency.c.created_at < ago(2 * IDEMPOTENCY_SECONDS))
