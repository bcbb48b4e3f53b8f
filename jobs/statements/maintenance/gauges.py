"""The statement behind the API's gauges of the whole service."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Double,
    Text,
    and_,
    case,
    cast,
    extract,
    func,
    literal,
    null,
    select,
    union_all,
)

from jobs.job import ACTIVE, JobStatus
from jobs.schema.tables import jobs, outbox, servers, webhook_hosts
from jobs.statements.clauses import lease_is_free, tx_now
from jobs.statements.webhooks.deliveries import open_
from jobs.statements.webhooks.receiver_breaker import host_of


def gauges() -> CompoundSelect[Any]:
    """Return rows of `what` (jobs, webhooks, servers), `model`, `state`, `number` and `oldest` in seconds.

    Jobs: the unfinished ones by model and status; `oldest` is the longest wait in the queue. Webhooks: deliveries that
    are due and not leased, except those to a host whose circuit breaker is open; `oldest` is the longest delay.
    Servers: by state. The statement reads every unfinished job, so it is to be executed seldom.
    """
    queued_at = case((jobs.c.status == JobStatus.QUEUED.value, jobs.c.queued_at))
    unfinished = (
        select(*_row("jobs", jobs.c.model, jobs.c.status, _age(queued_at)))
        .where(jobs.c.status.in_(ACTIVE))
        .group_by(jobs.c.model, jobs.c.status)
    )
    breaker_is_open = func.coalesce(webhook_hosts.c.open_until > tx_now, False)
    due = (
        select(*_row("webhooks", _NONE, _NONE, _age(outbox.c.available_at)))
        .outerjoin(webhook_hosts, webhook_hosts.c.host == host_of(outbox.c.url))
        .where(open_(outbox), outbox.c.available_at <= tx_now, lease_is_free(outbox), ~breaker_is_open)
    )
    state = case(
        (servers.c.lease_until <= tx_now, "offline"),
        (and_(servers.c.desired == "cordoned", servers.c.state == "idle"), "cordoned"),
        else_=servers.c.state,
    )
    known = select(state.label("state")).where(servers.c.removed_at.is_(None)).subquery()
    by_state = select(*_row("servers", _NONE, known.c.state, _NEVER)).group_by(known.c.state)
    return union_all(unfinished, due, by_state)


_NONE = cast(null(), Text)
_NEVER = cast(0, Double)


def _row(
    what: str, model: ColumnElement[Any], state: ColumnElement[Any], oldest: ColumnElement[Any]
) -> tuple[ColumnElement[Any], ...]:
    return (
        literal(what).label("what"),
        model.label("model"),
        state.label("state"),
        func.count().label("number"),
        oldest.label("oldest"),
    )


def _age(since: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the age of the oldest in seconds; 0 for none."""
    return cast(func.greatest(extract("epoch", tx_now - func.min(since)), 0), Double)
