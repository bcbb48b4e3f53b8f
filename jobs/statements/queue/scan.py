"""SQL fragments that scan the queue's two indexes: jobs for any worker, and jobs that ask for one server.

Both are sorted by priority, tenant, model, whether the job was begun before, age and the order of submit. So a
statement reaches the first job of any group in one step, however many wait, and goes from tenant to tenant without
reading the rows between. The fragments are SQL text, since a loose index scan needs a recursive query, which is hard
to read in any other form.

Each fragment sorts by every column of its index. No other index fits then, even when the planner has old statistics of
a queue that has grown.
"""

from collections.abc import Mapping

import msgspec


class QueuePartition(msgspec.Struct, frozen=True):
    """A part of the queue.

    `rows` is the condition of its rows and `rows_by_model` the same in the form of the index by model. `since` is the
    time from which a row may be taken; it stands for the row's age. `until` is the latest such time of a row that may
    be taken now.
    """

    rows: str
    rows_by_model: str
    since: str
    until: str = "now()"

    @property
    def order(self) -> str:
        """The columns that a group is sorted by."""
        return f"{self.since}, seq"


_OPEN = "status = 'queued' AND (server_id IS NULL OR spill_at IS NOT NULL)"
OPEN = QueuePartition(_OPEN, _OPEN, "greatest(available_at, spill_at)")
"""Jobs that ask for no server, and those that prefer one, which any worker may take from `spill_at` on."""

WAITED = QueuePartition(OPEN.rows, OPEN.rows_by_model, OPEN.since, until="now() - make_interval(secs => :waited)")
"""Those of `OPEN` that could have been taken for `:waited` seconds."""

OWN = QueuePartition(
    "status = 'queued' AND server_id = :server",
    "status = 'queued' AND server_id IS NOT NULL AND coalesce(server_id, '') = :server",
    "available_at",
)
"""Jobs that ask for the server `:server`, strictly or as a preference."""

BEGUN = "least(fence, 1)"
"""1 for a job that was claimed before, else 0."""


def tenants_of(partition: QueuePartition, name: str, priority: str) -> str:
    """Return two recursive queries, `name`_step and `name`: the tenants with jobs of a priority, one step for each."""
    where = f"{partition.rows} AND priority = {priority}"
    order = f"ORDER BY jobs.tenant, model, {BEGUN}, {partition.order} LIMIT 1"
    return f"""
        {name}_step (tenant) AS (
            (SELECT tenant FROM jobs WHERE {where} {order})
            UNION ALL
            SELECT (SELECT jobs.tenant FROM jobs WHERE {where} AND jobs.tenant > {name}_step.tenant {order})
            FROM {name}_step WHERE {name}_step.tenant IS NOT NULL
        ),
        {name} AS (SELECT tenant FROM {name}_step WHERE tenant IS NOT NULL)"""


def group(partition: QueuePartition, *, priority: str, tenant: str, model: str, begun: str) -> str:
    """Return FROM and WHERE of the jobs of one group that may be taken now."""
    return f"""
        FROM jobs
        WHERE {partition.rows} AND priority = {priority} AND tenant = {tenant} AND model = {model} AND {BEGUN} = {begun}
            AND {partition.since} <= {partition.until} AND deadline_at > now()"""


def earliest(partition: QueuePartition, model: str) -> str:
    """Return a query of the time from which the first job of a model may be taken, of any priority and tenant."""
    return f"""
        SELECT {partition.since} FROM jobs WHERE {partition.rows_by_model} AND jobs.model = {model}
        ORDER BY {partition.since} LIMIT 1"""


RUNNING = """
    running AS MATERIALIZED (
        SELECT tenant, count(*) AS jobs
        FROM (SELECT tenant FROM jobs WHERE status = 'processing' ORDER BY lease_until) AS held GROUP BY tenant
    )"""
"""The number of running jobs of each tenant, which `turns` reads. No index but that of the leases has their order."""


def turns(partitions: Mapping[str, QueuePartition], priority: str, *, remote: bool = False) -> str:
    """Return a query of the tenants that have jobs of a priority and may run one more, in the order of their turns.

    With `remote` those are left out whose jobs no remote backend may have.

    Columns: `tenant`; `cap`, the number of jobs that the tenant may run; and `place`, from 1. The order is: fewest
    running jobs, then served longest ago, then the oldest tenant.
    """
    return f"""
        WITH RECURSIVE {",".join(tenants_of(partition, name, priority) for name, partition in partitions.items())}
        SELECT waiting.tenant, tenants.max_running_jobs AS cap,
            row_number() OVER (
                ORDER BY coalesce(running.jobs, 0),
                    (SELECT started_at FROM jobs WHERE jobs.tenant = waiting.tenant AND started_at IS NOT NULL
                        ORDER BY started_at DESC LIMIT 1) NULLS FIRST,
                    tenants.created_at, waiting.tenant
            ) AS place
        FROM ({" UNION ".join(f"SELECT tenant FROM {name}" for name in partitions)}) AS waiting
        CROSS JOIN LATERAL (SELECT * FROM tenants WHERE tenants.id = waiting.tenant OFFSET 0) AS tenants
        LEFT JOIN running ON running.tenant = waiting.tenant
        WHERE tenants.paused_at IS NULL{" AND NOT tenants.local_only" if remote else ""}
            AND (tenants.max_running_jobs IS NULL OR coalesce(running.jobs, 0) < tenants.max_running_jobs)
        ORDER BY place"""
