"""Statements of the log of deliveries, and of sending again. Each is bound to a tenant."""

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

from jobs.schema.tables import outbox, webhook_hosts, webhooks
from jobs.statements.clauses import now, tx_now
from jobs.statements.webhooks.deliveries import open_
from jobs.statements.webhooks.receiver_breaker import host_of

TEST = "webhook.test"
REPLAYED = 10_000
"""Deliveries that one call sends again at most."""

STATE: ColumnElement[str] = case(
    (outbox.c.delivered_at.is_not(None), "delivered"),
    (outbox.c.superseded_at.is_not(None), "superseded"),
    (outbox.c.given_up_at.is_not(None), "failed"),
    else_="pending",
)


def find_delivery(message_id: str, tenant: str) -> Select[Any]:
    """The tenant's delivery of this id."""
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
    """A tenant's deliveries, newest first; `before` is the (created_at, id) of the last one already seen."""
    query = _shown().where(*_wanted(tenant, webhook_id=webhook_id, job_id=job_id, state=state))
    query = query.where(*_within(since, until))
    if before is not None:
        query = query.where(tuple_(outbox.c.created_at, outbox.c.id) < tuple_(*before))
    return query.order_by(outbox.c.created_at.desc(), outbox.c.id.desc()).limit(limit)


def replay_one(message_id: str, tenant: str) -> Update:
    """Send a delivery again, with the schedule from its beginning; no row for one that is under way, or whose endpoint
    is disabled or gone.
    """
    wanted = and_(outbox.c.id == message_id, outbox.c.tenant == tenant, _can_go())
    return _again().where(wanted).returning(outbox.c.id)


def replay_range(
    tenant: str, *, since: datetime, until: datetime, webhook_id: str | None = None, state: str = "failed"
) -> Update:
    """The same for those of a state that were made in a range of time, the oldest first, at most `REPLAYED`.

    Returns when each was made.
    """
    chosen = (
        select(outbox.c.id)
        .where(*_wanted(tenant, webhook_id=webhook_id, state=state), *_within(since, until), _can_go())
        .order_by(outbox.c.created_at, outbox.c.id)
        .limit(REPLAYED)
        .with_for_update(of=outbox, skip_locked=True)
    )
    return _again().where(outbox.c.id.in_(chosen)).returning(outbox.c.created_at)


def add_test(message_id: str, webhook_id: str, tenant: str) -> Insert:
    """A test event for an endpoint that is enabled; returns its id, or no row."""
    columns = ("id", "tenant", "webhook_id", "event_seq", "type", "url")
    able = and_(webhooks.c.id == webhook_id, webhooks.c.tenant == tenant, webhooks.c.disabled_at.is_(None))
    facts: Any = (literal(message_id), webhooks.c.tenant, webhooks.c.id, 1, literal(TEST))
    return insert(outbox).from_select(columns, select(*facts, webhooks.c.url).where(able)).returning(outbox.c.id)


def _shown() -> Select[Any]:
    """What is shown of a delivery; one that waits for its host is tried when that may be."""
    host = webhook_hosts.c.host == host_of(outbox.c.url)
    open_until = select(webhook_hosts.c.open_until).where(host).scalar_subquery()
    next_attempt = case((open_(outbox), func.greatest(outbox.c.available_at, open_until)), else_=None)
    return select(*outbox.c, STATE.label("state"), next_attempt.label("next_attempt_at"))


def _wanted(
    tenant: str, *, webhook_id: str | None = None, job_id: str | None = None, state: str | None = None
) -> list[ColumnElement[bool]]:
    wanted = [outbox.c.tenant == tenant]
    if webhook_id is not None:
        wanted.append(outbox.c.webhook_id == webhook_id)
    if job_id is not None:
        wanted.append(outbox.c.job_id == job_id)
    if state is not None:
        wanted.append(STATE == state)
    return wanted


def _within(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    within = []
    if since is not None:
        within.append(outbox.c.created_at >= since)
    if until is not None:
        within.append(outbox.c.created_at < until)
    return within


def _can_go() -> ColumnElement[bool]:
    """True for what is not under way and has somewhere to go."""
    alive = exists().where(webhooks.c.id == outbox.c.webhook_id, webhooks.c.disabled_at.is_(None))
    free = or_(outbox.c.lease_until.is_(None), outbox.c.lease_until < tx_now)
    return and_(free, or_(outbox.c.webhook_id.is_(None), alive))


def _again() -> Update:
    return update(outbox).values(
        delivered_at=None,
        given_up_at=None,
        superseded_at=None,
        lease_until=None,
        available_at=now,
        attempts_before=outbox.c.attempt,
    )
