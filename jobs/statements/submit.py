"""Statements of a submit: idempotency, quota, the job itself."""

from typing import Any

import msgspec
from sqlalchemy import Insert, Select, func, select
from sqlalchemy.dialects.postgresql import insert

from jobs.job import ACTIVE, JobStatus
from jobs.params import AnyParams
from jobs.statements.clauses import after, ago, moment, now
from jobs.tables import idempotency, jobs, servers, tenants

IDEMPOTENCY_SECONDS = 86_400


def remember(tenant: str, key: str, body_sha256: str, job_id: str) -> Insert:
    """Claim an Idempotency-Key for a job; returns no row when a living entry holds it."""
    fresh = {"body_sha256": body_sha256, "job_id": job_id, "created_at": now}
    return (
        insert(idempotency)
        .values(tenant=tenant, key=key, **fresh)
        .on_conflict_do_update(
            index_elements=["tenant", "key"],
            set_=fresh,
            where=idempotency.c.created_at < ago(IDEMPOTENCY_SECONDS),
        )
        .returning(idempotency.c.job_id)
    )


def remembered(tenant: str, key: str) -> Select[Any]:
    """The job and body that hold an Idempotency-Key."""
    return select(idempotency.c.job_id, idempotency.c.body_sha256).where(
        idempotency.c.tenant == tenant, idempotency.c.key == key
    )


def lock_tenant(tenant: str) -> Select[Any]:
    """The tenant's quota, locked so that concurrent submits count one after the other.

    FOR NO KEY UPDATE: an idempotency row's foreign key already holds the tenant row FOR KEY SHARE, with which a
    plain FOR UPDATE of another submit would deadlock.
    """
    return (
        select(tenants.c.max_waiting_jobs, tenants.c.budget_usd, tenants.c.spent_usd)
        .where(tenants.c.id == tenant)
        .with_for_update(key_share=True)
    )


def count_active(tenant: str) -> Select[Any]:
    """How many unfinished jobs a tenant has."""
    return select(func.count()).select_from(jobs).where(jobs.c.tenant == tenant, jobs.c.status.in_(ACTIVE))


def submit(
    *,
    job_id: str,
    tenant: str,
    model: str,
    params: AnyParams,
    seed: int | None,
    max_attempts: int,
    deadline_seconds: float,
) -> Insert:
    """The job, queued."""
    stored = msgspec.to_builtins(params)
    return (
        jobs.insert()
        .values(
            id=job_id,
            tenant=tenant,
            modality=stored["modality"],
            model=model,
            params=stored,
            seed=seed,
            status=JobStatus.QUEUED.value,
            max_attempts=max_attempts,
            priority=params.priority,
            server_id=params.server_id,
            callback_url=params.callback_url,
            deadline_at=after(deadline_seconds),
            queued_at=now,
        )
        .returning(*jobs.c)
    )


def served_models() -> Select[Any]:
    """Every model that a live server serves."""
    return select(func.unnest(servers.c.serves)).where(servers.c.lease_until > moment).distinct()


def models_of_server(server_id: str) -> Select[Any]:
    """The models that a server serves, or served when it was last seen; no row for one never registered."""
    return select(servers.c.serves).where(servers.c.server_id == server_id)
