"""The places of many jobs in one queue, read together: each follower's costs no count of its own.

A queue is that of a model, or for jobs that must have a server, that of a model at this server. The numbers are those
of `jobs.statements.queue.position`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ARRAY, BindParameter, Integer, Row, Text, TextClause, bindparam, text

from jobs.job import Job
from jobs.statements.queue.position import POSITION_LIMIT, group_rows, is_strict, partitions_of
from jobs.statements.queue.scan import RUNNING, tenants_of, turns


class QueueName(msgspec.Struct, frozen=True):
    """A queue: `server_id` is that of jobs which no other server may run."""

    model: str
    server_id: str | None = None


class QueueGroup(msgspec.Struct, frozen=True):
    """The jobs of one tenant and priority that may be taken now, counted to the limit.

    `place` is the tenant's in the order of turns; None for one that runs as many jobs as it may. `begun` of the `jobs`
    were claimed before, and go first. `ranks` has the followed ones of them, from 0.
    """

    priority: int
    tenant: str
    place: int | None
    jobs: int
    begun: int
    ranks: dict[str, int]


def queue_of_job(job: Job) -> QueueName:
    """Return the queue that a job waits in."""
    return QueueName(job.model, job.server_id if is_strict(job) else None)


def queue_groups(queue: QueueName, job_ids: Sequence[str]) -> TextClause:
    """Return the groups of a queue; `job_ids` are the jobs of which a rank is asked for."""
    strict = queue.server_id is not None
    binds: list[BindParameter[Any]] = [
        bindparam("model", queue.model),
        bindparam("ids", list(job_ids), ARRAY(Text)),
        bindparam("limit", POSITION_LIMIT, Integer),
    ]
    if strict:
        binds.append(bindparam("server", queue.server_id))
    return text(_groups_text(strict=strict)).bindparams(*binds)


def group_of_row(row: Row[Any]) -> QueueGroup:
    """Return a row of `queue_groups`."""
    return msgspec.convert(row._mapping, QueueGroup)


def count_ahead(job: Job, groups: Iterable[QueueGroup]) -> int:
    """Return how many jobs of its queue are ahead of a queued job, counted to `POSITION_LIMIT`."""
    own, others, ahead = None, [], 0
    for group in groups:
        if group.priority == job.priority and group.tenant == job.tenant:
            own = group
        elif group.place is not None and group.priority == job.priority:
            others.append(group)
        elif group.place is not None and group.priority > job.priority:
            ahead += group.jobs
    if own is None:
        return min(ahead, POSITION_LIMIT)  # another process has just taken it
    rank = own.ranks.get(job.id, own.begun if job.fence else own.jobs)  # one that may not be taken yet goes last
    if own.place is not None:
        ahead += rank
    for group in others:
        sooner = own.place is not None and group.place is not None and group.place < own.place
        ahead += min(group.jobs, rank + sooner)
    return min(ahead, POSITION_LIMIT)


def _groups_text(*, strict: bool) -> str:
    partitions = partitions_of(strict=strict)
    key = {"priority": "level.priority", "tenant": "turn.tenant", "model": ":model"}
    stepping = ",".join(tenants_of(partition, name, "level.priority") for name, partition in partitions.items())
    return f"""
    WITH {RUNNING}
    SELECT level.priority, turn.tenant, turn.place, waiting.jobs, waiting.begun,
        coalesce(waiting.ranks, '{{}}') AS ranks
    FROM generate_series(9, 0, -1) AS level (priority)
    CROSS JOIN LATERAL (
        SELECT found.tenant, turns.place
        FROM (
            WITH RECURSIVE {stepping}
            {" UNION ".join(f"SELECT tenant FROM {name}" for name in partitions)}
        ) AS found
        LEFT JOIN ({turns(partitions, "level.priority")}) AS turns ON turns.tenant = found.tenant
    ) AS turn
    CROSS JOIN LATERAL (
        SELECT count(*) AS jobs, count(*) FILTER (WHERE begun = 1) AS begun,
            jsonb_object_agg(id, rank) FILTER (WHERE id = ANY(:ids)) AS ranks
        FROM (
            SELECT id, begun, row_number() OVER (ORDER BY begun DESC, since, seq) - 1 AS rank
            FROM (VALUES (1), (0)) AS past (begun)
            CROSS JOIN LATERAL ({group_rows(partitions, begun="past.begun", **key)}) AS one
        ) AS ranked
    ) AS waiting
    """
