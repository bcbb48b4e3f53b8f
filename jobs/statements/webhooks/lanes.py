"""The choice of what is sent next, made lane by lane. A lane is what is open for one tenant and one origin.

An origin is scheme, host and port of a URL. The index `ix_outbox_lane` is sorted by tenant, lane and due time, so the
statement goes from lane to lane (`jobs.statements.lane_index`) and reads the head of each, however long the lane is.
"""

from typing import Any

from sqlalchemy import BindParameter, Boolean, Integer, Text, TextualSelect, bindparam, text

from jobs.schema.tables import is_open
from jobs.statements.lane_index import SECOND, LaneIndex
from jobs.statements.outbox import TRANSIENT_EVENTS

LANES = 1000
"""Lanes of a tenant that one statement visits; the next one begins elsewhere, so all of them get their turn."""
HEAD = 8
"""Due deliveries at the head of a lane that are looked at."""
OLDER = 16
"""Older events of the same job that are looked at."""

_OPEN = "delivered_at IS NULL AND given_up_at IS NULL AND superseded_at IS NULL"
"""`is_open`, in the words of the index that is sorted by the time at which a delivery is due."""
_FREE = "(lease_until IS NULL OR lease_until < now())"
_INDEX = LaneIndex(
    table="outbox",
    condition=is_open,
    lane="webhook_lane(url)",
    order="available_at, event_seq",
    columns={"origin": "webhook_origin(url)"},
)


def choose(limit: int, breaker_failures: int, origin_limit: int, tenant_limit: int) -> TextualSelect:
    """Select and lock deliveries, as (id, stale): those to be superseded, and those to be leased."""
    transient = ", ".join(f"'{event}'" for event in TRANSIENT_EVENTS)
    newer = _of_same_job(f"event_seq > head.event_seq AND available_at <= now() AND {_FREE}", limit=1)
    older = _of_same_job(f"event_seq < head.event_seq AND type IN ({transient}) AND {_FREE}", limit=OLDER)
    not_stale = "NOT EXISTS (SELECT FROM stale WHERE stale.id = {}.id)"
    earlier = _of_same_job(f"event_seq < head.event_seq AND {not_stale.format('other')}", limit=1)
    # Among equals the order changes each second, so that the oldest backlog is not always the first.
    spread = f"hashtextextended(tenant, {SECOND})"
    locked = """
        SELECT id, delivered_at, given_up_at, superseded_at, lease_until FROM outbox
        WHERE outbox.id = wanted.id LIMIT 1 FOR UPDATE SKIP LOCKED"""
    statement = f"""
    WITH RECURSIVE
    under_way AS MATERIALIZED (
        SELECT tenant, webhook_origin(url) AS origin FROM outbox WHERE {is_open} AND lease_until >= now()
        ORDER BY lease_until
    ),
    leased AS MATERIALIZED (
        SELECT counted.*, coalesce(receiver.failures >= :failures, false) AS tripped
        FROM (SELECT tenant, origin, count(*) AS number FROM under_way GROUP BY tenant, origin) AS counted
        LEFT JOIN LATERAL ({_receiver_of("counted")}) AS receiver ON true
    ),
    of_tenant AS (SELECT tenant, sum(number) AS number FROM leased GROUP BY tenant),
    at_origin AS (
        SELECT origin, sum(least(number, :half)) AS number FROM leased WHERE NOT tripped GROUP BY origin
    ),
    {_INDEX.tenants()},
    busy AS MATERIALIZED (
        SELECT tenant, coalesce(of_tenant.number, 0) AS number
        FROM tenant_step LEFT JOIN of_tenant USING (tenant) WHERE tenant IS NOT NULL
    ),
    visited AS MATERIALIZED (
        SELECT busy.tenant, busy.number AS of_tenant, lane, origin, available_at
        FROM busy CROSS JOIN LATERAL ({_lanes_of("busy.tenant")}) AS found
        WHERE busy.number < :tenant_limit AND available_at <= now()
    ),
    receiving AS MATERIALIZED (
        SELECT visited.*, coalesce(receiver.failures >= :failures, false) AS tripped
        FROM visited LEFT JOIN LATERAL ({_receiver_of("visited")}) AS receiver ON true
        WHERE receiver.open_until IS NULL OR receiver.open_until <= now()
    ),
    lane AS MATERIALIZED (
        SELECT *
        FROM (
            SELECT *,
                row_number() OVER (PARTITION BY origin, tripped ORDER BY at_lane, {spread}) AS place,
                row_number() OVER (PARTITION BY tenant ORDER BY available_at) AS turn
            FROM (
                SELECT receiving.*, coalesce(leased.number, 0) AS at_lane, coalesce(at_origin.number, 0) AS at_origin,
                    CASE WHEN receiving.tripped THEN 1 ELSE :places END AS room
                FROM receiving
                LEFT JOIN leased USING (tenant, origin)
                LEFT JOIN at_origin USING (origin)
            ) AS counted
            WHERE at_lane < room AND (tripped OR at_origin < :places)
        ) AS ranked
        WHERE tripped OR place <= 4 * :places
        ORDER BY turn LIMIT 2 * :limit_ + (SELECT coalesce(sum(number), 0) FROM leased)
    ),
    head AS MATERIALIZED (
        SELECT tenant, origin, tripped, of_tenant, at_lane, at_origin, room, found.*
        FROM lane CROSS JOIN LATERAL ({_head_of("lane")}) AS found
    ),
    stale AS MATERIALIZED (
        SELECT wanted.id
        FROM (
            SELECT id FROM head WHERE type IN ({transient}) AND ({newer}) IS NOT NULL
            UNION
            SELECT found.id FROM head CROSS JOIN LATERAL ({older}) AS found WHERE webhook_id IS NOT NULL
        ) AS wanted
        CROSS JOIN LATERAL ({locked}) AS locked
        WHERE {is_open} AND {_FREE}
    ),
    candidate AS MATERIALIZED (
        SELECT *, at_lane + row_number() OVER (PARTITION BY tenant, origin ORDER BY available_at, event_seq) AS turn
        FROM head WHERE {not_stale.format("head")} AND ({earlier}) IS NULL
    ),
    placed AS (
        SELECT *, at_origin + count(*) FILTER (WHERE NOT tripped) OVER (
                PARTITION BY origin ORDER BY tripped DESC, turn, {spread}, available_at ROWS UNBOUNDED PRECEDING
            ) AS place
        FROM (
            SELECT *, min(tenant) FILTER (WHERE NOT tripped) OVER sharing
                < max(tenant) FILTER (WHERE NOT tripped) OVER sharing AS is_shared
            FROM candidate WINDOW sharing AS (PARTITION BY origin)
        ) AS fair
        WHERE turn <= CASE WHEN is_shared THEN least(room, :half) ELSE room END
    ),
    due AS (
        SELECT id, available_at,
            of_tenant + row_number() OVER (PARTITION BY tenant ORDER BY place, available_at) AS at_tenant
        FROM placed WHERE place <= :places
    ),
    sent AS MATERIALIZED (
        SELECT wanted.id
        FROM (SELECT * FROM due WHERE at_tenant <= :tenant_limit ORDER BY at_tenant, available_at) AS wanted
        CROSS JOIN LATERAL ({locked}) AS locked
        WHERE {is_open} AND {_FREE}
        LIMIT :limit_
    )
    SELECT id, true AS stale FROM stale UNION ALL SELECT id, false FROM sent
    """
    bound: tuple[BindParameter[Any], ...] = (
        bindparam("failures", breaker_failures, Integer),
        bindparam("places", origin_limit, Integer),
        bindparam("half", max(1, origin_limit // 2), Integer),
        bindparam("tenant_limit", tenant_limit, Integer),
        bindparam("limit_", limit, Integer),
    )
    return text(statement).bindparams(*bound).columns(id=Text, stale=Boolean)


def choose_only() -> TextualSelect:
    """Select and lock the delivery that is due, as (id), where it is the only one, and none of its job waits before it.

    Nothing competes with it then, so only its receiver's breaker is asked.
    """
    is_due = f"{_OPEN} AND available_at <= now()"
    earlier = _of_same_job("event_seq < head.event_seq", limit=1)
    receiver = _receiver_of("head", "webhook_origin(head.url)")
    return text(f"""
        SELECT id FROM outbox AS head
        WHERE (SELECT count(*) FROM (SELECT FROM outbox WHERE {is_due} LIMIT 2) AS due) = 1
            AND {is_due} AND {_FREE} AND ({earlier}) IS NULL
            AND coalesce((SELECT open_until FROM ({receiver}) AS receiver) <= now(), true)
        LIMIT 1 FOR UPDATE OF head SKIP LOCKED""").columns(id=Text)


def _lanes_of(tenant: str, second: str = SECOND) -> str:
    """Return a query of the lanes of a tenant, as (lane, origin, available_at of its first delivery)."""
    return _INDEX.lanes_of(tenant, LANES, second)


def _head_of(lane: str) -> str:
    """Return a query of the first deliveries of a lane that are due and not leased."""
    return f"""
        SELECT id, job_id, webhook_id, event_seq, type, available_at FROM outbox
        WHERE {is_open} AND tenant = {lane}.tenant AND webhook_lane(url) = {lane}.lane AND available_at <= now()
            AND {_FREE}
        ORDER BY available_at, event_seq LIMIT {HEAD}"""


def _of_same_job(condition: str, *, limit: int) -> str:
    """Return a query of open deliveries of the job of `head` to the same callback or endpoint, as ids."""
    return f"""
        SELECT id FROM outbox AS other
        WHERE {is_open} AND job_id = head.job_id AND webhook_id IS NOT DISTINCT FROM head.webhook_id AND {condition}
        ORDER BY event_seq LIMIT {limit}"""


def _receiver_of(lane: str, origin: str | None = None) -> str:
    """Return a query of the failures of a lane's receiver; no row without any. `origin` is its own unless given."""
    return f"""
        SELECT failures, open_until FROM webhook_receivers AS known
        WHERE known.tenant = {lane}.tenant AND known.origin = {origin or f"{lane}.origin"} LIMIT 1"""
