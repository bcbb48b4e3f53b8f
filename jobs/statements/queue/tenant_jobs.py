"""Statements of a job's owner: find, list, cancel, delete. Each is bound to a tenant, except `by_id`."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Delete, Select, Update, case, delete, func, literal_column, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on

from jobs.job import ACTIVE, WAITING, JobStatus
from jobs.schema.tables import Money, api_keys, has_labels, jobs, outbox, tenants
from jobs.statements.budget import BALANCE, settle
from jobs.statements.clauses import ended_values, erased_values, now
from jobs.statements.ended_inputs import close_inputs
from jobs.statements.outbox import with_outbox_events


def visible(job_id: str, tenant: str) -> Select[Any]:
    """Return the job if it is the tenant's and not deleted."""
    return select(*jobs.c).where(jobs.c.id == job_id, jobs.c.tenant == tenant, jobs.c.deleted_at.is_(None))


def all_visible(job_ids: Collection[str], tenant: str) -> Select[Any]:
    """Return those of the jobs that are the tenant's and not deleted."""
    return select(*jobs.c).where(jobs.c.id.in_(job_ids), jobs.c.tenant == tenant, jobs.c.deleted_at.is_(None))


def by_id(job_id: str) -> Select[Any]:
    """Return the job of any tenant if it is not deleted, for signed links and webhooks."""
    return select(*jobs.c).where(jobs.c.id == job_id, jobs.c.deleted_at.is_(None))


def listing(
    tenant: str,
    *,
    limit: int,
    status: JobStatus | None = None,
    modality: str | None = None,
    model: str | None = None,
    labels: Mapping[str, str] | None = None,
    server_id: str | None = None,
    error_code: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: tuple[datetime, str] | None = None,
    oldest_first: bool = False,
) -> Select[Any]:
    """Return a tenant's jobs with all of the labels, newest first; `before` is (created_at, id) of the last seen.

    `since` and `until` (not included) bound the time of the submit. `server_id` is the server that runs or ran a job,
    else the one that it asks for; it has no index, so that it reads every job since `since`. An `error_code` reads
    the jobs that failed.
    """
    query = select(*jobs.c).where(jobs.c.tenant == tenant, jobs.c.deleted_at.is_(None))
    if status is not None:
        query = query.where(jobs.c.status == status)
    if modality is not None:
        query = query.where(jobs.c.modality == modality)
    if model is not None:
        query = query.where(jobs.c.model == model)
    if labels:
        query = query.where(text(f"jobs.{has_labels}"), jobs.c.labels.contains(dict(labels)))
    if server_id is not None:
        query = query.where(func.coalesce(jobs.c.worker, jobs.c.server_id) == server_id)
    if error_code is not None:
        query = query.where(jobs.c.status == JobStatus.FAILED, jobs.c.error["code"].astext == error_code)
    if since is not None:
        query = query.where(jobs.c.created_at >= since)
    if until is not None:
        query = query.where(jobs.c.created_at < until)
    if before is not None:
        position = tuple_(jobs.c.created_at, jobs.c.id)
        query = query.where(position > tuple_(*before) if oldest_first else position < tuple_(*before))
    if oldest_first:
        return query.order_by(jobs.c.created_at, jobs.c.id).limit(limit)
    return query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)


def balance(tenant: str, key_id: str | None = None) -> Select[Any]:
    """Return the US dollars that a tenant, by this key, may still spend on further jobs; null without a budget."""
    both = tenants.outerjoin(api_keys, api_keys.c.id == key_id)
    return select(literal_column(BALANCE, Money)).select_from(both).where(tenants.c.id == tenant)


def cancel(job_id: str, tenant: str) -> Select[Any]:
    """Cancel an unfinished job; matches no row after its end, so a commit and a cancel exclude each other."""
    return with_outbox_events(
        update(jobs)
        .where(
            jobs.c.id == job_id,
            jobs.c.tenant == tenant,
            jobs.c.deleted_at.is_(None),
            jobs.c.status.in_(ACTIVE),
        )
        .values(**ended_values(JobStatus.CANCELLED)),
        ends=True,
        closes=True,
    )


def change_priority(job_id: str, tenant: str, priority: int) -> Update:
    """Change the priority of a waiting job; returns its row, or none."""
    own = jobs.c.id == job_id, jobs.c.tenant == tenant, jobs.c.deleted_at.is_(None)
    return update(jobs).where(*own, jobs.c.status.in_(WAITING)).values(priority=priority).returning(*jobs.c)


def pause(tenant: str) -> Update:
    """Start no further job of a tenant; one whose claim is under way may still start. Returns since when."""
    since = func.coalesce(tenants.c.paused_at, now)
    return update(tenants).where(tenants.c.id == tenant).values(paused_at=since).returning(tenants.c.paused_at)


def resume(tenant: str) -> Update:
    """Start jobs of a tenant again; returns a row."""
    return update(tenants).where(tenants.c.id == tenant).values(paused_at=None).returning(tenants.c.paused_at)


def waiting_queues(tenant: str) -> Select[Any]:
    """Return a waiting job of each model of a tenant, for the doorbells."""
    first = distinct_on(jobs.c.model, jobs.c.server_id)
    waiting = jobs.c.tenant == tenant, jobs.c.status == JobStatus.QUEUED.value
    return select(*jobs.c).ext(first).where(*waiting).order_by(jobs.c.model, jobs.c.server_id)


def erase(job_id: str, tenant: str) -> Select[Any]:
    """Delete a job: cancel it if unfinished, remove what the caller wrote, and have its objects purged.

    Returns its row, and whether it was `unfinished`.
    """
    ended = ended_values(JobStatus.CANCELLED)
    found = (  # what the update returns no longer says whether it has ended the job
        select(jobs.c.id, jobs.c.status.in_(ACTIVE).label("unfinished"))
        .where(jobs.c.id == job_id, jobs.c.tenant == tenant, jobs.c.deleted_at.is_(None))
        .with_for_update(key_share=True)
        .cte("found")
    )
    erased = (
        update(jobs)
        .where(jobs.c.id == found.c.id)
        .values(
            status=case((found.c.unfinished, ended["status"]), else_=jobs.c.status),
            finished_at=case((found.c.unfinished, ended["finished_at"]), else_=jobs.c.finished_at),
            **erased_values(),
        )
        .returning(*jobs.c, found.c.unfinished)
        .cte("erased")
    )
    columns = (erased.c[column.name] for column in jobs.c)
    ends = *settle(erased, erased.c.unfinished), close_inputs(erased, erased.c.unfinished)
    return select(*columns, erased.c.unfinished).add_cte(*ends)


def forget_job_deliveries(job_id: str) -> Delete:
    """Remove the deliveries of a deleted job."""
    return delete(outbox).where(outbox.c.job_id == job_id)
