"""Statements of the webhook outbox. A delivery is leased, so that no transaction is open during HTTP."""

from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Delete,
    FromClause,
    Select,
    Update,
    and_,
    case,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from jobs.schema.tables import outbox, webhook_hosts
from jobs.statements.clauses import after, interval, lease_is_free, now, rank_leased_first, tx_now
from jobs.statements.outbox import TRANSIENT_EVENTS
from jobs.statements.webhooks.receiver_breaker import host_of

BATCH = 5_000
"""Deliveries that one statement supersedes at most; the next one continues."""
LOGGED = 50
"""Attempts of a delivery that its log keeps; only replays reach so many."""


@cache  # building it costs more than executing it, every second
def supersede() -> Update:
    """Supersede deliveries with a newer event of the same job; a delivery that is leased is waited for.

    It is executed before `take`, which leases nothing while an older delivery of the same job and endpoint is open.
    Rows that another worker has locked are skipped.
    """
    older, newer = outbox.alias("older"), outbox.alias("newer")
    same = and_(newer.c.job_id == older.c.job_id, newer.c.webhook_id == older.c.webhook_id)
    superseded = (
        select(older.c.id)
        .join(newer, and_(same, newer.c.event_seq > older.c.event_seq))
        .where(open_(newer), newer.c.available_at <= tx_now, lease_is_free(newer))
        .where(open_(older), older.c.type.in_(TRANSIENT_EVENTS), lease_is_free(older))
        .limit(BATCH)
        .with_for_update(of=older, skip_locked=True)
    )
    return update(outbox).where(outbox.c.id.in_(superseded)).values(superseded_at=now, lease_until=None)


@lru_cache(maxsize=256)
def take(
    *, limit: int, lease_seconds: float, breaker_failures: int, host_limit: int = 4, tenant_limit: int = 32
) -> Update:
    """Lease due deliveries: the oldest of each host first, then the second oldest of each, and so on.

    Over all workers at most `host_limit` are under way to one host and `tenant_limit` for one tenant, so that slow
    receivers delay only themselves; to a host that has failed `breaker_failures` times in a row none while it is left
    alone, then one. A delivery that waits for its host spends no attempt. A job's events leave in their order.
    """
    leased = func.coalesce(outbox.c.lease_until >= tx_now, False)
    host, hosts = host_of(outbox.c.url), webhook_hosts.c
    tripped = func.coalesce(hosts.failures >= breaker_failures, False)
    left_alone = func.coalesce(hosts.open_until > tx_now, False)
    waiting = (
        select(
            *(outbox.c.id, outbox.c.tenant, outbox.c.available_at, leased.label("leased"), host.label("host")),
            case((tripped, 1), else_=host_limit).label("allowed"),
        )
        .outerjoin(webhook_hosts, hosts.host == host)
        .where(open_(outbox), outbox.c.available_at <= tx_now, or_(leased, and_(~left_alone, ~_has_earlier())))
        .subquery("waiting")
    )
    by_host = select(waiting, _rank(waiting, within=waiting.c.host).label("at_host")).subquery("by_host")
    by_tenant = (
        select(by_host, _rank(by_host, within=by_host.c.tenant).label("at_tenant"))
        .where(by_host.c.at_host <= by_host.c.allowed)
        .subquery("by_tenant")
    )
    chosen = (
        select(outbox.c.id)
        .join(by_tenant, by_tenant.c.id == outbox.c.id)
        .where(by_tenant.c.at_tenant <= tenant_limit, ~by_tenant.c.leased)
        .where(open_(outbox), outbox.c.available_at <= tx_now, lease_is_free(outbox))  # checked again on the locked row
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


def delivered(message_id: str, attempt: int, *, answer: int, milliseconds: int) -> Update:
    """End an attempt as delivered, with the HTTP status of the receiver."""
    return _ended(message_id, attempt, answer, None, milliseconds).values(delivered_at=now)


def postponed(
    message_id: str, attempt: int, *, delay: float, answer: int | None, problem: str, milliseconds: int
) -> Update:
    """End an attempt as failed; the next one is due in `delay` s."""
    return _ended(message_id, attempt, answer, problem, milliseconds).values(available_at=after(delay))


def given_up(message_id: str, attempt: int, *, answer: int | None, problem: str, milliseconds: int) -> Update:
    """End the last attempt: the schedule is at its end, or the receiver answered 410."""
    return _ended(message_id, attempt, answer, problem, milliseconds).values(given_up_at=now)


def forget(message_id: str) -> Delete:
    """Remove a delivery whose endpoint was removed."""
    return delete(outbox).where(outbox.c.id == message_id)


def forget_undelivered(webhook_id: str) -> Delete:
    """Remove the open deliveries of an endpoint."""
    return delete(outbox).where(outbox.c.id.in_(_open_of(webhook_id)))


def redirect(webhook_id: str, url: str) -> Update:
    """Direct the open deliveries of an endpoint to its new URL."""
    return update(outbox).where(outbox.c.id.in_(_open_of(webhook_id))).values(url=url)


def abandon(webhook_id: str, problem: str) -> Update:
    """Give up the deliveries that wait for an endpoint; a locked one is given up when it comes to be sent."""
    waiting = _open_of(webhook_id, skip_locked=True).where(lease_is_free(outbox))
    return update(outbox).where(outbox.c.id.in_(waiting)).values(given_up_at=now, lease_until=None, problem=problem)


def open_(table: FromClause) -> ColumnElement[bool]:
    """Return whether a delivery is still to be sent."""
    return and_(table.c.delivered_at.is_(None), table.c.given_up_at.is_(None), table.c.superseded_at.is_(None))


def _ended(message_id: str, attempt: int, answer: int | None, problem: str | None, milliseconds: int) -> Update:
    """Return the end of an attempt, with its entry in the log; matches no row after another attempt has begun."""
    begun_at = now - interval(milliseconds / 1000)
    facts = {"attempt": attempt, "status": answer, "problem": problem, "milliseconds": milliseconds}
    entry = literal(facts, JSONB).concat(func.jsonb_build_object("at", begun_at))
    kept = case(
        (func.jsonb_array_length(outbox.c.attempts) >= LOGGED, outbox.c.attempts.op("-")(0)), else_=outbox.c.attempts
    )
    return (
        update(outbox)
        .where(outbox.c.id == message_id, outbox.c.attempt == attempt)
        .values(
            lease_until=None,
            answer=answer,
            problem=problem,
            attempts=kept.concat(func.jsonb_build_array(entry)),
        )
    )


def _has_earlier() -> ColumnElement[bool]:
    """Return whether an older delivery of the same job and receiver is still to be sent."""
    earlier = outbox.alias("earlier")
    return exists().where(
        open_(earlier),
        earlier.c.job_id == outbox.c.job_id,
        earlier.c.webhook_id.is_not_distinct_from(outbox.c.webhook_id),
        earlier.c.event_seq < outbox.c.event_seq,
    )


def _rank(table: FromClause, *, within: ColumnElement[Any]) -> ColumnElement[int]:
    return rank_leased_first(table.c.leased, table.c.available_at, within=(within,))


def _open_of(webhook_id: str, *, skip_locked: bool = False) -> Select[Any]:
    """Return the open deliveries of an endpoint, locked in one order, so that two statements cannot deadlock."""
    found = select(outbox.c.id).where(outbox.c.webhook_id == webhook_id, open_(outbox)).order_by(outbox.c.id)
    return found.with_for_update(skip_locked=skip_locked)
