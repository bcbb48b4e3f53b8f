"""The position of a waiting job in the queue.

A status poll reads it of one job, in a function of the database (`forecast`); followers read it of many
(`places`).
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, BindParameter, DateTime, Integer, TextualSelect, bindparam, text

from jobs.job import Job
from jobs.statements.queue.scan import OPEN, OWN, RUNNING, QueuePartition, group, turns

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
    strict = is_strict(job)
    since = job.available_at if job.spill_at is None else max(job.available_at, job.spill_at)
    values = {"tenant": job.tenant, "model": job.model, "priority": job.priority}
    numbers = {"begun": min(job.fence, 1), "limit": POSITION_LIMIT, "priority": job.priority}
    binds: list[BindParameter[Any]] = [bindparam(name, value, Integer) for name, value in numbers.items()]
    binds += [bindparam(name, value) for name, value in values.items() if name not in numbers]
    binds += [bindparam("since", since, DateTime(timezone=True)), bindparam("seq", job.seq, BigInteger)]
    if strict:
        binds.append(bindparam("server", job.server_id))
    return text(position_text(strict=strict)).bindparams(*binds).columns(ahead=Integer)


def is_strict(job: Job) -> bool:
    """Return whether only the server that the job asks for may ever run it."""
    return job.server_id is not None and job.spill_at is None


def partitions_of(*, strict: bool) -> Mapping[str, QueuePartition]:
    """Return the partitions in which jobs ahead of a job wait."""
    return {"open": OPEN, "own": OWN} if strict else {"open": OPEN}


def position_text(*, strict: bool) -> str:
    """Return the query of `queue_position` with its parameters as `:name`; `strict` as in `is_strict`."""
    partitions = partitions_of(strict=strict)
    own = {"priority": ":priority", "tenant": ":tenant", "model": ":model"}
    ahead = {"priority": "level.priority", "tenant": "turn.tenant", "model": ":model"}
    return f"""
    WITH {RUNNING},
    mine AS MATERIALIZED (
        SELECT count(*) AS jobs FROM (
            {group_rows(partitions, ":begun = 0", begun="1", **own)}
            UNION ALL
            {group_rows(partitions, "({order}) < (:since, :seq)", begun=":begun", **own)}
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
            CROSS JOIN LATERAL ({group_rows(partitions, begun="past.begun", **ahead)}) AS one
            LIMIT CASE WHEN level.priority > :priority THEN :limit
                ELSE (SELECT mine.jobs FROM mine) + coalesce(turn.sooner, false)::integer END
        ) AS one
        LIMIT :limit
    ) AS counted
    """


def group_rows(partitions: Mapping[str, QueuePartition], condition: str = "true", **key: str) -> str:
    """Return a query of the jobs of one group that meet a condition, each of them once: `id`, `since`, `seq`.

    `{order}` in the condition stands for the sort columns of the partition.
    """
    found = []
    for partition in partitions.values():
        rows = f"{group(partition, **key)} AND {condition.format(order=partition.order)}"
        last = f"ORDER BY {partition.order} LIMIT :limit"
        columns = f"id, {partition.since} AS since, seq"
        if partition is OPEN and len(partitions) > 1:
            # Jobs that prefer the server are in both. They are dropped after the limit, which bounds the reads.
            rows = f"FROM (SELECT {columns}, server_id {rows} AND {_SHARED} {last}) AS shared"
            columns, last = "id, since, seq", "WHERE server_id IS DISTINCT FROM :server"
        found.append(f"(SELECT {columns} {rows} {last})")
    return " UNION ALL ".join(found)
