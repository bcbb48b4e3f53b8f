"""Which tasks of the CPU worker have work: one statement in place of one for each of them.

The recovery of jobs is not among them: it looks at its own pace, by which it notices gaps in the database's answers.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, select

from jobs.job import JobStatus
from jobs.schema.tables import inputs, jobs, outbox, uploads
from jobs.statements.clauses import ago, lease_is_free, tx_now
from jobs.statements.webhooks.deliveries import open_

TASKS = ("ingest", "webhooks", "purge", "uploads")


def due(*, upload_seconds: float) -> Select[Any]:
    """Return one row that says of each of `TASKS` whether it has work.

    A task that has work is named; one that is named may find that another worker has it, or that a limit holds it up.
    """
    unfetched = and_(inputs.c.status == "waiting", inputs.c.available_at <= tx_now, lease_is_free(inputs))
    waits = and_(jobs.c.id == inputs.c.job_id, jobs.c.status == JobStatus.PENDING, jobs.c.deleted_at.is_(None))
    is_due: dict[str, ColumnElement[bool]] = {
        "ingest": exists().where(unfetched, waits),
        "webhooks": exists().where(open_(outbox), outbox.c.available_at <= tx_now, lease_is_free(outbox)),
        "purge": exists().where(jobs.c.purge_at < tx_now),
        "uploads": exists().where(uploads.c.created_at < ago(upload_seconds)),
    }
    columns: list[ColumnElement[Any]] = [is_due[task].label(task) for task in TASKS]
    return select(*columns)
