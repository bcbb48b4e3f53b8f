"""The statement about what waits and runs, model by model, and which servers take jobs of each."""

from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, case, cast, extract, func, select

from jobs.job import ACTIVE, JobStatus
from jobs.schema.tables import jobs, servers, tenants
from jobs.statements.clauses import tx_now

STORE_AWAY = "store_away"
UNABLE = ("draining", "drained", STORE_AWAY, "clock_skewed")
"""States of a living server in which it takes no jobs."""


def queue_by_model(tenant: str | None) -> Select[Any]:
    """Return a row for each model with unfinished jobs, of `tenant` or of all tenants.

    `inputs` are jobs that wait for their inputs, `backoff` those that are retried later, `offline` those that are
    pinned to a server that is away, `paused` those of tenants that have paused their queues, `queued` the others that
    wait, `running` those that run, and `oldest` is the seconds since the first of the waiting ones could have run.
    `serving` is how many living servers have the model, `taking` how many of them take jobs, and `store_away` how many
    would, were the object store there. It reads every unfinished job of the tenant, or of all.
    """
    pinned = and_(jobs.c.server_id.is_not(None), jobs.c.spill_at.is_(None))
    there = select(servers.c.server_id).where(
        servers.c.server_id == jobs.c.server_id, servers.c.lease_until > tx_now, servers.c.removed_at.is_(None)
    )
    is_queued = jobs.c.status == JobStatus.QUEUED.value
    state = case(
        (jobs.c.status == JobStatus.PENDING.value, "inputs"),
        (jobs.c.status == JobStatus.PROCESSING.value, "running"),
        (jobs.c.available_at > tx_now, "backoff"),
        (and_(pinned, ~there.exists()), "offline"),
        (jobs.c.tenant.in_(select(tenants.c.id).where(tenants.c.paused_at.is_not(None))), "paused"),
        else_="queued",
    )
    waits_since = case((and_(is_queued, jobs.c.available_at <= tx_now), jobs.c.available_at))
    found = select(jobs.c.model, state.label("state"), waits_since.label("since")).where(jobs.c.status.in_(ACTIVE))
    if tenant is not None:
        found = found.where(jobs.c.tenant == tenant)
    each = found.subquery()
    is_active = servers.c.desired == "active"
    living = (
        select(
            func.unnest(servers.c.serves).label("model"),
            and_(is_active, servers.c.state.not_in(UNABLE)).label("takes"),
            and_(is_active, servers.c.state == STORE_AWAY).label("lacks_store"),
        )
        .where(servers.c.lease_until > tx_now, servers.c.removed_at.is_(None))
        .subquery()
    )
    by_model = (
        select(
            living.c.model,
            func.count().label("serving"),
            func.sum(cast(living.c.takes, Integer)).label("taking"),
            func.sum(cast(living.c.lacks_store, Integer)).label("store_away"),
        )
        .group_by(living.c.model)
        .subquery()
    )
    counts = [_count(each.c.state, name) for name in ("inputs", "backoff", "offline", "paused", "queued", "running")]
    return (
        select(
            each.c.model,
            *counts,
            extract("epoch", tx_now - func.min(each.c.since)).label("oldest"),
            func.coalesce(func.max(by_model.c.serving), 0).label("serving"),
            func.coalesce(func.max(by_model.c.taking), 0).label("taking"),
            func.coalesce(func.max(by_model.c.store_away), 0).label("store_away"),
        )
        .outerjoin(by_model, by_model.c.model == each.c.model)
        .group_by(each.c.model)
        .order_by(each.c.model)
    )


def _count(state: ColumnElement[Any], name: str) -> ColumnElement[int]:
    return func.count().filter(state == name).label(name)
