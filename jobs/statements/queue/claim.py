"""The claim: which job this worker runs next.

The order, in which each line decides between what those above it leave equal:

1. priority, the highest first;
2. models in the worker's memory before others, while the stay of those lasts: a stay begins with the loading of a
   model and lasts for `warm_bound_seconds` divided by the number of other models that wait, so that each of those has
   its turn within the bound;
3. the tenant with the fewest running jobs, then the one that was served longest ago;
4. jobs that were begun before and released or lost, then age: how long the job could have been taken, then the
   order of submit.

A tenant that runs as many jobs as it may (`tenants.max_running_jobs`), or whose queue is paused, is left out; a remote
backend also leaves out those whose jobs stay here (`tenants.local_only`).

A worker whose job could share its run with equal ones asks again with that job as `EQUAL_TO`. It gets the first job of
the same order if that is equal, else none: it never gets a job before another one that is next.

Workers execute it as a function of the database (`claim_function`), which keeps its plan. The arguments of the function
are the parameters named in `ARGUMENTS`.

The cost depends on how many priorities, tenants and models wait, and not on how many jobs: the statement goes through
the order step by step, reads the first job of each group that it comes to, and stops at the first that it can lock. A
job that another claimer has just locked is passed by for the next of its group.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    Double,
    Select,
    Text,
    TextualSelect,
    any_,
    bindparam,
    cast,
    func,
    not_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from jobs.job import JobBackend, JobStatus
from jobs.params.base import Params
from jobs.schema.tables import jobs, servers, tenants
from jobs.statements.clauses import after, now
from jobs.statements.outbox import with_outbox_events
from jobs.statements.queue.scan import OPEN, OWN, RUNNING, WAITED, QueuePartition, earliest, group, turns

ARGUMENTS: Mapping[str, TypeEngine[Any]] = {
    "server": Text(),
    "holder": BigInteger(),
    "models": ARRAY(Text),
    "resident": ARRAY(Text),
    "lease": Double(),
    "bound": Double(),
    "equal_to": Text(),
    "backends": Text(),
}
"""The parameters of the claim: name and incarnation of the server, its models, those in memory, seconds, `EQUAL_TO`,
and what is noted of the backend, by model, as JSON."""
REMOTE_ARGUMENTS: Mapping[str, TypeEngine[Any]] = {**ARGUMENTS, "waited": Double()}
"""Those of a remote backend's claim."""
EQUAL_TO = "equal_to"
"""The parameter that names a job whose run the claimed one is to share; null, unless the statement is executed with a
value for it."""
OWN_FIELDS = ("prompt", "seed", "watermark", "profile_id", *(field.name for field in msgspec.structs.fields(Params)))
"""The fields in which jobs of one run may differ."""


class Claimant(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that asks for a job."""

    server_id: str
    incarnation: int
    models: tuple[str, ...]
    """Models it serves."""
    resident: tuple[str, ...] = ()
    """Models it has in memory."""
    dedicated: bool = False
    """Whether it takes only jobs that ask for it."""
    backends: tuple[tuple[str, JobBackend], ...] = ()
    """What its jobs note of who has them, by model."""
    remote: bool = False
    """Whether it stands for a remote backend."""
    waited_seconds: float = 0.0
    """For how long a remote backend's jobs must have waited, unless they ask for it."""

    @property
    def argument_types(self) -> Mapping[str, TypeEngine[Any]]:
        """The types of the arguments of its claim, by name."""
        return REMOTE_ARGUMENTS if self.remote else ARGUMENTS


@lru_cache(maxsize=8)  # building it costs as much as executing it
def claim(claimant: Claimant, *, lease_seconds: float, warm_bound_seconds: float = 60.0) -> Select[Any]:
    """Claim the best job that this worker may run; matches no row without one.

    Besides the columns of the job it returns `capped`: whether the tenant has a limit of running jobs.
    """
    values = arguments(claimant, lease_seconds, warm_bound_seconds)
    given = {name: bindparam(name, values[name], type_) for name, type_ in claimant.argument_types.items()}
    best = _best(claimant, given).cte("best")
    # Sub-selects and not joins: whatever the planner believes of the tables, only a key's index can answer them.
    cold = select(best.c.server_id).where(not_(best.c.model == any_(given["resident"]))).scalar_subquery()
    loading = update(servers).where(servers.c.server_id == cold).values(loaded_at=now).cte("loading")
    claimed = with_outbox_events(
        update(jobs)
        .where(jobs.c.id == select(best.c.id).scalar_subquery())
        .values(
            status=JobStatus.PROCESSING.value,
            fence=jobs.c.fence + 1,
            attempt=jobs.c.attempt + 1,
            worker=given["server"],
            incarnation=given["holder"],
            lease_until=after(given["lease"]),
            started_at=now,
            deadline_at=func.coalesce(jobs.c.run_deadline_at, jobs.c.deadline_at),
            progress=0.0,
            stage="starting",
            backend=cast(given["backends"], JSONB).op("->", return_type=JSONB)(jobs.c.model),
            event_seq=jobs.c.event_seq + 1,
        )
        .add_cte(loading)
    )
    tenant = tenants.c.id == claimed.selected_columns.tenant
    return claimed.add_columns(select(tenants.c.max_running_jobs.is_not(None)).where(tenant).label("capped"))


def arguments(claimant: Claimant, lease_seconds: float, warm_bound_seconds: float) -> dict[str, Any]:
    """Return the values of the arguments, by name and in their order."""
    values: dict[str, Any] = {
        "server": claimant.server_id,
        "holder": claimant.incarnation,
        "models": list(claimant.models),
        "resident": list(claimant.resident),
        "lease": lease_seconds,
        "bound": warm_bound_seconds,
        EQUAL_TO: None,
        "backends": msgspec.json.encode(dict(claimant.backends)).decode(),
    }
    return values | ({"waited": claimant.waited_seconds} if claimant.remote else {})


def _best(claimant: Claimant, given: Mapping[str, BindParameter[Any]]) -> TextualSelect:
    """Select id and model of the first job in the order that is not locked; none if that cannot share the run."""
    shared = {} if claimant.dedicated else {"open": WAITED if claimant.remote else OPEN}
    partitions = {**shared, "own": OWN}
    live = " OR ".join(
        f"({earliest(partition, 'served.model')}) <= {partition.until}" for partition in partitions.values()
    )
    statement = f"""
    WITH RECURSIVE me AS MATERIALIZED (
        SELECT server_id, coalesce(loaded_at, started_at) AS loaded_at FROM servers
        WHERE server_id = :server AND incarnation = :holder AND lease_until > now() AND desired = 'active'
    ),
    live AS MATERIALIZED (
        SELECT model, model = ANY(:resident) AS warm FROM unnest(:models) AS served (model)
        WHERE EXISTS (SELECT FROM me) AND ({live})
    ),
    step AS MATERIALIZED (
        SELECT priority, models
        FROM generate_series(9, 0, -1) AS level (priority), (
            SELECT 1, array_agg(model) FROM live, me WHERE warm HAVING bool_and(
                me.loaded_at > now() - make_interval(secs => :bound)
                    / greatest(1, (SELECT count(*) FROM live WHERE NOT warm)))
            UNION ALL
            SELECT 2, array_agg(model) FROM live HAVING count(*) > 0
        ) AS pass (number, models)
        ORDER BY priority DESC, pass.number
    ),
    {RUNNING},
    found AS MATERIALIZED (
        SELECT pick.id, pick.model, me.server_id
        FROM step
        CROSS JOIN LATERAL ({turns(partitions, "step.priority", remote=claimant.remote)}) AS turn
        CROSS JOIN LATERAL ({_pick(partitions)}) AS pick
        CROSS JOIN me
        -- asked last, of the tenant of a job that is locked: asking keeps other claimers from this tenant
        WHERE CASE WHEN turn.cap IS NULL OR pick.id IS NULL THEN true ELSE has_room(turn.tenant, turn.cap) END
        LIMIT 1
    )
    SELECT found.id, found.model, found.server_id FROM found
    WHERE CASE WHEN :equal_to IS NULL THEN true ELSE EXISTS ({_EQUAL}) END
    """
    asked = ["server", "holder", "models", "resident", "bound", EQUAL_TO]
    asked += ["waited"] if shared and claimant.remote else []
    return text(statement).bindparams(*(given[name] for name in asked)).columns(id=Text, model=Text, server_id=Text)


_OWN = ", ".join(f"'{name}'" for name in OWN_FIELDS)
_EQUAL = f"""
    SELECT FROM (SELECT * FROM jobs WHERE id = found.id OFFSET 0) AS job,
        (SELECT * FROM jobs WHERE id = :equal_to OFFSET 0) AS other
    WHERE job.fence = 0 AND job.origin ->> 'reproduces' IS NULL AND job.model = other.model
        AND job.params - ARRAY[{_OWN}] = other.params - ARRAY[{_OWN}]"""
"""A query with a row if the job that was found can share the run of `:equal_to`. One that was begun before is computed
alone, and so is one that makes another again, whose pixels are to be the same."""


def _pick(partitions: Mapping[str, QueuePartition]) -> str:
    """Select the first job of the step's models and the turn's tenant, locked."""
    key = {"priority": "step.priority", "tenant": "turn.tenant"}
    first = [
        f"""(SELECT '{name}' AS partition, {partition.since} AS since, seq
            {group(partition, model="served.model", begun="past.begun", **key)} ORDER BY {partition.order} LIMIT 1)"""
        for name, partition in partitions.items()
    ]
    locked = [
        f"""SELECT id FROM (SELECT id
            {group(partition, model="head.model", begun="head.begun", **key)} AND head.partition = '{name}'
            ORDER BY {partition.order} LIMIT 1 FOR UPDATE SKIP LOCKED) AS {name}"""
        for name, partition in partitions.items()
    ]
    return f"""
        SELECT locked.id, head.model
        FROM (
            SELECT served.model, past.begun, head.partition
            FROM unnest(step.models) AS served (model)
            CROSS JOIN (VALUES (1), (0)) AS past (begun)
            CROSS JOIN LATERAL ({" UNION ALL ".join(first)}) AS head
            ORDER BY past.begun DESC, head.since, head.seq
        ) AS head
        CROSS JOIN LATERAL ({" UNION ALL ".join(locked)}) AS locked
        LIMIT 1"""
