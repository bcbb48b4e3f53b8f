"""Statements of the log of deliveries, and of replays. Each is bound to a tenant."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Insert,
    Select,
    Update,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from jobs.schema.tables import outbox, webhook_receivers, webhooks
from jobs.statements.clauses import lease_is_free, now
from jobs.statements.webhooks.deliveries import open_
from jobs.statements.webhooks.receiver_breaker import origin_of

TEST = "webhook.test"
REPLAYED = 10_000
"""Deliveries that one call replays at most."""

STATE: ColumnElement[str] = case(
    (outbox.c.delivered_at.is_not(None), "delivered"),
    (outbox.c.superseded_at.is_not(None), "superseded"),
    (outbox.c.given_up_at.is_not(None), "failed"),
    else_="pending",
)


def find_delivery(message_id: str, tenant: str) -> Select[Any]:
    """Return the tenant's delivery of this id."""
    return _shown().where(outbox.c.id == message_id, outbox.c.tenant == tenant)


def list_deliveries(
    tenant: str,
    *,
    limit: int,
    webhook_id: str | None = None,
    job_id: str | None = None,
    state: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: tuple[datetime, str] | None = None,
) -> Select[Any]:
    """Return a tenant's deliveries, newest first; `before` is the (created_at, id) of the last one already seen."""
    query = _shown().where(*_filters(tenant, webhook_id=webhook_id, job_id=job_id, state=state))
    query = query.where(*_within(since, until))
    if before is not None:
        query = query.where(tuple_(outbox.c.created_at, outbox.c.id) < tuple_(*before))
    return query.order_by(outbox.c.created_at.desc(), outbox.c.id.desc()).limit(limit)


def replay_one(message_id: str, tenant: str) -> Update:
    """Replay a delivery, with the schedule from its beginning.

    No row while it is leased, or if its endpoint is disabled or removed.
    """
    wanted = and_(outbox.c.id == message_id, outbox.c.tenant == tenant, _is_sendable())
    return _replay().where(wanted).returning(outbox.c.id)


def replay_range(
    tenant: str, *, since: datetime, until: datetime, webhook_id: str | None = None, state: str = "failed"
) -> Update:
    """Replay the deliveries of a state that were made in a range of time, the oldest first, at most `REPLAYED`.

    Returns the time at which each was made.
    """
    chosen = (
        select(outbox.c.id)
        .where(*_filters(tenant, webhook_id=webhook_id, state=state), *_within(since, until), _is_sendable())
        .order_by(outbox.c.created_at, outbox.c.id)
        .limit(REPLAYED)
        .with_for_update(of=outbox, skip_locked=True)
    )
    return _replay().where(outbox.c.id.in_(chosen)).returning(outbox.c.created_at)


def add_test(message_id: str, webhook_id: str, tenant: str) -> Insert:
    """Add a test event for an endpoint; returns its id, or no row unless the endpoint is enabled."""
    columns = ("id", "tenant", "webhook_id", "event_seq", "type", "url")
    able = and_(webhooks.c.id == webhook_id, webhooks.c.tenant == tenant, webhooks.c.disabled_at.is_(None))
    facts: Any = (literal(message_id), webhooks.c.tenant, webhooks.c.id, 1, literal(TEST))
    return insert(outbox).from_select(columns, select(*facts, webhooks.c.url).where(able)).returning(outbox.c.id)


def _shown() -> Select[Any]:
    """Select what is shown of a delivery; the next attempt waits for the breaker of the receiver."""
    receivers = webhook_receivers.c
    its_own = and_(receivers.tenant == outbox.c.tenant, receivers.origin == origin_of(outbox.c.url))
    open_until = select(receivers.open_until).where(its_own).scalar_subquery()
    next_attempt = case((open_(outbox), func.greatest(outbox.c.available_at, open_until)), else_=None)
    return select(*outbox.c, STATE.label("state"), next_attempt.label("next_attempt_at"))


def _filters(
    tenant: str, *, webhook_id: str | None = None, job_id: str | None = None, state: str | None = None
) -> list[ColumnElement[bool]]:
    filters = [outbox.c.tenant == tenant]
    if webhook_id is not None:
        filters.append(outbox.c.webhook_id == webhook_id)
    if job_id is not None:
        filters.append(outbox.c.job_id == job_id)
    if state is not None:
        filters.append(STATE == state)
    return filters


def _within(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    within = []
    if since is not None:
        within.append(outbox.c.created_at >= since)
    if until is not None:
        within.append(outbox.c.created_at < until)
    return within


def _is_sendable() -> ColumnElement[bool]:
    """Return whether a delivery is not leased and its endpoint, if it has one, is enabled."""
    enabled = exists().where(webhooks.c.id == outbox.c.webhook_id, webhooks.c.disabled_at.is_(None))
    return and_(lease_is_free(outbox), or_(outbox.c.webhook_id.is_(None), enabled))


def _replay() -> Update:
    return update(outbox).values(
        delivered_at=None,
        given_up_at=None,
        superseded_at=None,
        lease_until=None,
        available_at=now,
        attempts_before=outbox.c.attempt,
    )
