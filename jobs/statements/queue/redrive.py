"""Statements that redrive failed jobs as new jobs: an end is final, and its webhook may have been delivered.

Each redrive is one transaction that begins with `mark`, which matches only a failed job that was not redriven yet.
"""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Insert, Select, Text, Update, case, func, insert, literal, null, select, update
from sqlalchemy.dialects.postgresql import JSONB

from core.errors.failures import AttemptsExhausted, DeadlineExceeded, EngineLost, StageDeadlineExceeded
from core.errors.unavailable import StorageUnavailable
from jobs.job import JobStatus
from jobs.schema.tables import inputs, jobs, tenants
from jobs.statements.budget import admit
from jobs.statements.clauses import after, ago, now
from jobs.statements.outbox import with_outbox_events
from jobs.statements.queue.submit import model_of

SERVICES_FAULT = (
    AttemptsExhausted.code,
    EngineLost.code,
    StageDeadlineExceeded.code,
    StorageUnavailable.code,
    DeadlineExceeded.code,
)
"""Codes of errors that the service caused, not the job."""


class ServerChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Where a job may run: on `server` alone or, after `spill` seconds, on any other one; without a server on any."""

    server: str | None = None
    spill: float | None = None


def dead(*, codes: Collection[str], seconds: float, tenant: str | None = None) -> Select[Any]:
    """Return jobs that failed with one of the codes within the last `seconds` and were not redriven, oldest first.

    `tenant` is a name; None stands for every tenant.
    """
    query = (
        select(*jobs.c)
        .join(tenants, tenants.c.id == jobs.c.tenant)
        .where(*_failed(), jobs.c.error["code"].astext.in_(codes), jobs.c.finished_at >= ago(seconds))
    )
    if tenant is not None:
        query = query.where(tenants.c.name == tenant)
    return query.order_by(jobs.c.seq)


def failed(job_ids: Collection[str]) -> Select[Any]:
    """Return the jobs of these ids that failed, with any code, and were not redriven."""
    return select(*jobs.c).where(jobs.c.id.in_(job_ids), *_failed()).order_by(jobs.c.seq)


def mark(job_id: str, new_id: str) -> Update:
    """Mark a failed job as redriven by `new_id`; no row if it already was, or was deleted."""
    return update(jobs).where(jobs.c.id == job_id, *_failed()).values(redriven_as=new_id).returning(jobs.c.id)


def count_inputs(job_id: str) -> Select[Any]:
    """Return how many inputs of a job are still known."""
    return select(func.count()).select_from(inputs).where(inputs.c.job_id == job_id)


def again(
    job_id: str,
    new_id: str,
    *,
    pending: bool,
    key_id: str | None = None,
    most_priority: int | None = None,
    usual_cap: int | None = None,
    servers: ServerChoice | None = None,
) -> Select[Any]:
    """Add the new job, with the parameters, the time and the price of the old one; returns its row.

    It may run where the old one might, unless `servers` says where. A caller's `key_id` pays for it instead of the old
    job's, with `most_priority` at most, and within `usual_cap` (as `jobs.statements.budget.admit` has it). Raises an
    error with the SQLSTATE `SPENT` when a budget has no room for the price, or `FULL`.
    """
    span = now - jobs.c.created_at
    payer = jobs.c.key_id if key_id is None else literal(key_id)
    values = {
        "id": literal(new_id),
        "status": literal((JobStatus.PENDING if pending else JobStatus.QUEUED).value),
        "created_at": now,
        "queued_at": null() if pending else now,
        "deadline_at": jobs.c.deadline_at + span,
        "run_deadline_at": jobs.c.run_deadline_at + span,
        "spill_at": jobs.c.spill_at + span,
        "redrive_of": jobs.c.id,
        "has_inputs": literal(pending),
        "key_id": payer,
        "priority": jobs.c.priority if most_priority is None else func.least(jobs.c.priority, most_priority),
    }
    for name in (
        "tenant",
        "modality",
        "model",
        "params",
        "seed",
        "max_attempts",
        "server_id",
        "price_usd",
        "traceparent",
        "origin",
        "labels",
    ):
        values[name] = jobs.c[name]
    values["callback_url"] = jobs.c.callback_url
    if servers is not None:
        spill_at = null() if servers.spill is None else after(servers.spill)
        values |= {"server_id": literal(servers.server, Text), "spill_at": spill_at}
    return with_outbox_events(
        insert(jobs).from_select(
            list(values),
            select(*values.values()).where(
                jobs.c.id == job_id, admit(jobs.c.tenant, payer, func.coalesce(jobs.c.price_usd, 0), usual_cap)
            ),
        )
    )


def again_inputs(job_id: str, new_id: str) -> Insert:
    """Add the new job's inputs: the clean copies of the old inputs where there are any, else their sources."""
    has_copy = inputs.c.key.is_not(None)
    values = {
        "job_id": literal(new_id),
        "model": model_of(new_id),
        "url": case((has_copy, None), else_=inputs.c.url),
        "source_key": func.coalesce(inputs.c.key, inputs.c.source_key),
        "host": case((has_copy, ""), else_=inputs.c.host),
        "max_bytes": case((has_copy, None), else_=inputs.c.max_bytes),  # what the caller sent was judged already
        "types": case((has_copy, literal([], JSONB)), else_=inputs.c.types),
        "max_seconds": case((has_copy, None), else_=inputs.c.max_seconds),
        "min_side": case((has_copy, 0), else_=inputs.c.min_side),
        "frame": case((has_copy, None), else_=inputs.c.frame),  # the copy of a film's picture is the picture
    }
    for name in ("name", "tenant", "kind", "min_seconds"):
        values[name] = inputs.c[name]
    return insert(inputs).from_select(list(values), select(*values.values()).where(inputs.c.job_id == job_id))


def _failed() -> tuple[Any, ...]:
    return jobs.c.status == JobStatus.FAILED, jobs.c.redriven_as.is_(None), jobs.c.deleted_at.is_(None)
