"""Which tasks of the CPU worker have work, and when next: one statement in place of one for each of them."""

from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    Select,
    Table,
    TextualSelect,
    and_,
    bindparam,
    cast,
    exists,
    extract,
    func,
    or_,
    select,
)
from sqlalchemy.types import TypeEngine

from jobs.job import ACTIVE, JobStatus
from jobs.schema.tables import batches, chains, inputs, jobs, media, outbox, uploads
from jobs.statements.clauses import ago, lease_is_free, tx_now
from jobs.statements.table_function import TableFunction, table_function
from jobs.statements.webhooks.deliveries import open_

KIND = "due"
TASKS = ("recovery", "ingest", "webhooks", "purge", "uploads", "library", "batches", "chains")


@cache
def due_function() -> TableFunction:
    """Return the function of `due`: to plan the statement anew costs ten times what it does."""
    arguments: dict[str, TypeEngine[Any]] = {"upload_seconds": Double(), "input_max_attempts": Integer()}
    return table_function(
        KIND, due(**{name: bindparam(name, 0, type_) for name, type_ in arguments.items()}), arguments
    )


def call_due(*, upload_seconds: float, input_max_attempts: int) -> TextualSelect:
    """Return the row of `due`, by the function."""
    return due_function().call({"upload_seconds": upload_seconds, "input_max_attempts": input_max_attempts})


def due(*, upload_seconds: ColumnElement[Any], input_max_attempts: ColumnElement[Any]) -> Select[Any]:
    """Return one row that says of each of `TASKS` whether it has work, and `next_seconds`.

    A task that has work is named; one that is named may find that another worker has it, or that a limit holds it up.
    `next_seconds` is the time until the next input, delivery, item of the library, batch or chain is due that is not
    yet; null where there is none.
    """
    waits = and_(jobs.c.id == inputs.c.job_id, jobs.c.status == JobStatus.PENDING, jobs.c.deleted_at.is_(None))
    unfetched = and_(inputs.c.status == "waiting", inputs.c.available_at <= tx_now, lease_is_free(inputs), waits)
    is_due: dict[str, ColumnElement[bool]] = {
        "recovery": or_(
            exists().where(jobs.c.status == JobStatus.PROCESSING, jobs.c.lease_until < tx_now),
            exists().where(jobs.c.status.in_(ACTIVE), jobs.c.deadline_at < tx_now),
            exists().where(unfetched, inputs.c.attempt >= input_max_attempts),
        ),
        "ingest": exists().where(unfetched),
        "webhooks": exists().where(open_(outbox), outbox.c.available_at <= tx_now, lease_is_free(outbox)),
        "purge": exists().where(jobs.c.purge_at < tx_now),
        "uploads": exists().where(uploads.c.created_at < ago(upload_seconds)),
        "library": exists().where(media.c.look_at <= tx_now),
        "batches": exists().where(batches.c.look_at <= tx_now),
        "chains": exists().where(chains.c.look_at <= tx_now),
    }
    next_at = func.least(
        _next_at(inputs, inputs.c.status == "waiting"),
        _next_at(outbox, open_(outbox)),
        *(_next_look(table) for table in (media, batches, chains)),
    )
    columns: list[ColumnElement[Any]] = [is_due[task].label(task) for task in TASKS]
    return select(*columns, cast(extract("epoch", next_at - tx_now), Double).label("next_seconds"))


def _next_look(table: Table) -> ColumnElement[Any]:
    """Return the next time at which something of a table is to be looked at."""
    look_at = table.c.look_at
    return select(look_at).where(look_at > tx_now).order_by(look_at).limit(1).scalar_subquery()


def _next_at(table: Table, waits: ColumnElement[bool]) -> ColumnElement[Any]:
    """Return the next time at which a row of a queue becomes due; the index of those that wait is sorted by it."""
    due_at = table.c.available_at
    return select(due_at).where(waits, due_at > tx_now).order_by(due_at).limit(1).scalar_subquery()
