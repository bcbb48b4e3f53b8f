"""Statements that remove the inputs of jobs: which are due, and their rows once the objects are gone."""

from typing import Any

from sqlalchemy import Delete, Exists, Select, delete, func, literal_column, not_, select, text, true, update

from jobs.schema.tables import cancelled_with_inputs, inputs, jobs, may_have_inputs, tenants
from jobs.statements.clauses import ago, outlived

BATCH = 500
OLDEST = 2000
"""Jobs of a tenant, or of all cancelled ones, among which a batch is chosen: a store that was away for a day leaves
many, and they are looked for every few seconds."""
CANCELLED_SECONDS = 30.0
"""How long the inputs of a cancelled job stay: an ingest under way has noticed the cancel by then."""


def finished(seconds: float) -> Select[Any]:
    """Return ended jobs whose inputs are past their retention and still stored, as (id, tenant), in random order.

    The retention is the tenant's, or `seconds`. Inputs that a redriven job still waits for are not past it. Each
    tenant's oldest jobs are the beginning of a range of an index, which has no jobs without inputs.
    """
    due = (
        select(jobs.c.id, jobs.c.tenant)
        .where(
            jobs.c.tenant == tenants.c.id,
            text(may_have_inputs),
            outlived("inputs", jobs.c.finished_at, seconds),
            not_(are_waited_for()),
        )
        .order_by(jobs.c.finished_at)
        .correlate(tenants)
        .limit(OLDEST)
        .lateral("due")
    )
    return (
        select(due.c.id, due.c.tenant)
        .select_from(tenants.join(due, true()))
        .order_by(func.random())  # what cannot be removed must not block the rest
        .limit(BATCH)
    )


def cancelled() -> Select[Any]:
    """Return jobs that were cancelled a while ago and whose inputs are still stored, as (id, tenant), in random order.

    Their inputs wait for no retention: a caller could fill the store with jobs that it cancels.
    """
    stored = select(inputs.c.name).where(inputs.c.job_id == jobs.c.id)
    due = (
        select(jobs.c.id, jobs.c.tenant)
        .where(text(cancelled_with_inputs), jobs.c.finished_at < ago(CANCELLED_SECONDS), stored.exists())
        .order_by(jobs.c.finished_at)
        .limit(OLDEST)
        .subquery("due")
    )
    return select(due.c.id, due.c.tenant).order_by(func.random()).limit(BATCH)


def are_waited_for() -> Exists:
    """Return whether clean copies of the job of the enclosing query are sources of inputs of a job that waits.

    OFFSET 0 makes it a look-up for each job: without it the planner may join with all inputs.
    """
    own, again = inputs.alias("own"), inputs.alias("again")
    return (
        select(again.c.name)
        .join(own, own.c.key == again.c.source_key)
        .where(own.c.job_id == jobs.c.id, again.c.status == "waiting")
        .correlate(jobs)
        .offset(literal_column("0"))
        .exists()
    )


def forget(job_id: str) -> Delete:
    """Remove the rows of a job's inputs, after their objects."""
    job = update(jobs).where(jobs.c.id == job_id).values(has_inputs=False).returning(jobs.c.id).cte("job")
    return delete(inputs).where(inputs.c.job_id == job.c.id)
