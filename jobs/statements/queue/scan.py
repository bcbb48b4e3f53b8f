"""The waiting jobs as the indexes of the queue hold them: what any worker may take, and what one server is asked for.

Both are sorted by priority, tenant, model, whether the job was begun before, and age. So a statement reaches the
first job of any group in one step, however many wait, and goes from tenant to tenant without reading what lies between.
The fragments are SQL text, since a loose index scan needs a recursive query, which reads badly in any other form.

Each fragment sorts by all that its index is sorted by: no other index will do then, whatever the planner believes of a
queue that has grown since its last look.
"""

from collections.abc import Mapping

import msgspec


class QueuePartition(msgspec.Struct, frozen=True):
    """Part of the queue: the condition of its rows, the same as the index by model has it, and the time from which a
    row may be taken, which is its age.
    """

    rows: str
    rows_by_model: str
    since: str

    @property
    def order(self) -> str:
        """What a group is sorted by."""
        return f"{self.since}, seq"


_OPEN = "status = 'queued' AND (server_id IS NULL OR spill_at IS NOT NULL)"
OPEN = QueuePartition(_OPEN, _OPEN, "greatest(available_at, spill_at)")
"""Jobs of no server, and those that prefer one: theirs is the time when their patience ends."""

OWN = QueuePartition(
    "status = 'queued' AND server_id = :server",
    "status = 'queued' AND server_id IS NOT NULL AND coalesce(server_id, '') = :server",
    "available_at",
)
"""Jobs that ask for the server `:server`, however patient."""

BEGUN = "least(fence, 1)"
"""1 for a job that was claimed before, else 0."""


def tenants_of(lane: QueuePartition, name: str, priority: str) -> str:
    """Two recursive queries, `name`_step and `name`: the tenants with jobs of a priority, each found in one step."""
    where = f"{lane.rows} AND priority = {priority}"
    order = f"ORDER BY jobs.tenant, model, {BEGUN}, {lane.order} LIMIT 1"
    return f"""
        {name}_step (tenant) AS (
            (SELECT tenant FROM jobs WHERE {where} {order})
            UNION ALL
            SELECT (SELECT jobs.tenant FROM jobs WHERE {where} AND jobs.tenant > {name}_step.tenant {order})
            FROM {name}_step WHERE {name}_step.tenant IS NOT NULL
        ),
        {name} AS (SELECT tenant FROM {name}_step WHERE tenant IS NOT NULL)"""


def group(lane: QueuePartition, *, priority: str, tenant: str, model: str, begun: str) -> str:
    """FROM and WHERE of the jobs of one group that may be taken now."""
    return f"""
        FROM jobs
        WHERE {lane.rows} AND priority = {priority} AND tenant = {tenant} AND model = {model} AND {BEGUN} = {begun}
            AND {lane.since} <= now() AND deadline_at > now()"""


def earliest(lane: QueuePartition, model: str) -> str:
    """When the first job of a model may be taken, whatever its priority and tenant."""
    return f"""
        SELECT {lane.since} FROM jobs WHERE {lane.rows_by_model} AND jobs.model = {model}
        ORDER BY {lane.since} LIMIT 1"""


RUNNING = """
    running AS MATERIALIZED (
        SELECT tenant, count(*) AS jobs FROM jobs WHERE status = 'processing' GROUP BY tenant
    )"""
"""How many jobs each tenant runs: what `turns` asks."""


def turns(lanes: Mapping[str, QueuePartition], priority: str) -> str:
    """The tenants with jobs of a priority that may have one more running, by their `place` in the order of turns:
    fewest running jobs first, then served longest ago, then the oldest tenant. `cap` is how many they may run.
    """
    return f"""
        WITH RECURSIVE {",".join(tenants_of(lane, name, priority) for name, lane in lanes.items())}
        SELECT waiting.tenant, tenants.max_running_jobs AS cap,
            row_number() OVER (
                ORDER BY coalesce(running.jobs, 0),
                    (SELECT max(started_at) FROM jobs WHERE jobs.tenant = waiting.tenant) NULLS FIRST,
                    tenants.created_at, waiting.tenant
            ) AS place
        FROM ({" UNION ".join(f"SELECT tenant FROM {name}" for name in lanes)}) AS waiting
        JOIN tenants ON tenants.id = waiting.tenant
        LEFT JOIN running ON running.tenant = waiting.tenant
        WHERE tenants.max_running_jobs IS NULL OR coalesce(running.jobs, 0) < tenants.max_running_jobs
        ORDER BY place"""
