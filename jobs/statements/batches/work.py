"""Statements of the CPU worker about batches: lines become jobs, and ended jobs become answers.

A batch is locked while one turn of a worker goes over it, so each of its lines is submitted once: the job and the mark
on the line are one transaction, and the id of the job is drawn before.
"""

from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Executable,
    Select,
    Text,
    Update,
    case,
    cast,
    delete,
    exists,
    func,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from jobs.batches import LineProblem
from jobs.job import TERMINAL, JobStatus
from jobs.schema.tables import batch_lines, batches, jobs
from jobs.statements.clauses import after, ago, now, tx_now

OPEN = ("waiting", "submitted")
"""States of lines that have not ended."""
OLD_AT_ONCE = 20


def take_batch() -> Select[Any]:
    """Return a batch that is due, locked, and whether its time is `over`; none that another worker has."""
    return (
        select(*batches.c, (batches.c.expires_at < tx_now).label("over"))
        .where(batches.c.look_at <= tx_now)
        .order_by(batches.c.look_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def note_ended_jobs(batch_id: str) -> Update:
    """Mark the lines whose jobs have ended, or were deleted."""
    there = jobs.c.id == batch_lines.c.job_id
    ended = exists().where(there, jobs.c.status.in_(TERMINAL))
    completed = exists().where(there, jobs.c.status == JobStatus.COMPLETED, jobs.c.deleted_at.is_(None))
    gone = ~exists().where(there)
    return (
        update(batch_lines)
        .where(batch_lines.c.batch == batch_id, batch_lines.c.status == "submitted", ended | gone)
        .values(status=case((completed, "completed"), else_="failed"))
    )


def count_lines(batch_id: str) -> Select[Any]:
    """Return how many lines are `waiting`, `submitted`, `completed` and `failed`."""
    states = (*OPEN, "completed", "failed")
    counts: list[ColumnElement[Any]] = [
        func.count().filter(batch_lines.c.status == state).label(state) for state in states
    ]
    return select(*counts).where(batch_lines.c.batch == batch_id)


def next_lines(batch_id: str, limit: int) -> Select[Any]:
    """Return number and job of the next lines that wait."""
    return (
        select(batch_lines.c.number, cast(batch_lines.c.job, Text).label("job"))
        .where(batch_lines.c.batch == batch_id, batch_lines.c.status == "waiting")
        .order_by(batch_lines.c.number)
        .limit(limit)
    )


def mark_submitted(batch_id: str, number: int) -> Update:
    """Mark a line whose job this transaction adds."""
    line = update(batch_lines).where(batch_lines.c.batch == batch_id, batch_lines.c.number == number)
    return line.values(status="submitted", job=null())


def fail_waiting(batch_id: str, problem: LineProblem, number: int | None = None) -> Update:
    """Fail the lines that wait, or the one of this number, without a job."""
    lines = update(batch_lines).where(batch_lines.c.batch == batch_id, batch_lines.c.status == "waiting")
    if number is not None:
        lines = lines.where(batch_lines.c.number == number)
    return lines.values(status="failed", job=null(), problem=literal(msgspec.to_builtins(problem), JSONB))


def submitted_jobs(batch_id: str) -> Select[Any]:
    """Return the ids of the jobs of lines that have not ended."""
    return select(batch_lines.c.job_id).where(batch_lines.c.batch == batch_id, batch_lines.c.status == "submitted")


def look_again(batch_id: str, seconds: float, status: str | None = None) -> Update:
    """Have the batch looked at again in so many seconds, in this status."""
    values: dict[str, Any] = {} if status is None else {"status": status}
    if status == "finalizing":
        values["finalizing_at"] = now
    return update(batches).where(batches.c.id == batch_id).values(look_at=after(seconds), **values)


def ended_lines(batch_id: str, status: str, after_number: int, limit: int) -> Select[Any]:
    """Return the lines of a status behind a number, in their order."""
    columns = (batch_lines.c[name] for name in ("number", "custom_id", "job_id", "answer_format", "problem"))
    return (
        select(*columns)
        .where(batch_lines.c.batch == batch_id, batch_lines.c.status == status, batch_lines.c.number > after_number)
        .order_by(batch_lines.c.number)
        .limit(limit)
    )


def end_batch(batch_id: str, *, status: str, completed: int, failed: int, **files: str | None) -> Update:
    """End a batch, and return its id; matches no row once it has ended."""
    return (
        update(batches)
        .where(batches.c.id == batch_id, batches.c.ended_at.is_(None))
        .values(status=status, completed=completed, failed=failed, look_at=None, ended_at=now, **files)
        .returning(batches.c.id)
    )


def forget_batches(seconds: float) -> Executable:
    """Remove batches that ended longer ago, with their lines."""
    old = select(batches.c.id).where(batches.c.ended_at < ago(seconds)).limit(OLD_AT_ONCE)
    old = old.with_for_update(skip_locked=True)
    return delete(batches).where(batches.c.id.in_(old)).returning(batches.c.id)
