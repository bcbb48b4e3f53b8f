"""Statements of a submit: idempotency, quota, the job itself and its inputs."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Insert, Select, func, select
from sqlalchemy.dialects.postgresql import insert

from jobs.job import ACTIVE, JobStatus
from jobs.params.media import MediaKind, media_of
from jobs.params.registry import AnyParams
from jobs.schema.tables import idempotency, inputs, jobs, servers, tenants
from jobs.statements.clauses import after, ago, now, tx_now
from jobs.statements.outbox import with_outbox_events

IDEMPOTENCY_SECONDS = 86_400


class InputSource(msgspec.Struct, frozen=True, kw_only=True):
    """The source of an input: a URL and its host, or the key of a stored object.

    `host` is in lower case, with the port unless it is the scheme's own. `name` is that of `jobs.params.media.Medium`.
    Audio must be longer than `min_seconds`.
    """

    name: str
    kind: MediaKind
    url: str | None = None
    source_key: str | None = None
    host: str = ""
    min_seconds: float = 0.0


def remember(tenant: str, key: str, body_sha256: str, job_id: str) -> Insert:
    """Claim an Idempotency-Key for a job; returns no row while a valid entry holds it."""
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
    """Return the job and body that hold an Idempotency-Key; no row after its day."""
    return select(idempotency.c.job_id, idempotency.c.body_sha256).where(
        idempotency.c.tenant == tenant,
        idempotency.c.key == key,
        idempotency.c.created_at >= ago(IDEMPOTENCY_SECONDS),
    )


def quota(tenant: str) -> Select[Any]:
    """Return a tenant's limits and what it has spent."""
    return select(tenants.c.max_waiting_jobs, tenants.c.budget_usd, tenants.c.spent_usd).where(tenants.c.id == tenant)


def lock_quota(tenant: str) -> Select[Any]:
    """Return the same, locked so that concurrent submits count one after the other.

    FOR NO KEY UPDATE: an idempotency row's foreign key already holds the tenant row FOR KEY SHARE, with which a
    plain FOR UPDATE of another submit would deadlock.
    """
    return quota(tenant).with_for_update(key_share=True)


def count_active(tenant: str) -> Select[Any]:
    """Return how many unfinished jobs a tenant has."""
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
    spill_seconds: float | None = None,
    traceparent: str | None = None,
) -> Select[Any]:
    """Add a job: queued, or pending if it needs inputs, which `add_inputs` adds in the same transaction.

    A job that asks for a server may run on any other after `spill_seconds`; None stands for never.
    """
    stored = msgspec.to_builtins(params)
    pending = any(media_of(params))
    return with_outbox_events(
        jobs.insert().values(
            id=job_id,
            tenant=tenant,
            modality=stored["modality"],
            model=model,
            params=stored,
            seed=seed,
            status=(JobStatus.PENDING if pending else JobStatus.QUEUED).value,
            max_attempts=max_attempts,
            priority=params.priority,
            server_id=params.server_id,
            spill_at=None if spill_seconds is None else after(spill_seconds),
            callback_url=params.callback_url,
            deadline_at=after(deadline_seconds),
            queued_at=None if pending else now,
            traceparent=traceparent,
        )
    )


def add_inputs(job_id: str, tenant: str, sources: Sequence[InputSource]) -> Insert:
    """Add the inputs of a pending job, at least one; a CPU worker fetches and cleans them."""
    common = {"job_id": job_id, "tenant": tenant}
    return inputs.insert().values([common | msgspec.structs.asdict(source) for source in sources])


def served_models() -> Select[Any]:
    """Return every model that a live server serves."""
    return select(func.unnest(servers.c.serves)).where(servers.c.lease_until > tx_now).distinct()


def models_of_server(server_id: str) -> Select[Any]:
    """Return the models that a server serves or last served, and whether it lives; no row for an unknown name."""
    return select(servers.c.serves, (servers.c.lease_until > tx_now).label("alive")).where(
        servers.c.server_id == server_id, servers.c.removed_at.is_(None)
    )
