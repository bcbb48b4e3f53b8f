"""Statements of a job's inputs. One is leased while it is fetched and cleaned, so no transaction is open meanwhile.

A change of an input and of its job is one transaction that begins with `lock_job`: the last two inputs of a job may
become ready in two workers at the same moment, and one of the two must see both.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Delete, Select, Update, and_, delete, func, not_, or_, select, tuple_, update

from jobs.job import JobError, JobStatus
from jobs.schema.tables import inputs, jobs, tenants, uploads
from jobs.statements.clauses import after, ago, ended_values, error_value, now, outlived, tx_now
from jobs.statements.outbox import with_outbox_events

BATCH = 500


@lru_cache(maxsize=256)  # building it costs as much as executing it
def take(*, limit: int, lease_seconds: float, max_attempts: int, host_limit: int = 4, tenant_limit: int = 8) -> Update:
    """Lease inputs of pending jobs that are due: one of each tenant first, then a second one of each, and so on.

    Over all workers at most `host_limit` are under way to one host and `tenant_limit` for one tenant, so that slow
    hosts delay only those who named them. A lease that ran out is taken again, as the next attempt.
    """
    leased = func.coalesce(inputs.c.lease_until >= tx_now, False)
    due = and_(inputs.c.available_at <= tx_now, inputs.c.attempt < max_attempts, _wanted())
    waiting = (
        select(
            *(inputs.c.job_id, inputs.c.name, inputs.c.tenant, inputs.c.host, inputs.c.available_at),
            leased.label("leased"),
            func.count().filter(leased).over(partition_by=inputs.c.tenant).label("under_way"),
            _place(leased, inputs.c.available_at, within=(inputs.c.tenant, inputs.c.host)).label("turn"),
        )
        .join(jobs, jobs.c.id == inputs.c.job_id)
        .where(inputs.c.status == "waiting", or_(leased, due))
        .subquery("waiting")
    )
    w = waiting.c
    by_host = (
        select(waiting, _place(w.leased, w.turn, w.available_at, within=(w.host,)).label("at_host"))
        .where(or_(w.leased, w.under_way < tenant_limit))  # who has no room must not hold places at a host
        .subquery("by_host")
    )
    h = by_host.c
    by_tenant = (
        select(by_host, _place(h.leased, h.at_host, h.available_at, within=(h.tenant,)).label("at_tenant"))
        .where(or_(h.at_host <= host_limit, h.host == ""))
        .subquery("by_tenant")
    )
    t = by_tenant.c
    free = or_(inputs.c.lease_until.is_(None), inputs.c.lease_until < tx_now)
    chosen = (
        select(inputs.c.job_id, inputs.c.name)
        .join(by_tenant, and_(t.job_id == inputs.c.job_id, t.name == inputs.c.name))
        .where(t.at_tenant <= tenant_limit, not_(t.leased), inputs.c.status == "waiting", free)
        .order_by(t.at_tenant, t.available_at)
        .limit(limit)
        .with_for_update(of=inputs, skip_locked=True)
        .cte("chosen")
        .prefix_with("MATERIALIZED")
    )
    return (
        update(inputs)
        .where(inputs.c.job_id == chosen.c.job_id, inputs.c.name == chosen.c.name)
        .values(attempt=inputs.c.attempt + 1, fence=inputs.c.fence + 1, lease_until=after(lease_seconds))
        .returning(*inputs.c)
    )


def renew(held: Iterable[tuple[str, str, int]], *, lease_seconds: float) -> Update:
    """Extend the leases of (job id, name, fence); returns those that are still held and still wanted.

    One that was handed back while this statement was on its way is not leased again: nobody would work on it.
    """
    return (
        update(inputs)
        .where(
            tuple_(inputs.c.job_id, inputs.c.name, inputs.c.fence).in_(list(held)),
            inputs.c.status == "waiting",
            inputs.c.lease_until.is_not(None),
            inputs.c.job_id == jobs.c.id,
            _wanted(),
        )
        .values(lease_until=after(lease_seconds))
        .returning(inputs.c.job_id, inputs.c.name, inputs.c.fence)
    )


def lock_job(job_id: str) -> Select[Any]:
    """The job, locked until the transaction ends, if it still waits for inputs."""
    return (
        select(jobs.c.id)
        .where(jobs.c.id == job_id, jobs.c.status == JobStatus.PENDING, jobs.c.deleted_at.is_(None))
        .with_for_update(key_share=True)
    )


def ready(job_id: str, name: str, fence: int, *, key: str, media_type: str, bytes: int, sha256: str) -> Update:
    """A clean copy is stored under `key`."""
    return _held(job_id, name, fence).values(
        status="ready", key=key, media_type=media_type, bytes=bytes, sha256=sha256, lease_until=None, problem=None
    )


def queue_job(job_id: str) -> Select[Any]:
    """Queue a pending job all of whose inputs are ready; no row while one is not. The job must be locked.

    The patience of one that prefers a server begins here: until now no server could have taken it.
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
    """The attempt failed; the next one is `delay` s from now."""
    return _held(job_id, name, fence).values(available_at=after(delay), lease_until=None, problem=problem)


def release(job_id: str, name: str, fence: int, *, delay: float = 0.0) -> Update:
    """Hand it back through no fault of its own: the attempt is refunded."""
    return _held(job_id, name, fence).values(available_at=after(delay), lease_until=None, attempt=inputs.c.attempt - 1)


def fail(job_id: str, name: str, fence: int, *, problem: str) -> Update:
    """No further attempt; the job fails in the same transaction (`fail_job`)."""
    return _held(job_id, name, fence).values(status="failed", lease_until=None, problem=problem)


def fail_job(job_id: str, error: JobError) -> Select[Any]:
    """Fail a job that waits for inputs."""
    return with_outbox_events(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.status == JobStatus.PENDING)
        .values(**ended_values(JobStatus.FAILED, error_value(error)))
    )


def lost(*, max_attempts: int) -> Select[Any]:
    """Inputs that had all their attempts, the last of which was lost with its worker."""
    return (
        select(inputs.c.job_id, inputs.c.name, inputs.c.fence)
        .join(jobs, jobs.c.id == inputs.c.job_id)
        .where(
            inputs.c.status == "waiting",
            inputs.c.attempt >= max_attempts,
            or_(inputs.c.lease_until.is_(None), inputs.c.lease_until < tx_now),
            _wanted(),
        )
        .limit(BATCH)
    )


def clean_copies(job_id: str) -> Select[Any]:
    """Name and key of every input of a job whose clean copy is stored."""
    return select(inputs.c.name, inputs.c.key).where(inputs.c.job_id == job_id, inputs.c.status == "ready")


def finished(seconds: float) -> Select[Any]:
    """Jobs that ended longer ago than their tenants keep inputs, `seconds` where a tenant says nothing, as (id,
    tenant), and whose inputs are still kept; in no order. Those that a job done again still waits for stay.
    """
    again = inputs.alias("again")
    waited_for = select(again.c.name).where(again.c.source_key == inputs.c.key, again.c.status == "waiting")
    return (
        select(jobs.c.id, jobs.c.tenant)
        .join(inputs, inputs.c.job_id == jobs.c.id)
        .join(tenants, tenants.c.id == jobs.c.tenant)
        .where(outlived("inputs", jobs.c.finished_at, seconds))
        .group_by(jobs.c.id)
        .having(not_(func.bool_or(waited_for.exists())))
        .order_by(func.random())  # what can not be removed must not hold up the rest
        .limit(BATCH)
    )


def forget(job_id: str) -> Delete:
    """Remove every trace of a job's inputs; their objects are gone."""
    return delete(inputs).where(inputs.c.job_id == job_id)


def old_uploads(seconds: float) -> Select[Any]:
    """Uploads made more than `seconds` ago that no job waits for, locked, as (id, key); in no order."""
    waited_for = (
        select(inputs.c.name)
        .join(jobs, jobs.c.id == inputs.c.job_id)
        .where(inputs.c.source_key == uploads.c.key, inputs.c.status == "waiting", jobs.c.status == JobStatus.PENDING)
    )
    return (
        select(uploads.c.id, uploads.c.key)
        .where(uploads.c.created_at < ago(seconds), ~waited_for.exists())
        .order_by(func.random())
        .limit(BATCH)
        .with_for_update(of=uploads, skip_locked=True)
    )


def forget_upload(upload_id: str) -> Delete:
    """Remove an upload; its object is gone."""
    return delete(uploads).where(uploads.c.id == upload_id)


def _place(leased: ColumnElement[bool], *order: ColumnElement[Any], within: tuple[ColumnElement[Any], ...]) -> Any:
    """Place in a queue whose head are those under way."""
    return func.row_number().over(partition_by=within, order_by=(leased.desc(), *order))


def _wanted() -> ColumnElement[bool]:
    return and_(jobs.c.status == JobStatus.PENDING, jobs.c.deleted_at.is_(None), jobs.c.deadline_at > tx_now)


def _held(job_id: str, name: str, fence: int) -> Update:
    """An update that matches no row once the lease that `fence` stands for was taken by another."""
    return (
        update(inputs)
        .where(inputs.c.job_id == job_id, inputs.c.name == name, inputs.c.fence == fence, inputs.c.status == "waiting")
        .returning(inputs.c.name)
    )
