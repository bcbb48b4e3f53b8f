"""The statement behind the API's gauges of the whole service."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Double,
    Text,
    and_,
    any_,
    case,
    cast,
    extract,
    func,
    literal,
    not_,
    null,
    select,
    tuple_,
    union_all,
)

from jobs.job import ACTIVE, JobStatus
from jobs.schema.tables import jobs, measurements, outbox, servers, webhook_receivers
from jobs.statements.clauses import lease_is_free, tx_now
from jobs.statements.maintenance.growth import database_bytes
from jobs.statements.webhooks.deliveries import open_
from jobs.statements.webhooks.receiver_breaker import origin_of


def gauges() -> CompoundSelect[Any]:
    """Return rows of `what` (jobs, webhooks, servers), `model`, `state`, `number` and `oldest` in seconds.

    Jobs: the unfinished ones by model and status; `oldest` is the longest wait in the queue. Webhooks: deliveries that
    are due and not leased, except those to a receiver whose circuit breaker is open; `oldest` is the longest delay.
    Servers: by state. Served: living servers by model. Stored: bytes, of the database where `model` is null, and else
    of that kind of objects as last measured. The statement reads every unfinished job, so it is to be executed seldom.
    """
    queued_at = case((jobs.c.status == JobStatus.QUEUED.value, jobs.c.queued_at))
    unfinished = (
        select(*_row("jobs", jobs.c.model, jobs.c.status, _age(queued_at)))
        .where(jobs.c.status.in_(ACTIVE))
        .group_by(jobs.c.model, jobs.c.status)
    )
    due = select(*_row("webhooks", _NONE, _NONE, _age(outbox.c.available_at))).where(
        open_(outbox), outbox.c.available_at <= tx_now, lease_is_free(outbox), not_(_is_left_alone())
    )
    state = case(
        (servers.c.lease_until <= tx_now, "offline"),
        (and_(servers.c.desired == "cordoned", servers.c.state == "idle"), "cordoned"),
        else_=servers.c.state,
    )
    known = select(state.label("state")).where(servers.c.removed_at.is_(None)).subquery()
    by_state = select(*_row("servers", _NONE, known.c.state, _NEVER)).group_by(known.c.state)
    living = select(func.unnest(servers.c.serves).label("model")).where(
        servers.c.lease_until > tx_now, servers.c.removed_at.is_(None)
    )
    serving = living.subquery()
    served = select(*_row("served", serving.c.model, _NONE, _NEVER)).group_by(serving.c.model)
    database = select(*_row("stored", _NONE, _NONE, _NEVER, database_bytes))
    objects = select(*_row("stored", measurements.c.name, _NONE, _NEVER, measurements.c.bytes))
    return union_all(unfinished, due, by_state, served, database, objects)


def _is_left_alone() -> ColumnElement[bool]:
    """Return whether the receiver's breaker is open; the origin is computed only for tenants that have such a one."""
    receivers = webhook_receivers.c
    concerned, left_alone = (
        select(*columns).where(receivers.open_until > tx_now)
        for columns in ((receivers.tenant,), (receivers.tenant, receivers.origin))
    )
    return and_(
        outbox.c.tenant == any_(func.array(concerned.scalar_subquery())),
        tuple_(outbox.c.tenant, origin_of(outbox.c.url)).in_(left_alone),
    )


_NONE = cast(null(), Text)
_NEVER = cast(0, Double)


def _row(
    what: str,
    model: ColumnElement[Any],
    state: ColumnElement[Any],
    oldest: ColumnElement[Any],
    number: ColumnElement[Any] | None = None,
) -> tuple[ColumnElement[Any], ...]:
    return (
        literal(what).label("what"),
        model.label("model"),
        state.label("state"),
        (func.count() if number is None else number).label("number"),
        oldest.label("oldest"),
    )


def _age(since: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the age of the oldest in seconds; 0 for none."""
    return cast(func.greatest(extract("epoch", tx_now - func.min(since)), 0), Double)
