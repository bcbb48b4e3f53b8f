"""The choice of the inputs that are fetched next, made lane by lane.

A lane is what waits of one tenant, from one host, for one model. The index `ix_inputs_lane` is sorted by tenant, lane
and due time, so the statement goes from lane to lane (`jobs.statements.lane_index`) and reads the head of each,
however long the lane is. It passes by the lanes of models that no live server serves.
"""

from typing import Any

from sqlalchemy import BigInteger, BindParameter, Integer, Text, TextualSelect, bindparam, text

from jobs.schema.tables import input_lane, is_waiting
from jobs.statements.lane_index import LaneIndex

LANES = 1000
"""Lanes of a tenant that one statement visits; the next one begins elsewhere, so all of them get their turn."""
HEAD = 16
"""Due inputs at the head of a lane that are looked at."""

INDEX = LaneIndex(
    table="inputs",
    condition=is_waiting,
    lane=input_lane,
    order="available_at",
    columns={"host": "host", "model": "model"},
)
_IS_FREE = "(lease_until IS NULL OR lease_until < now() AND attempt < :attempts)"
"""A lease that ran out with the last attempt is for `inputs.lost`."""
_KEPT_BYTES = """
    SELECT sum(bytes) FROM inputs
    WHERE inputs.tenant BETWEEN one.tenant AND one.tenant AND status = 'ready'
"""
"""Bytes of the copies of a tenant. A range, of which the planner knows nothing, so it takes the index whatever old
statistics say."""


def choose(limit: int, max_attempts: int, tenant_bytes: int, host_limit: int, tenant_limit: int) -> TextualSelect:
    """Select and lock inputs that are to be leased, as (job_id, name)."""
    statement = f"""
    WITH RECURSIVE
    leased AS MATERIALIZED (
        SELECT tenant, host, count(*) AS number
        FROM (SELECT tenant, host FROM inputs WHERE lease_until >= now() ORDER BY lease_until) AS held
        GROUP BY tenant, host
    ),
    of_tenant AS (SELECT tenant, sum(number) AS number FROM leased GROUP BY tenant),
    at_host AS MATERIALIZED (SELECT host, sum(number) AS number FROM leased WHERE host <> '' GROUP BY host),
    served AS MATERIALIZED (SELECT DISTINCT unnest(serves) AS model FROM servers WHERE lease_until > now()),
    {INDEX.tenants()},
    visited AS MATERIALIZED (
        SELECT free.tenant, free.of_tenant, found.*
        FROM (
            SELECT tenant, coalesce(of_tenant.number, 0) AS of_tenant
            FROM tenant_step LEFT JOIN of_tenant USING (tenant) WHERE tenant IS NOT NULL
        ) AS free
        CROSS JOIN LATERAL ({INDEX.lanes_of("free.tenant", LANES)}) AS found
        WHERE free.of_tenant < :tenant_limit AND available_at <= now()
            AND (model = '' OR model IN (SELECT model FROM served))
    ),
    with_room AS MATERIALIZED (
        SELECT tenant FROM (SELECT DISTINCT tenant FROM visited) AS one
        WHERE :tenant_bytes > coalesce(({_KEPT_BYTES}), 0)
    ),
    lane AS MATERIALIZED (
        SELECT *
        FROM (
            SELECT *,
                row_number() OVER (PARTITION BY host ORDER BY at_lane, available_at) AS place,
                row_number() OVER (PARTITION BY tenant ORDER BY available_at) AS turn
            FROM (
                SELECT visited.*, coalesce(leased.number, 0) AS at_lane, coalesce(at_host.number, 0) AS at_host
                FROM visited
                JOIN with_room USING (tenant)
                LEFT JOIN leased USING (tenant, host)
                LEFT JOIN at_host USING (host)
            ) AS counted
            WHERE at_host < :host_limit
        ) AS ranked
        WHERE host = '' OR place <= 4 * :host_limit
        ORDER BY turn, available_at LIMIT 2 * :limit_ + (SELECT coalesce(sum(number), 0) FROM leased)
    ),
    candidate AS MATERIALIZED (
        SELECT *, at_lane + row_number() OVER (PARTITION BY tenant, host ORDER BY available_at) AS turn
        FROM (
            SELECT lane.tenant, lane.host, lane.of_tenant, lane.at_lane, lane.at_host, found.*
            FROM lane CROSS JOIN LATERAL ({_head_of("lane")}) AS found
        ) AS head
    ),
    placed AS (
        SELECT *, at_host + row_number() OVER (PARTITION BY host ORDER BY turn, available_at) AS place FROM candidate
    ),
    due AS (
        SELECT *, of_tenant + row_number() OVER (PARTITION BY tenant ORDER BY turn, available_at) AS at_tenant
        FROM placed WHERE host = '' OR place <= :host_limit
    )
    SELECT wanted.job_id, wanted.name
    FROM (SELECT * FROM due WHERE at_tenant <= :tenant_limit ORDER BY at_tenant, available_at) AS wanted
    CROSS JOIN LATERAL (
        SELECT status, lease_until, attempt FROM inputs
        WHERE inputs.job_id = wanted.job_id AND inputs.name = wanted.name LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS locked
    WHERE {is_waiting} AND {_IS_FREE}
    LIMIT :limit_
    """
    bound: tuple[BindParameter[Any], ...] = (
        bindparam("attempts", max_attempts, Integer),
        bindparam("tenant_bytes", tenant_bytes, BigInteger),
        bindparam("host_limit", host_limit, Integer),
        bindparam("tenant_limit", tenant_limit, Integer),
        bindparam("limit_", limit, Integer),
    )
    return text(statement).bindparams(*bound).columns(job_id=Text, name=Text)


def _head_of(lane: str) -> str:
    """Return a query of the first inputs of a lane that are due, not leased, and of jobs that wait for them.

    An API of the version before submits inputs without a model; then the job says which it is.
    """
    return f"""
        SELECT head.job_id, head.name, head.available_at
        FROM (
            SELECT job_id, name, available_at FROM inputs
            WHERE {is_waiting} AND tenant = {lane}.tenant AND {input_lane} = {lane}.lane AND available_at <= now()
                AND {_IS_FREE}
            ORDER BY available_at LIMIT {HEAD}
        ) AS head
        CROSS JOIN LATERAL (
            SELECT FROM jobs
            WHERE jobs.id = head.job_id AND jobs.status = 'pending' AND deleted_at IS NULL AND deadline_at > now()
                AND ({lane}.model <> '' OR jobs.model IN (SELECT model FROM served)) LIMIT 1
        ) AS job
        ORDER BY head.available_at LIMIT :tenant_limit"""
