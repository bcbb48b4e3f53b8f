"""The inputs of jobs that end before they are fetched: closed by the statement that ends the job.

They would lie in front of those that are still wanted, in the queue of inputs, until their retention is over.
"""

from sqlalchemy import CTE, ColumnElement, update

from jobs.schema.tables import inputs
from jobs.statements.clauses import lease_is_free


def close_inputs(changed: CTE, ended: ColumnElement[bool]) -> CTE:
    """Return the part of a change of jobs that closes the waiting inputs of those that it has `ended`.

    One that is being fetched keeps its place at the host until its worker releases it.
    """
    waits = inputs.c.status == "waiting"
    return (
        update(inputs)
        .where(inputs.c.job_id == changed.c.id, ended, waits, lease_is_free(inputs))
        .values(status="failed", lease_until=None)
        .cte("closed")
    )
