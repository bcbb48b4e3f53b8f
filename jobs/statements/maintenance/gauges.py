"""What the API's gauges show of the whole service, in one statement."""

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
    or_,
    select,
    union_all,
)

from jobs.job import ACTIVE, JobStatus
from jobs.schema.tables import jobs, outbox, servers, webhook_hosts
from jobs.statements.clauses import tx_now
from jobs.statements.webhooks.deliveries import open_
from jobs.statements.webhooks.receiver_breaker import host_of


def gauges() -> CompoundSelect[Any]:
    """Rows of `what` (jobs, webhooks, servers), `model`, `state`, `number` and `oldest` in seconds.

    Unfinished jobs by model and status, and how long the oldest queued one waits; deliveries that are due, not under
    way, and not for a host that is left alone, and for how long the oldest is; servers by state. It reads every
    unfinished job, so it is asked seldom.
    """
    queued_at = case((jobs.c.status == JobStatus.QUEUED.value, jobs.c.queued_at))
    unfinished = (
        select(*_row("jobs", jobs.c.model, jobs.c.status, _age(queued_at)))
        .where(jobs.c.status.in_(ACTIVE))
        .group_by(jobs.c.model, jobs.c.status)
    )
    idle = or_(outbox.c.lease_until.is_(None), outbox.c.lease_until < tx_now)
    left_alone = func.coalesce(webhook_hosts.c.open_until > tx_now, False)
    due = (
        select(*_row("webhooks", _NONE, _NONE, _age(outbox.c.available_at)))
        .outerjoin(webhook_hosts, webhook_hosts.c.host == host_of(outbox.c.url))
        .where(open_(outbox), outbox.c.available_at <= tx_now, idle, ~left_alone)
    )
    state = case(
        (servers.c.lease_until <= tx_now, "offline"),
        (and_(servers.c.desired == "cordoned", servers.c.state == "idle"), "cordoned"),
        else_=servers.c.state,
    )
    known = select(state.label("state")).where(servers.c.removed_at.is_(None)).subquery()
    fleet = select(*_row("servers", _NONE, known.c.state, _NEVER)).group_by(known.c.state)
    return union_all(unfinished, due, fleet)


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
    """Of the oldest; 0 where there is none."""
    return cast(func.greatest(extract("epoch", tx_now - func.min(since)), 0), Double)
