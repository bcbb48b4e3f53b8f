"""The position of a waiting job in the queue, and the reason why it waits."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    DateTime,
    Integer,
    TextualSelect,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    text,
)

from jobs.job import Job, JobStatus
from jobs.schema.tables import jobs, servers, tenants
from jobs.statements.clauses import tx_now
from jobs.statements.queue.scan import OPEN, OWN, RUNNING, QueuePartition, group, turns
from jobs.wire.wait_reasons import Reason

POSITION_LIMIT = 1000

_SHARED = "NOT EXISTS (SELECT FROM servers WHERE servers.server_id = :server AND dedicated)"


def queue_position(job: Job) -> TextualSelect:
    """Return how many waiting jobs are ahead of this one, counted to `POSITION_LIMIT`.

    Jobs of its model are counted: all of a higher priority; of its own priority, those of its tenant that go before it,
    and as many of every other tenant, since tenants take turns. For a job that asks strictly for a server, these are
    the jobs that ask for the same server and, unless that is dedicated, those that any server may take. For any other
    job, only those that any server may take are counted: another server may take it before a job that waits for its
    own server. Two things cannot be known and are left out: which of its models a worker stays with, and later jobs of
    a higher priority.
    """
    strict = job.server_id is not None and job.spill_at is None
    partitions = {"open": OPEN, "own": OWN} if strict else {"open": OPEN}
    own = {"priority": ":priority", "tenant": ":tenant", "model": ":model"}
    ahead = {"priority": "level.priority", "tenant": "turn.tenant", "model": ":model"}
    statement = f"""
    WITH {RUNNING},
    mine AS MATERIALIZED (
        SELECT count(*) AS jobs FROM (
            {_ids(partitions, ":begun = 0", begun="1", **own)}
            UNION ALL
            {_ids(partitions, "({order}) < (:since, :seq)", begun=":begun", **own)}
        ) AS before
    )
    SELECT count(*) AS ahead FROM (
        SELECT FROM generate_series(9, :priority, -1) AS level (priority)
        CROSS JOIN LATERAL (
            SELECT tenant, place < max(place) FILTER (WHERE tenant = :tenant) OVER () AS sooner
            FROM ({turns(partitions, "level.priority")}) AS turns
        ) AS turn
        CROSS JOIN LATERAL (
            SELECT FROM (VALUES (1), (0)) AS past (begun)
            CROSS JOIN LATERAL ({_ids(partitions, begun="past.begun", **ahead)}) AS one
            LIMIT CASE WHEN level.priority > :priority THEN :limit
                ELSE (SELECT mine.jobs FROM mine) + coalesce(turn.sooner, false)::integer END
        ) AS one
        LIMIT :limit
    ) AS counted
    """
    since = job.available_at if job.spill_at is None else max(job.available_at, job.spill_at)
    values = {"tenant": job.tenant, "model": job.model, "priority": job.priority}
    numbers = {"begun": min(job.fence, 1), "limit": POSITION_LIMIT, "priority": job.priority}
    binds: list[BindParameter[Any]] = [bindparam(name, value, Integer) for name, value in numbers.items()]
    binds += [bindparam(name, value) for name, value in values.items() if name not in numbers]
    binds += [bindparam("since", since, DateTime(timezone=True)), bindparam("seq", job.seq, BigInteger)]
    if strict:
        binds.append(bindparam("server", job.server_id))
    return text(statement).bindparams(*binds).columns(ahead=Integer)


def _ids(partitions: Mapping[str, QueuePartition], condition: str = "true", **key: str) -> str:
    """Return a query of the jobs of one group that meet a condition, each of them once.

    `{order}` in the condition stands for the sort columns of the partition.
    """
    found = []
    for partition in partitions.values():
        rows = f"{group(partition, **key)} AND {condition.format(order=partition.order)}"
        last = f"ORDER BY {partition.order} LIMIT :limit"
        if partition is OPEN and len(partitions) > 1:
            # Jobs that prefer the server are in both. They are dropped after the limit, which bounds the reads.
            rows = f"FROM (SELECT id, server_id {rows} AND {_SHARED} {last}) AS shared"
            last = "WHERE server_id IS DISTINCT FROM :server"
        found.append(f"(SELECT id {rows} {last})")
    return " UNION ALL ".join(found)


def reason(job: Job) -> ColumnElement[Any]:
    """Return what a waiting job waits for, as the value of a `Reason`.

    The jobs ahead of it are not counted: `server_busy` says that no server that may run it is idle.
    """
    alive = servers.c.lease_until > tx_now
    if job.status is JobStatus.PENDING:
        served = exists().where(alive, literal(job.model) == any_(servers.c.serves))
        return case((~served, Reason.NO_SERVER_FOR_MODEL.value), else_=Reason.INPUTS.value)
    asked = servers.c.server_id == job.server_id
    bound = and_(literal(job.server_id is not None), or_(literal(job.spill_at is None), literal(job.spill_at) > tx_now))
    able = and_(
        alive,
        literal(job.model) == any_(servers.c.serves),
        case((bound, asked), else_=or_(~servers.c.dedicated, asked)),
    )
    running = select(func.count()).where(jobs.c.tenant == job.tenant, jobs.c.status == JobStatus.PROCESSING)
    capped = exists().where(
        tenants.c.id == job.tenant, tenants.c.max_running_jobs <= running.correlate(None).scalar_subquery()
    )
    taking = and_(able, servers.c.desired == "active")
    return case(
        (literal(job.available_at) > tx_now, Reason.BACKOFF.value),
        (and_(bound, ~exists().where(alive, asked)), Reason.SERVER_OFFLINE.value),
        (~exists().where(able), Reason.NO_SERVER_FOR_MODEL.value),
        (~exists().where(taking), Reason.SERVER_CORDONED.value),
        (~exists().where(taking, servers.c.state != "store_away"), Reason.STORE_AWAY.value),
        (capped, Reason.TENANT_RUNNING_CAP.value),
        (~exists().where(taking, servers.c.current_job.is_(None)), Reason.SERVER_BUSY.value),
        else_=Reason.QUEUE.value,
    )
