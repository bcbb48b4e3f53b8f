"""Statements of the webhook outbox. A delivery is leased, so that no transaction is open during HTTP."""

from sqlalchemy import ColumnElement, FromClause, Update, and_, exists, func, or_, select, update

from jobs.statements.clauses import after, moment, now
from jobs.tables import outbox


def take(*, limit: int, lease_seconds: float, host_limit: int = 4, tenant_limit: int = 32) -> Update:
    """Lease due deliveries: the oldest of each host first, then the second oldest of each, and so on.

    Over all workers at most `host_limit` are under way to one host and `tenant_limit` for one tenant, so that slow
    receivers delay only themselves. A job's events leave in their order.
    """
    due = and_(_open(outbox), outbox.c.available_at <= moment)
    free = or_(outbox.c.lease_until.is_(None), outbox.c.lease_until < moment)
    leased_first = (free, outbox.c.available_at)
    per_host = select(
        outbox.c.id, func.row_number().over(partition_by=_host(), order_by=leased_first).label("place")
    ).where(due)
    by_host = per_host.subquery("by_host")
    per_tenant = (
        select(
            outbox.c.id,
            by_host.c.place.label("at_host"),
            func.row_number().over(partition_by=outbox.c.tenant, order_by=leased_first).label("place"),
        )
        .join(by_host, by_host.c.id == outbox.c.id)
        .where(by_host.c.place <= host_limit)
    )
    by_tenant = per_tenant.subquery("by_tenant")
    earlier = outbox.alias("earlier")
    in_turn = ~exists().where(
        _open(earlier),
        earlier.c.job_id == outbox.c.job_id,
        earlier.c.url == outbox.c.url,
        earlier.c.event_seq < outbox.c.event_seq,
    )
    chosen = (
        select(outbox.c.id)
        .join(by_tenant, by_tenant.c.id == outbox.c.id)
        .where(by_tenant.c.place <= tenant_limit, due, free, in_turn)
        .order_by(by_tenant.c.at_host, outbox.c.available_at)
        .limit(limit)
        .with_for_update(of=outbox, skip_locked=True)
        .cte("chosen")
        .prefix_with("MATERIALIZED")
    )
    return (
        update(outbox)
        .where(outbox.c.id == chosen.c.id)
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


def _host() -> ColumnElement[str]:
    """Host and port of the URL; pattern matching would take eight times as long."""
    host = func.split_part(outbox.c.url, "/", 3)
    for end in ("?", "#"):
        host = func.split_part(host, end, 1)
    return func.lower(func.split_part(host, "@", -1))


def _open(table: FromClause) -> ColumnElement[bool]:
    return and_(table.c.delivered_at.is_(None), table.c.given_up_at.is_(None))
