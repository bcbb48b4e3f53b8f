"""Statements of the webhook outbox. A delivery is leased, so that no transaction is open during HTTP."""

from sqlalchemy import Update, select, update

from jobs.statements.clauses import after, moment, now
from jobs.tables import outbox


def take(*, limit: int, lease_seconds: float) -> Update:
    """Lease due deliveries, in the order of their job's events."""
    pending = (outbox.c.delivered_at.is_(None), outbox.c.given_up_at.is_(None))
    due = (
        select(outbox.c.id)
        .where(
            *pending,
            outbox.c.available_at <= moment,
            (outbox.c.lease_until.is_(None)) | (outbox.c.lease_until < moment),
        )
        .order_by(outbox.c.available_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
        .prefix_with("MATERIALIZED")
    )
    return (
        update(outbox)
        .where(outbox.c.id == due.c.id)
        .values(attempt=outbox.c.attempt + 1, lease_until=after(lease_seconds))
        .returning(*outbox.c)
    )


def delivered(message_id: str, attempt: int, *, answer: int) -> Update:
    """The receiver took it with this HTTP status."""
    return _held(message_id, attempt).values(delivered_at=now, lease_until=None, answer=answer, problem=None)


def postponed(message_id: str, attempt: int, *, delay: float, answer: int | None, problem: str) -> Update:
    """The attempt failed; the next one is `delay` s from now."""
    return _held(message_id, attempt).values(
        available_at=after(delay), lease_until=None, answer=answer, problem=problem
    )


def given_up(message_id: str, attempt: int, *, answer: int | None, problem: str) -> Update:
    """No further attempt: the schedule is at its end, or the receiver answered 410."""
    return _held(message_id, attempt).values(given_up_at=now, lease_until=None, answer=answer, problem=problem)


def _held(message_id: str, attempt: int) -> Update:
    return update(outbox).where(outbox.c.id == message_id, outbox.c.attempt == attempt)
