"""Statements of the webhook outbox. A delivery is leased, so that no transaction is open during HTTP."""

from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Delete,
    Double,
    FromClause,
    Integer,
    Select,
    Text,
    Update,
    and_,
    any_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from jobs.schema.tables import Money, api_keys, jobs, outbox, tenants, webhooks
from jobs.statements.budget import BALANCE
from jobs.statements.clauses import after, interval, lease_is_free, now
from jobs.statements.webhooks.lanes import choose, choose_only

LOGGED = 50
"""Attempts of a delivery that its log keeps; only replays reach so many."""
LEASED = (
    *("id", "tenant", "webhook_id", "job_id", "type", "url", "attempt", "attempts_before", "created_at"),
    "superseded_at",
)
"""The columns of a delivery that its worker needs."""


@lru_cache(maxsize=256)  # building it costs more than executing it, every second
def take(
    *, limit: int, lease_seconds: float, breaker_failures: int, origin_limit: int = 4, tenant_limit: int = 32
) -> Update:
    """Lease due deliveries by turns, and supersede those that a newer event of their job has followed.

    Returns the rows of both; those of the latter have `superseded_at`, and when there are any, more may follow at once.
    A delivery that waits for its receiver spends no attempt, and one that is leased is waited for. A job's events leave
    in their order.

    Limits count over all workers, so that slow receivers delay only themselves. At most `tenant_limit` deliveries are
    under way for one tenant, and `origin_limit` to one origin. Tenants that share an origin take turns; while another
    one waits, a tenant may have half of its places, and what it has beyond that is not counted against the other: it
    was borrowed. So an origin has at most half as many more under way, for the time that these take.

    A receiver is what one tenant sends to at one origin. To a receiver that has failed `breaker_failures` times in a
    row no delivery is under way while it is left alone, then one, which takes no place from other tenants.

    The cost depends on the number of lanes (`jobs.statements.webhooks.lanes`), and not on how long they are.
    """
    chosen = choose(limit, breaker_failures, origin_limit, tenant_limit).cte("chosen").prefix_with("MATERIALIZED")
    # An array is of unknown length, so the planner looks its ids up and does not read the table.
    stale = outbox.c.id == any_(func.array(select(chosen.c.id).where(chosen.c.stale).scalar_subquery()))
    return (
        update(outbox)
        .where(outbox.c.id == any_(func.array(select(chosen.c.id).scalar_subquery())))
        .values(
            attempt=outbox.c.attempt + case((stale, 0), else_=1),
            lease_until=case((stale, None), else_=_lease(lease_seconds)),
            superseded_at=case((stale, now), else_=None),
        )
        .returning(*outbox.c)
    )


def take_only(*, lease_seconds: float) -> Update:
    """Lease the delivery that is due, as `take` does, at a fraction of its cost, where no other one competes with it.

    No row where several are due or under way.
    """
    return (
        update(outbox)
        .where(outbox.c.id == choose_only().scalar_subquery())
        .values(attempt=outbox.c.attempt + 1, lease_until=_lease(lease_seconds))
        .returning(*outbox.c)
    )


def with_subjects(taken: Update) -> Select[Any]:
    """Return what `taken` returns as `outbox_<column>`, and of each delivery the subject, `balance` and `now`.

    The subject is the columns of the job and those of the signer. The job is null where it is deleted, and for a test.
    The owner of the secret that signs is the endpoint, or the tenant for a callback: `owner`, null for an endpoint that
    was removed, `generation`, `rotated_at` and `disabled_at`. `endpoint_dialect` and `endpoint_events` are of the
    endpoint, null for a callback. `now` is the database's time.
    """
    delivery = taken.cte("taken")
    of_tenant = delivery.c.webhook_id.is_(None)
    return (
        select(
            *(delivery.c[name].label(f"outbox_{name}") for name in LEASED),
            case((of_tenant, tenants.c.id), else_=webhooks.c.id).label("owner"),
            case((of_tenant, tenants.c.webhook_generation), else_=webhooks.c.generation).label("generation"),
            case((of_tenant, tenants.c.webhook_rotated_at), else_=webhooks.c.rotated_at).label("rotated_at"),
            webhooks.c.disabled_at,
            webhooks.c.dialect.label("endpoint_dialect"),
            webhooks.c.dialect_events.label("endpoint_events"),
            type_coerce(now, DateTime(timezone=True)).label("now"),
            literal_column(BALANCE, Money).label("balance"),
            *jobs.c,
        )
        .select_from(delivery)
        .join(tenants, tenants.c.id == delivery.c.tenant)
        .outerjoin(webhooks, webhooks.c.id == delivery.c.webhook_id)
        .outerjoin(jobs, and_(jobs.c.id == delivery.c.job_id, jobs.c.deleted_at.is_(None)))
        .outerjoin(api_keys, api_keys.c.id == jobs.c.key_id)
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


def log_entry(attempt: int, answer: int | None, problem: str | None, milliseconds: int) -> dict[str, Any]:
    """Return an attempt as the log of its delivery has it, but for `at`, the time of its begin."""
    return {"attempt": attempt, "status": answer, "problem": problem, "milliseconds": milliseconds}


def _lease(seconds: float) -> ColumnElement[Any]:
    return after(bindparam("lease", seconds, Double))


def _ended(message_id: str, attempt: int, answer: int | None, problem: str | None, milliseconds: int) -> Update:
    """Return the end of an attempt, with its entry in the log; matches no row after another attempt has begun."""
    begun_at = now - interval(bindparam("a_seconds", milliseconds / 1000, Double))
    facts = log_entry(attempt, answer, problem, milliseconds)
    entry = bindparam("a_entry", facts, JSONB).concat(func.jsonb_build_object("at", begun_at))
    kept = case(
        (func.jsonb_array_length(outbox.c.attempts) >= LOGGED, outbox.c.attempts.op("-")(0)), else_=outbox.c.attempts
    )
    return (
        update(outbox)
        .where(
            outbox.c.id == bindparam("a_message", message_id, Text),
            outbox.c.attempt == bindparam("a_attempt", attempt, Integer),
        )
        .values(
            lease_until=None,
            answer=bindparam("a_answer", answer, Integer),
            problem=problem,
            attempts=kept.concat(func.jsonb_build_array(entry)),
        )
    )


def _open_of(webhook_id: str, *, skip_locked: bool = False) -> Select[Any]:
    """Return the open deliveries of an endpoint, locked in one order, so that two statements cannot deadlock."""
    found = select(outbox.c.id).where(outbox.c.webhook_id == webhook_id, open_(outbox)).order_by(outbox.c.id)
    return found.with_for_update(skip_locked=skip_locked)
