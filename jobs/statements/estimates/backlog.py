"""What waits before a new job: jobs of its servers' models, the jobs that run there, and the limits of its tenant."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ARRAY, ColumnElement, Integer, Row, Select, Text, TextClause, any_, bindparam, func, select, text

from jobs.job import JobStatus
from jobs.schema.tables import jobs, tenants
from jobs.statements.queue.position import POSITION_LIMIT
from jobs.statements.queue.scan import OPEN, OWN


class WaitingJobs(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs of a model, a priority and a tenant wait."""

    model: str
    priority: int
    tenant: str
    jobs: int


class RunningJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that a server runs; `progress` is 0 to 1."""

    id: str
    model: str
    progress: float


class TenantLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a tenant's queue is paused, and whether it runs as many jobs as it may."""

    paused: bool
    full: bool


def in_order() -> TextClause:
    """Have the rest of the transaction read rows by the index that has their order.

    A planner that has statistics prefers to read all unfinished jobs and to sort them, up to some ten thousand.
    """
    return text("SET LOCAL enable_sort = off")


def waiting_jobs(models: Sequence[str], servers: Sequence[str], *, shared: bool) -> TextClause:
    """Return the jobs that wait for these models and may run on these servers, in groups, for `waiting_of`.

    Those that ask for one of the servers, and with `shared` those that any server may take; of each model, and of each
    model and server, the first `POSITION_LIMIT` are counted: no more are read after `in_order`. Jobs of tenants whose
    queue is paused are left out.
    """
    own = OWN.rows_by_model.replace(":server", "asked.server")
    statement = f"""
    SELECT served.model, waiting.priority, waiting.tenant, count(*) AS jobs
    FROM unnest(:models) AS served (model)
    CROSS JOIN LATERAL (
        (
            SELECT priority, tenant FROM jobs WHERE {OPEN.rows_by_model} AND jobs.model = served.model
            ORDER BY {OPEN.since} LIMIT :open
        )
        UNION ALL
        SELECT own.priority, own.tenant
        FROM unnest(:servers) AS asked (server)
        CROSS JOIN LATERAL (
            SELECT priority, tenant, spill_at FROM jobs WHERE {own} AND jobs.model = served.model
            ORDER BY {OWN.since} LIMIT :limit
        ) AS own
        WHERE own.spill_at IS NULL  -- the others are among the first already
    ) AS waiting
    JOIN tenants ON tenants.id = waiting.tenant AND tenants.paused_at IS NULL
    GROUP BY served.model, waiting.priority, waiting.tenant
    """
    return text(statement).bindparams(
        bindparam("models", list(models), ARRAY(Text)),
        bindparam("servers", list(servers), ARRAY(Text)),
        bindparam("open", POSITION_LIMIT if shared else 0, Integer),
        bindparam("limit", POSITION_LIMIT, Integer),
    )


def waiting_of(row: Row[Any]) -> WaitingJobs:
    """Return a row of `waiting_jobs`."""
    return msgspec.convert(row._mapping, WaitingJobs)


def running_jobs(job_ids: Sequence[str]) -> Select[Any]:
    """Return those of the jobs that run, for `running_of`."""
    return select(jobs.c.id, jobs.c.model, jobs.c.progress).where(
        jobs.c.id == any_(bindparam("ids", list(job_ids), ARRAY(Text))), jobs.c.status == JobStatus.PROCESSING.value
    )


def running_of(row: Row[Any]) -> RunningJob:
    """Return a row of `running_jobs`."""
    return msgspec.convert(row._mapping, RunningJob)


def tenant_limits(tenant: str) -> Select[Any]:
    """Return what keeps new jobs of a tenant from being started, for `limits_of`."""
    running = (
        select(func.count())
        .select_from(jobs)
        .where(jobs.c.tenant == tenant, jobs.c.status == JobStatus.PROCESSING.value)
        .scalar_subquery()
    )
    columns: list[ColumnElement[Any]] = [
        tenants.c.paused_at.is_not(None).label("paused"),
        func.coalesce(tenants.c.max_running_jobs <= running, False).label("full"),
    ]
    return select(*columns).where(tenants.c.id == tenant)


def limits_of(row: Row[Any]) -> TenantLimits:
    """Return a row of `tenant_limits`."""
    return msgspec.convert(row._mapping, TenantLimits)
