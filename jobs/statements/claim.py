"""The claim: which job this worker runs next."""

from functools import lru_cache

import msgspec
from sqlalchemy import Update, exists, func, or_, select, update

from jobs.job import JobStatus
from jobs.statements.clauses import after, ago, moment, now
from jobs.tables import jobs, servers


class Claimant(msgspec.Struct, frozen=True, kw_only=True):
    """The worker that asks for a job."""

    server_id: str
    incarnation: int
    models: tuple[str, ...]
    """Models it serves."""
    resident: tuple[str, ...] = ()
    """Models it has in memory."""
    dedicated: bool = False
    """Takes only jobs pinned to it."""


@lru_cache(maxsize=8)  # building it costs as much as executing it
def claim(claimant: Claimant, *, lease_seconds: float, warm_bound_seconds: float = 30.0) -> Update:
    """Take the best job this worker may run; matches no row when there is none.

    Order: priority, then jobs older than `warm_bound_seconds` before others (so that a model in memory is
    preferred but never beyond that wait), then tenants with fewer running jobs, then models in memory, then age.
    """
    running = (
        select(jobs.c.tenant, func.count().label("n"))
        .where(jobs.c.status == JobStatus.PROCESSING)
        .group_by(jobs.c.tenant)
        .cte("running")
    )
    alive = exists().where(
        servers.c.server_id == claimant.server_id,
        servers.c.incarnation == claimant.incarnation,
        servers.c.lease_until > moment,
        servers.c.desired == "active",
    )
    pinned = jobs.c.server_id == claimant.server_id
    best = (
        select(jobs.c.id)
        .outerjoin(running, running.c.tenant == jobs.c.tenant)
        .where(
            alive,
            jobs.c.status == JobStatus.QUEUED,
            jobs.c.model.in_(claimant.models),
            jobs.c.available_at <= moment,
            jobs.c.deadline_at > moment,
            pinned if claimant.dedicated else or_(pinned, jobs.c.server_id.is_(None)),
        )
        .order_by(
            jobs.c.priority.desc(),
            (jobs.c.created_at < ago(warm_bound_seconds)).desc(),
            func.coalesce(running.c.n, 0),
            jobs.c.model.in_(claimant.resident).desc(),
            jobs.c.created_at,
            jobs.c.id,
        )
        .limit(1)
        .with_for_update(of=jobs, skip_locked=True)
        .cte("best")
        .prefix_with("MATERIALIZED")
    )
    return (
        update(jobs)
        .where(jobs.c.id == best.c.id)
        .values(
            status=JobStatus.PROCESSING.value,
            fence=jobs.c.fence + 1,
            attempt=jobs.c.attempt + 1,
            worker=claimant.server_id,
            incarnation=claimant.incarnation,
            lease_until=after(lease_seconds),
            started_at=now,
            progress=0.0,
            stage="starting",
            event_seq=jobs.c.event_seq + 1,
        )
        .returning(*jobs.c)
    )
