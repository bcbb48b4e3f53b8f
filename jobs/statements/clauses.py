"""Clauses that several statements share."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, FromClause, Text, and_, bindparam, case, func, literal, literal_column, or_
from sqlalchemy.dialects.postgresql import JSONB

from core.errors.failures import AttemptsExhausted
from jobs.job import JobError, JobStatus
from jobs.schema.tables import jobs, tenants

IDEMPOTENCY_SECONDS = 86_400
"""How long an Idempotency-Key stands for the job that it has made."""

HELD = JobStatus.PROCESSING.value
"""The status of a job while a worker has a claim on it."""

now = func.clock_timestamp()
"""The database's clock, which is the only clock, for times that are written."""

tx_now = func.now()
"""The same clock at the transaction's start, for comparisons: an index cannot serve a volatile function."""

_MILLISECONDS = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"


def fresh_id(prefix: str) -> ColumnElement[str]:
    """Return the id of `core.ids.new_id` for each row; a value of Python would give every row of a batch the same id.

    It is SQL text, since a claim should spend no time on parameters.
    """
    text = f"'{prefix}_' || lpad(to_hex({_MILLISECONDS}), 12, '0') || '7'"
    return literal_column(f"{text} || substr(replace(gen_random_uuid()::text, '-', ''), 14)", Text)


def interval(seconds: ColumnElement[Any] | float) -> ColumnElement[Any]:
    """Return a span of time."""
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def after(seconds: ColumnElement[Any] | float) -> ColumnElement[Any]:
    """Return the time `seconds` from now, to be written."""
    return now + interval(seconds)


def ago(seconds: ColumnElement[Any] | float) -> ColumnElement[Any]:
    """Return the time `seconds` before now, to be compared with."""
    return tx_now - interval(seconds)


def available_after(delay: float) -> ColumnElement[Any]:
    """Return the `available_at` of jobs that come back to the queue, `delay` seconds from now.

    Without a delay it is the time of submit, so that jobs keep their order whichever of them comes back first. With
    one it is the same for all jobs of a statement, of which `seq` then decides.
    """
    return tx_now + interval(delay) if delay > 0 else jobs.c.created_at


def outlived(kind: str, since: ColumnElement[Any], default: float) -> ColumnElement[bool]:
    """Return whether data of a tenant is past its retention, which began at `since`.

    `kind` is prompts, inputs, outputs, deliveries, jobs or rows. The retention is `tenants.keep_<kind>_seconds`, or
    `default` where that is null; a negative number keeps the data for good.
    """
    seconds = func.coalesce(tenants.c[f"keep_{kind}_seconds"], default)
    return and_(seconds >= 0, since < tx_now - interval(seconds))


def lease_is_free(table: FromClause) -> ColumnElement[bool]:
    """Return whether no worker has a lease on a row: never leased, released, or the lease is over."""
    return or_(table.c.lease_until.is_(None), table.c.lease_until < tx_now)


def fenced(job_id: ColumnElement[str] | str, fence: ColumnElement[int] | int) -> ColumnElement[bool]:
    """Return whether the claim with this fence still owns the job."""
    return and_(jobs.c.id == job_id, jobs.c.fence == fence, jobs.c.status == bindparam("held", HELD, Text))


def error_value(error: JobError) -> ColumnElement[Any]:
    """Return an error as the `error` column holds it, `{code, message}`."""
    return literal(msgspec.to_builtins(error), JSONB)


ATTEMPTS_EXHAUSTED = JobError.of(AttemptsExhausted)


def lost_values(backoff: float, error: JobError = ATTEMPTS_EXHAUSTED) -> dict[str, Any]:
    """Return the values of a job whose attempt was lost: queued again after `backoff` s, or failed after its last.

    `error` is that of the failed job.
    """
    spent = jobs.c.attempt >= jobs.c.max_attempts
    return {
        "status": case((spent, JobStatus.FAILED.value), else_=JobStatus.QUEUED.value),
        "error": case((spent, error_value(error)), else_=None),
        "finished_at": case((spent, now), else_=None),
        "available_at": available_after(backoff),
        "queued_at": now,
        "lease_until": None,
        "progress": 0.0,
        "stage": None,
        "event_seq": jobs.c.event_seq + 1,
    }


def erased_values() -> dict[str, Any]:
    """Return the values of a deleted job: nothing that its caller wrote, and its objects are to be purged."""
    return {
        "event_seq": jobs.c.event_seq + 1,
        "lease_until": None,
        "params": literal({}, JSONB),
        "artifacts": literal([], JSONB),
        "warnings": literal([], JSONB),
        "error": None,
        "labels": literal({}, JSONB),
        "callback_url": None,
        "deleted_at": now,
        "purge_at": now,
    }


def ended_values(status: JobStatus, error: ColumnElement[Any] | None = None) -> dict[str, Any]:
    """Return the values that every terminal state sets."""
    return {
        "status": status.value,
        "error": error,
        "finished_at": now,
        "lease_until": None,
        "event_seq": jobs.c.event_seq + 1,
    }
